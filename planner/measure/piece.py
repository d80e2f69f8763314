"""One machine type measured for some minutes, by a process that a caller on another host has asked.

What comes in and what goes out is plain data, no files of the caller's: see :mod:`.fleet`.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.measure.execute import execute
from planner.measure.features import features_path
from planner.measure.host import Host, check_spec, this_host
from planner.measure.journal import Colocation, Journal, spec_path
from planner.measure.profile import Outcome, prepare, profile
from planner.measure.progress import Progress
from planner.measure.row import COLUMNS
from planner.measure.runner import Runner
from planner.measure.spec import Spec
from planner.measure.subject import HOGS, hog

_RUN = COLUMNS.index("run")

Run = list[list[str]]  # the cells of its rows


@dataclass(frozen=True)
class Cargo:
    """A spec with the contents of the user's own ONNX files, so that it needs no file of the caller's."""

    spec: Spec
    files: dict[str, bytes]

    @classmethod
    def of(cls, spec: Spec) -> Cargo:
        """Pack a spec."""
        return cls(spec, {name: s.onnx.read_bytes() for name, s in spec.subjects.items() if s.onnx})

    def unpack(self, folder: Path) -> Spec:
        """Return the spec with its files in a folder."""
        subjects = dict(self.spec.subjects)
        for i, (name, data) in enumerate(self.files.items()):
            path = folder / f"{i}.onnx"
            path.write_bytes(data)
            subjects[name] = replace(subjects[name], onnx=path)
        return replace(self.spec, subjects=subjects)


@dataclass(frozen=True)
class Order:
    """A piece to measure.

    Attributes
    ----------
    machine_type
        Which one.
    first_run
        Number of its first run.
    seconds
        Most to measure.
    until
        Time of day (seconds since 1970) after which nothing is to be measured; None: whenever it ends.
    table
        What is known so far; the rows may come without their windows.
    """

    machine_type: str
    first_run: int
    seconds: float
    until: float | None
    table: str


@dataclass(frozen=True)
class Piece:
    """What a worker measured.

    Attributes
    ----------
    done
        Whether there is no more to measure of the machine type.
    runs
        The new ones.
    host, node
        The fingerprint of the host; what people call it.
    late
        Whether the order's ``until`` left less time than its ``seconds``.
    crowded
        Whether the harness and the Dask worker had no core beside those that were measured.
    """

    done: bool
    runs: list[Run]
    host: dict[str, Any]
    node: str
    late: bool
    crowded: bool


@dataclass(frozen=True)
class Profiled(Piece):
    """A piece of a profile: also the outcome of its session, and the whole features table as text."""

    outcome: Outcome
    features: str


def measure_piece(cargo: Cargo, order: Order, select: str, features: str) -> Profiled:
    """Measure a piece of a profile on this host.

    Parameters
    ----------
    select
        As in :func:`.profile.profile`.
    features
        The table of those that are known so far.

    Raises
    ------
    InputError
        If this host cannot be such a machine, or a model cannot be loaded.
    """
    with _bench(cargo, order) as bench:
        beside = features_path(bench.path)
        if features:
            beside.write_text(features, encoding="utf-8")
        outcome = _session(bench, order, select)
        text = beside.read_text(encoding="utf-8") if beside.exists() else ""
        return Profiled(**bench.piece(order, done=outcome.ended == "done"), outcome=outcome, features=text)


def execute_piece(cargo: Cargo, order: Order, wanted: Sequence[Colocation], rounds: int) -> Piece:
    """Measure co-locations of one machine type on this host, round by round.

    Raises
    ------
    InputError
        If this host cannot be such a machine, or a model cannot be loaded.
    """
    with _bench(cargo, order) as bench:
        os.sched_setaffinity(0, bench.own_cores)
        with Journal(bench.path, bench.spec.sha256, None, first_run=order.first_run) as journal:
            done = execute(
                bench.spec, wanted, journal, rounds=rounds, budget_s=bench.budget_s, host=bench.host
            )
        return Piece(**bench.piece(order, done=done))


@dataclass(frozen=True)
class _Bench:
    """A table on this host in which a piece can be measured.

    ``budget_s`` is how long; ``own_cores`` are for this process, ``crowded`` if those are all there are.
    """

    spec: Spec
    host: Host
    path: Path
    budget_s: float
    own_cores: set[int]
    crowded: bool

    def piece(self, order: Order, *, done: bool) -> dict[str, Any]:
        """Return what a piece says, by the names of its fields."""
        return {
            "done": done,
            "runs": _runs(self.path, order.first_run),
            "host": self.host.document(),
            "node": platform.node(),
            "late": self.budget_s < order.seconds,
            "crowded": self.crowded,
        }


@contextlib.contextmanager
def _bench(cargo: Cargo, order: Order) -> Iterator[_Bench]:
    """Yield where a piece can be measured; bad input is said to be on this host."""
    host = this_host()
    with tempfile.TemporaryDirectory() as name, _of_host():
        folder = Path(name)
        spec = cargo.unpack(folder)
        check_spec(spec, host, order.machine_type)
        spare = {*host.cores} - {*spec.machine_types[order.machine_type].cores}
        path = folder / "piece.csv"
        path.write_text(order.table, encoding="utf-8")
        spec_path(path).write_text(json.dumps({"sha256": spec.sha256}), encoding="utf-8")
        left_s = order.seconds if order.until is None else max(1e-3, order.until - time.time())
        yield _Bench(spec, host, path, min(order.seconds, left_s), spare or {*host.cores}, not spare)


def _session(bench: _Bench, order: Order, select: str) -> Outcome:
    """Profile into a table that was prepared; this process itself keeps to some cores meanwhile."""
    spec, host = bench.spec, bench.host
    subjects = spec.subjects | {hog(r).name: hog(r) for r in HOGS}
    with Runner(subjects, spec.form.protocol, host.id) as runner, Progress() as progress:
        prepare(spec, progress)
        os.sched_setaffinity(0, bench.own_cores)
        return profile(
            spec,
            bench.path,
            runner,
            host,
            progress=progress,
            select=select,
            budget_s=bench.budget_s,
            only=order.machine_type,
            first_run=order.first_run,
        )


@contextlib.contextmanager
def _of_host() -> Iterator[None]:
    """Say of bad input on which host it was found."""
    try:
        yield
    except InputError as error:
        raise error.in_file(f"on {platform.node()}") from None


def _runs(path: Path, first: int) -> list[Run]:
    """Return the runs of a table from a number on."""
    runs: dict[str, Run] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in list(csv.reader(stream))[1:]:
            if int(row[_RUN]) >= first:
                runs.setdefault(row[_RUN], []).append(row)
    return list(runs.values())
