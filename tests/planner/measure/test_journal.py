"""The journal: whole runs or nothing, whatever kills its writer."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from planner.degradation.table import read_table
from planner.errors import InputError
from planner.measure.colocations import colocations
from planner.measure.host import this_host
from planner.measure.journal import Journal, spec_path
from planner.measure.profile import profile
from planner.measure.progress import Progress
from planner.measure.row import COLUMNS
from planner.measure.spec import Spec
from tests.planner.measure.fakes import Fake, spec

KILLS = 20


def opened(path: Path, sha256: str = "s") -> Journal:
    return Journal(path, sha256, {"version": 1})


def write(path: Path, *runs: tuple[str, ...]) -> None:
    fake = Fake()
    with opened(path) as journal:
        for members in runs:
            journal.append(fake.run(spec().form.machine_types[0], members, journal.next_run))


def test_what_is_written_is_counted_again(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", ("a", "b"), ("a", "a"), ("a", "b", "c"), ("a", "b"))
    with opened(tmp_path / "t.csv") as journal:
        assert journal.runs == {("one", ("a", "b")): 2, ("one", ("a", "a")): 1, ("one", ("a", "b", "c")): 1}
        assert (journal.next_run, journal.rows, journal.cut) == (4, 8, 0)
        assert len(journal.degradations["one", "a", ("b",)]) == 2
    assert len(read_table(tmp_path / "t.csv").rows) == 8


def test_a_lone_model_is_a_run_too(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", ("a",), ("a", "b"))
    with opened(tmp_path / "t.csv") as journal:
        assert journal.runs == {("one", ("a",)): 1, ("one", ("a", "b")): 1}


def test_names_may_hold_commas_and_quotes(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", ('a,"1"', "b c"))
    with opened(tmp_path / "t.csv") as journal:
        assert journal.runs == {("one", ('a,"1"', "b c")): 1}


def test_cut_anywhere_only_the_last_run_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write(path, ("a", "b"))
    first = path.read_bytes()
    write(path, ("a", "b", "c"))
    whole = path.read_bytes()
    header = len(",".join(COLUMNS)) + 1
    for size in range(header, len(whole), 37):
        path.write_bytes(whole[:size])
        with opened(path) as journal:
            assert journal.runs.total() == (1 if size >= len(first) else 0)
        assert path.read_bytes() == (first if size >= len(first) else whole[:header])
    for size in (0, 1, header - 1):
        path.write_bytes(whole[:size])
        with opened(path) as journal:
            assert (journal.runs.total(), journal.cut) == (0, size)
        assert path.read_bytes() == whole[:header]


def test_a_table_damaged_before_its_end_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write(path, ("a", "b", "c"), ("a", "b"))
    lines = path.read_bytes().splitlines(keepends=True)
    for broken in ([*lines[:2], *lines[3:]], [lines[0], b"x,y\n", *lines[1:]], [b"x\n", *lines]):
        path.write_bytes(b"".join(broken))
        with pytest.raises(InputError):
            opened(path)
        assert path.read_bytes() == b"".join(broken)


def test_another_spec_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", ("a", "b"))
    before = (tmp_path / "t.csv").read_bytes()
    with pytest.raises(InputError, match="another spec"):
        opened(tmp_path / "t.csv", "other")
    assert (tmp_path / "t.csv").read_bytes() == before
    spec_path(tmp_path / "t.csv").unlink()
    with pytest.raises(InputError, match=r"t\.spec\.json"):
        opened(tmp_path / "t.csv")


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "t.csv"), pytest.raises(InputError, match="another process"):
        opened(tmp_path / "t.csv")
    opened(tmp_path / "t.csv").__exit__()


def test_a_failing_disk_leaves_no_half_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    write(path, ("a", "b"))
    before = path.read_bytes()
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) < 1000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) // 2])

    with opened(path) as journal:
        rows = Fake().run(spec().form.machine_types[0], ("a", "c"), 1)
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(InputError, match="no space left"):
            journal.append(rows)
        monkeypatch.undo()
        assert path.read_bytes() == before
        journal.append(rows)
    with opened(path) as journal:
        assert journal.runs.total() == 2


def test_ctrl_c_while_the_disk_works_does_not_lose_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    rows = Fake().run(spec().form.machine_types[0], ("a", "b"), 0)
    with opened(tmp_path / "t.csv") as journal:
        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(rows)
        assert journal.rows == len(rows)
    monkeypatch.undo()
    with opened(tmp_path / "t.csv") as journal:
        assert (journal.rows, journal.cut) == (len(rows), 0)


def _measure(wanted: Spec, path: Path, notes: Path) -> None:
    """Profile with a runner that measures nothing; note each run as soon as the next one begins."""
    noted = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    finished = [-1]

    def before(number: int) -> None:
        if finished[0] >= 0:
            os.write(noted, f"{finished[0]}\n".encode())
        finished[0] = number
        time.sleep(0.0005)

    with open(os.devnull, "w") as quiet:
        os.dup2(quiet.fileno(), 2)
    profile(wanted, path, Fake(before=before), this_host(), progress=Progress(), select="random")


def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    models = ["mlp_small", *(f"mlp_small@{n}" for n in range(2, 14))]
    wanted = spec(models, protocol={"repeats": 5, "seed": 7})
    path, notes = tmp_path / "t.csv", tmp_path / "notes"
    fork, moments = multiprocessing.get_context("fork"), random.Random(5)
    killed = progressed = 0
    sizes, slow = [0], 1.0
    for _ in range(KILLS):
        process = fork.Process(target=_measure, args=(wanted, path, notes))
        process.start()
        time.sleep(slow * moments.uniform(0.01, 0.09))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        sizes.append(path.stat().st_size if path.exists() else 0)
        progressed += sizes[-1] > sizes[-2]
        slow *= 1.0 if sizes[-1] > sizes[-2] else 1.3  # a busy host has to begin before it is killed
        noted = notes.read_text().split() if notes.exists() else []
        there = {line.split(b",")[3].decode() for line in _lines(path)}
        assert {*noted} <= there, "a run whose rows were on the disk is gone"
        assert len({*noted}) == len(noted), "a run was measured twice"
    assert killed == KILLS, "the work must be enough to be killed fifty times"
    assert progressed >= KILLS // 4
    outcome = profile(wanted, path, Fake(), this_host(), progress=Progress(), select="random")
    assert outcome.ended == "done"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    runs = {int(row["run"]): (row["machine_type"], members(row)) for row in rows}
    assert sorted(runs) == list(range(len(runs)))
    assert Counter(runs.values()) == {(c.machine_type, c.members): 5 for c in colocations(wanted)}
    assert len({(row["run"], row["victim"]) for row in rows}) == len(rows)
    assert {*map(int, noted)} <= {*runs}
    assert all(len(json.loads(row["windows"])) == 4 for row in rows)


def _lines(path: Path) -> list[bytes]:
    """The rows without the header and without what follows the last line end."""
    return path.read_bytes().split(b"\n")[1:-1] if path.exists() else []


def members(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted([row["victim"], *row["neighbours"].split("|")]))
