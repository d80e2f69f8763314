"""A caller that merges pieces: with a pool that does every job here, and a runner that measures nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.cluster.pool import Lost, outcome
from planner.degradation.features import read_features
from planner.degradation.table import read_table
from planner.errors import InputError
from planner.measure import execute, piece
from planner.measure.execute import Step
from planner.measure.features import features_path
from planner.measure.fleet import execute_fleet, profile_fleet
from planner.measure.journal import Colocation, Journal
from planner.measure.piece import Cargo, Order, measure_piece
from planner.measure.pieces import PREFIX
from planner.measure.profile import Outcome
from planner.measure.progress import Progress
from planner.measure.spec import Spec
from tests.planner.measure.fakes import Fake, spec


class FakeRunner(Fake):
    """A fake that is made as a runner is; no more than a few runs in one session fit its budget."""

    most = 1_000_000

    def __init__(self, subjects: object, protocol: object, host: str) -> None:
        super().__init__(host)

    def __enter__(self) -> FakeRunner:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def estimate_s(self, *_: object) -> float:
        return 1e9 if len(self.done) >= self.most else 0.0


class Here:
    """Does every job in this process, the newest first."""

    def __init__(self, *machine_types: str) -> None:
        self.resources = {PREFIX + name for name in machine_types}
        self.jobs: list[tuple[int, Any, Any]] = []
        self.orders: list[Order] = []

    def share(self, value: Any) -> Any:
        return value

    def submit(self, function: Callable[..., Any], *arguments: Any, place: Any) -> int:
        assert place.resource in self.resources
        self.orders.append(arguments[1])
        self.jobs.append((len(self.orders), function, arguments))
        return len(self.orders)

    def finished(self) -> Iterator[tuple[int, Any]]:
        while self.jobs:
            ticket, function, arguments = self.jobs.pop()
            yield ticket, self.do(function, *arguments)

    def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            return outcome(error)


@pytest.fixture(autouse=True)
def _nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece, "Runner", FakeRunner)
    monkeypatch.setattr(execute, "Runner", FakeRunner)
    monkeypatch.setattr(piece, "prepare", lambda *_: None)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setattr("planner.measure.features._costs", lambda _: {})
    monkeypatch.setattr(FakeRunner, "most", 1_000_000)


def go(wanted: Spec, path: Path, pool: Here | None = None, **options: Any) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    pool = pool or Here("one", "two")
    done = profile_fleet(wanted, path, pool, progress=Progress(), say=said.append, **options)  # type: ignore[arg-type]
    return done, said


def test_pieces_become_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRunner, "most", 2)
    pool, path = Here("one", "two"), tmp_path / "t.csv"
    outcome, _ = go(spec(), path, pool)
    assert (outcome.ended, outcome.colocations, outcome.of, outcome.runs) == ("done", 6, 6, 12)
    table = read_table(path)  # which refuses rows of different co-locations with one number
    assert table.machine_types == ("one", "two")
    assert len({row.run for row in table.rows}) == 12
    assert all(json.loads(str(row.values["windows"])) for row in table.rows), "raw windows stay"
    hosts = json.loads((tmp_path / "t.hosts.json").read_text())
    assert {row.values["host"] for row in table.rows} == {*hosts}
    assert len(pool.orders) == 6, "in several pieces"
    assert len({order.first_run for order in pool.orders}) == len(pool.orders)


def test_it_goes_on_where_it_was_on_a_fleet_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tired(Here):
        def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
            if len(self.orders) > 4:
                raise KeyboardInterrupt
            return super().do(function, *arguments)

    monkeypatch.setattr(FakeRunner, "most", 1)
    first, _ = go(spec(), tmp_path / "t.csv", Tired("one", "two"))
    assert first.ended == "interrupted"
    assert 0 < first.runs < 12
    monkeypatch.setattr(FakeRunner, "most", 100)
    second, _ = go(spec(), tmp_path / "t.csv")
    assert (second.ended, first.runs + second.runs, second.total_runs) == ("done", 12, 12)
    read_table(tmp_path / "t.csv")


def test_features_of_all_machine_types_are_merged(tmp_path: Path) -> None:
    outcome, _ = go(spec(features=True), tmp_path / "t.csv")
    assert (outcome.features, outcome.ended) == (4, "done")
    found = read_features(features_path(tmp_path / "t.csv"))
    assert (found.machine_types, found.models) == (("one", "two"), ("dlrm", "mlp_small"))
    again, _ = go(spec(features=True), tmp_path / "t.csv")
    assert (again.features, again.runs) == (0, 0)


def test_a_piece_in_which_nothing_fits_is_followed_by_a_longer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRunner, "estimate_s", lambda *_: 1000.0)
    pool = Here("one", "two")
    outcome, _ = go(spec(), tmp_path / "t.csv", pool)
    assert outcome.ended == "done"
    assert [order.seconds for order in pool.orders if order.machine_type == "two"] == [300, 600, 1200]


def test_a_budget_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRunner, "estimate_s", lambda *_: 1000.0)
    outcome, _ = go(spec(), tmp_path / "t.csv", budget_s=400.0)
    assert (outcome.ended, outcome.runs) == ("budget", 0)


def test_a_machine_type_whose_workers_are_lost_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    class Broken(Here):
        def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
            return Lost("gone") if arguments[1].machine_type == "one" else super().do(function, *arguments)

    outcome, said = go(spec(), tmp_path / "t.csv", Broken("one", "two"))
    assert (outcome.ended, outcome.runs) == ("lost: one", 6)
    assert "one is not measured any further: gone" in said


def test_rows_of_another_machine_type_are_refused(tmp_path: Path) -> None:
    class Liar(Here):
        def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
            made = function(*arguments)
            return replace(made, runs=[[["other", *row[1:]] for row in run] for run in made.runs])

    with pytest.raises(InputError, match="must measure two on host"):
        go(spec(), tmp_path / "t.csv", Liar("one", "two"))


def test_a_machine_type_without_a_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='a worker for two, started with --resources "machine:two=1"'):
        go(spec(), tmp_path / "t.csv", Here("one", "three"))
    assert not (tmp_path / "t.csv").exists()


def test_a_host_that_cannot_be_the_machine_type_says_which_it_is(tmp_path: Path) -> None:
    types = [{"name": "one", "cores": [60_000]}]
    with pytest.raises(InputError, match=r"on .+: machine_types\[0\].cores: must be cores"):
        go(spec(machine_types=types), tmp_path / "t.csv")


def test_a_host_without_a_spare_core_is_said_once(tmp_path: Path) -> None:
    types = [{"name": "one", "cores": sorted(os.sched_getaffinity(0))}]
    _, said = go(spec(machine_types=types), tmp_path / "t.csv")
    assert len(said) == 1
    assert "has no core beside those that are measured" in said[0]


def test_onnx_files_travel_along(tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(b"weights")
    models = [{"name": "mine", "onnx": str(mine), "inputs": [{"name": "x", "shape": [1]}]}]
    cargo = Cargo.of(spec(models=models))
    mine.unlink()
    (tmp_path / "there").mkdir()
    unpacked = cargo.unpack(tmp_path / "there")
    found = unpacked.subjects["mine"].onnx
    assert found is not None
    assert found.read_bytes() == b"weights"
    assert unpacked.sha256 == cargo.spec.sha256
    made = measure_piece(cargo, Order("one", 7, 60.0, None, ""), "active", "")
    assert [run[0][3] for run in made.runs] == ["7", "8"]


WANTED: list[Colocation] = [
    ("one", ("dlrm", "mlp_small")),
    ("two", ("dlrm", "mlp_small")),
    ("two", ("mlp_small", "mlp_small", "mlp_small")),
]


def validated(path: Path, pool: Any, **options: Any) -> tuple[list[str], Journal, list[Step], list[str]]:
    wanted, said, steps = spec(), list[str](), list[Step]()
    with Journal(path, wanted.sha256, wanted.form.model_dump(mode="json")) as journal:
        lost = execute_fleet(
            wanted,
            WANTED,
            journal,
            pool,
            rounds=3,
            say=said.append,
            on_step=steps.append,
            **options,
        )
    return lost, journal, steps, said


def test_patterns_of_plans_are_measured_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRunner, "most", 4)
    monkeypatch.setattr(execute, "this_host", None)  # looks at the cores that the harness keeps to by then
    pool, path = Here("one", "two"), tmp_path / "runs.csv"
    lost, journal, steps, _ = validated(path, pool)
    assert not lost
    assert journal.runs == dict.fromkeys(WANTED, 3)
    assert len({row.run for row in read_table(path).rows}) == 9
    assert [order.machine_type for order in pool.orders] == ["one", "two", "two"]
    assert (steps[0].done, steps[-1].done, steps[-1].wanted) == (0, 9, 9)
    again, _, _, _ = validated(path, Here("one", "two"))
    assert (again, len(read_table(path).rows)) == ([], 3 * (2 + 2 + 1))


def test_only_machine_types_of_the_plans_need_workers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a worker for two"):
        validated(tmp_path / "runs.csv", Here("one"))
    types = [{"name": name, "cores": [0]} for name in ("one", "two", "three")]
    wanted = spec(machine_types=types)
    with Journal(tmp_path / "t.csv", wanted.sha256, {}) as journal:
        pool: Any = Here("one")
        assert not execute_fleet(wanted, WANTED[:1], journal, pool, rounds=1, say=print)
        assert journal.runs == {WANTED[0]: 1}


def test_a_budget_ends_a_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRunner, "estimate_s", lambda *_: 1000.0)
    lost, journal, _, _ = validated(tmp_path / "runs.csv", Here("one", "two"), budget_s=100.0)
    assert (lost, journal.rows) == ([], 0)


def test_what_other_machine_types_measured_counts(tmp_path: Path) -> None:
    class Broken(Here):
        def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
            return Lost("gone") if arguments[1].machine_type == "one" else super().do(function, *arguments)

    lost, journal, _, said = validated(tmp_path / "runs.csv", Broken("one", "two"))
    assert lost == ["one"]
    assert journal.runs == {key: 3 for key in WANTED if key[0] == "two"}
    assert said == ["one is not measured any further: gone"]
