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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.measure.features import features_path
from planner.measure.host import Host, check_spec, this_host
from planner.measure.journal import spec_path
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
    """

    machine_type: str
    select: str
    first_run: int
    seconds: float
    until: float | None


@dataclass(frozen=True)
class Piece:
    """What a worker measured.

    Attributes
    ----------
    outcome
        Of its session.
    runs
        The new ones.
    features
        The whole features table, as text.
    host, node
        The fingerprint of the host; what people call it.
    late
        Whether the order's ``until`` left less time than its ``seconds``.
    crowded
        Whether the harness and the Dask worker had no core beside those that were measured.
    """

    outcome: Outcome
    runs: list[Run]
    features: str
    host: dict[str, Any]
    node: str
    late: bool
    crowded: bool


def measure_piece(cargo: Cargo, order: Order, table: str, features: str) -> Piece:
    """Measure a piece on this host.

    Parameters
    ----------
    table, features
        What is known so far; the rows may come without their windows.

    Raises
    ------
    InputError
        If this host cannot be such a machine, or a model cannot be loaded.
    """
    host = this_host()
    with tempfile.TemporaryDirectory() as name, _of_host():
        folder = Path(name)
        spec = cargo.unpack(folder)
        check_spec(spec, host, order.machine_type)
        spare = {*host.cores} - {*spec.machine_types[order.machine_type].cores}
        path = folder / "piece.csv"
        path.write_text(table, encoding="utf-8")
        spec_path(path).write_text(json.dumps({"sha256": spec.sha256}), encoding="utf-8")
        if features:
            features_path(path).write_text(features, encoding="utf-8")
        left_s = order.seconds if order.until is None else max(1e-3, order.until - time.time())
        outcome = _session(spec, order, path, host, min(order.seconds, left_s), spare or {*host.cores})
        beside = features_path(path)
        text = beside.read_text(encoding="utf-8") if beside.exists() else ""
        runs = _runs(path, order.first_run)
    return Piece(outcome, runs, text, host.document(), platform.node(), left_s < order.seconds, not spare)


def _session(
    spec: Spec, order: Order, path: Path, host: Host, budget_s: float, own_cores: set[int]
) -> Outcome:
    """Measure into a table that was prepared; this process itself keeps to some cores meanwhile."""
    subjects = spec.subjects | {hog(r).name: hog(r) for r in HOGS}
    with Runner(subjects, spec.form.protocol, host.id) as runner, Progress() as progress:
        prepare(spec, progress)
        os.sched_setaffinity(0, own_cores)
        return profile(
            spec,
            path,
            runner,
            host,
            progress=progress,
            select=order.select,
            budget_s=budget_s,
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
