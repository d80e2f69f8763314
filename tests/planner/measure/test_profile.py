"""What is measured in which order, with a runner that measures nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planner.degradation.features import read_features
from planner.degradation.table import read_table
from planner.errors import InputError
from planner.measure.colocations import colocations, fits
from planner.measure.features import COLUMNS, FeatureTable, features_path
from planner.measure.host import this_host
from planner.measure.profile import SELECTIONS, Outcome, profile
from planner.measure.progress import Progress, duration
from planner.measure.row import Row, Taken
from planner.measure.select import Candidate
from planner.measure.spec import MachineTypeForm, Spec
from tests.planner.measure.fakes import Fake, spec, window

NAMES = ("mlp_small", "mlp_small@2", "mlp_small@3")


def go(wanted: Spec, path: Path, runner: Fake | None = None, **options: Any) -> Outcome:
    return profile(wanted, path, runner or Fake(), this_host(), progress=Progress(), **options)


@pytest.mark.parametrize("select", SELECTIONS)
def test_everything_is_measured_as_often_as_asked_for(select: str, tmp_path: Path) -> None:
    wanted = spec(NAMES, sets={"2": "all", "3": 4})
    outcome = go(wanted, tmp_path / "t.csv", select=select)
    assert outcome.ended == "done"
    assert (outcome.colocations, outcome.of, outcome.runs) == (20, 20, 40)
    table = read_table(tmp_path / "t.csv")
    runs = {(row.machine_type, row.colocated, row.run) for row in table.rows}
    found = Counter((machine_type, members) for machine_type, members, _ in runs)
    assert found == {(c.machine_type, c.members): 2 for c in colocations(wanted)}
    hosts = json.loads((tmp_path / "t.hosts.json").read_text())
    assert list(hosts) == [this_host().id]


def test_the_order_is_random_and_seeded(tmp_path: Path) -> None:
    orders = []
    for i, seed in enumerate((1, 1, 2)):
        go(spec(NAMES, protocol={"repeats": 1, "seed": seed}), tmp_path / f"{i}.csv", select="all")
        orders.append([row.colocated for row in read_table(tmp_path / f"{i}.csv").rows])
    assert orders[0] == orders[1] != orders[2]


def test_a_budget_is_kept_and_rounds_are_balanced(tmp_path: Path) -> None:
    class Slow(Fake):
        def estimate_s(self, machine_type: MachineTypeForm, members: object) -> float:
            return 1e9 if len(self.done) == 15 else 0.0

    wanted = spec(NAMES)
    outcome = go(wanted, tmp_path / "t.csv", Slow(), select="all", budget_s=3600)
    assert (outcome.ended, outcome.runs) == ("budget", 15)
    counts = Counter(
        (r.machine_type, r.colocated)
        for r in read_table(tmp_path / "t.csv").rows
        if r.victim == r.colocated[0]
    )
    assert set(counts.values()) == {1, 2}
    assert len(counts) == 12
    assert go(wanted, tmp_path / "t.csv", select="all").total_runs == 24


def test_ctrl_c_ends_with_what_is_finished(tmp_path: Path) -> None:
    def interrupt(number: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    outcome = go(spec(NAMES), tmp_path / "t.csv", Fake(before=interrupt))
    assert (outcome.ended, outcome.runs) == ("interrupted", 5)
    assert len({row.run for row in read_table(tmp_path / "t.csv").rows}) == 5


def test_disturbed_runs_are_repeated_but_not_forever(tmp_path: Path) -> None:
    class Disturbed(Fake):
        def row(self, machine_type: str, members: object, name: str, number: int) -> Row:
            made = super().row(machine_type, members, name, number)  # type: ignore[arg-type]
            bad = Taken(window("colocated", 1.0, 1.0, foreign=0.5), used=True)
            taken = [*made.taken, bad] if made.neighbours == ("mlp_small",) else made.taken
            return Row(**{**made.__dict__, "taken": taken})

    outcome = go(spec(NAMES[:2]), tmp_path / "t.csv", Disturbed())
    table = read_table(tmp_path / "t.csv")
    runs = Counter((s.victim, s.neighbours, s.runs, s.used) for s in table.summaries)
    assert outcome.ended == "done"
    assert runs["mlp_small", ("mlp_small",), 4, 0] == 2
    assert runs["mlp_small@2", ("mlp_small@2",), 2, 2] == 2
    assert outcome.flags == {"foreign": 2 * 4 + 2 * 4}


def test_features_are_measured_once_and_left_empty_where_unknown(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    wanted = spec(NAMES[:1], features=True)
    fake = Fake()
    assert go(wanted, tmp_path / "t.csv", fake).features == 2
    assert go(wanted, tmp_path / "t.csv").features == 0
    found = read_features(features_path(tmp_path / "t.csv"))
    assert found.columns == COLUMNS
    assert found.aligned(["one"], ["mlp_small"], ["working_set_mb", "solo_mean_ms"])[0, 0].tolist() == [
        100.0,
        1.0,
    ]
    text = features_path(tmp_path / "t.csv").read_text().splitlines()
    assert dict(zip(text[0].split(","), text[1].split(","), strict=True))["gpu_memory_mb"] == ""


def test_a_features_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.features.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"t\.features\.csv"):
        go(spec(NAMES, features=True), tmp_path / "t.csv")


def test_what_exceeds_the_memory_is_left_out(tmp_path: Path) -> None:
    small = {"name": "one", "cores": [0], "memory_gb": 0.25}
    wanted = spec(NAMES[:2], machine_types=[small], sets={"2": "all", "3": "all"})
    table = FeatureTable(features_path(tmp_path / "t.csv"))
    for name in NAMES[:2]:
        table.add(("one", name), {"working_set_mb": 100.0})
    outcome = go(wanted, tmp_path / "t.csv")
    assert (outcome.colocations, outcome.of, outcome.too_large) == (3, 7, 4)
    machine_type = wanted.form.machine_types[0]
    assert fits(Candidate("one", ("a", "b")), machine_type, {"a": 200.0})


@pytest.mark.parametrize("options", [{"select": "best"}, {"budget_s": 0.0}, {"budget_s": float("nan")}])
def test_bad_options_are_refused_before_anything_is_written(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        go(spec(NAMES), tmp_path / "t.csv", **options)
    assert not list(tmp_path.iterdir())


def test_sets_larger_than_the_slots_are_not_asked_for() -> None:
    types = [{"name": "one", "cores": [0], "slots": 2}, {"name": "two", "cores": [0], "slots": 3}]
    found = colocations(spec(NAMES, machine_types=types, sets={"2": "all", "3": "all"}))
    assert Counter((c.machine_type, len(c.members)) for c in found) == {
        ("one", 2): 6,
        ("two", 2): 6,
        ("two", 3): 10,
    }
    assert all(list(c.members) == sorted(c.members) for c in found)


def test_too_many_co_locations_are_refused() -> None:
    names = [f"mlp_small@{n}" for n in range(2, 72)]
    with pytest.raises(InputError, match=r"sets\.5"):
        colocations(spec(names, sets={"5": "all"}))
    assert len(set(colocations(spec(names, sets={"5": 300})))) == 600


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (59.6, "60 s"), (130, "2 min"), (9000, "2.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
