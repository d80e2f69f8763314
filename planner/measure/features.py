"""Solo features: what is known of each model on each machine type without another model beside it.

Latency and CPU time come from solo windows in a closed loop; bytes and operations are counted on the
ONNX graph; memory is what the worker process takes. *Sensitivity* to a resource is the degradation of
the model beside that resource's hog, *pressure* the degradation of the hog beside the model. A feature
that could not be measured is left empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from planner.errors import InputError
from planner.measure.costs import costs
from planner.measure.messages import Weight
from planner.measure.pool import WorkerDiedError
from planner.measure.row import Row
from planner.measure.spec import MachineTypeForm
from planner.measure.subject import HOGS, Subject, hog
from planner.measure.windows import condition
from planner.measure.zoo.export import exported
from planner.reading import reason
from planner.writing import write_atomically

COLUMNS = (
    *("solo_mean_ms", "solo_p50_ms", "solo_p95_ms", "cpu_ms", "working_set_mb", "peak_mb", "gpu_memory_mb"),
    *("parameters_mb", "bytes_per_request", "flops_per_request"),
    *(f"sensitivity_{resource}" for resource in HOGS),
    *(f"pressure_{resource}" for resource in HOGS),
)
RUNS = 2
FIRST_RUN = 2**40  # numbers of the hogs' runs, which are in no table; they only seed

Key = tuple[str, str]
Values = Mapping[str, float | None]


class Measures(Protocol):
    """What runs co-locations: :class:`~planner.measure.runner.Runner`, or something that pretends to."""

    @property
    def driven_s(self) -> float:
        """Seconds in which workers were driven."""

    @property
    def counted_s(self) -> float:
        """Seconds of windows that rows are made of."""

    @property
    def loading_s(self) -> float:
        """Seconds spent on loading."""

    def run(
        self, machine_type: MachineTypeForm, members: Sequence[str], number: int, *, loop: str | None = None
    ) -> list[Row]:
        """Measure a co-location once."""

    def weigh(self, machine_type: MachineTypeForm, name: str) -> Weight:
        """Return the memory that a model takes."""

    def estimate_s(self, machine_type: MachineTypeForm, members: Sequence[str]) -> float:
        """Return about how long a run takes."""


class FeatureTable:
    """``NAME.features.csv``: one row for each machine type and model, rewritten as a whole.

    Raises
    ------
    InputError
        If there is such a file and it is not one that this command wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[Key, list[str]] = {}
        if path.exists():
            try:
                rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise InputError(f"cannot be read: {reason(error)}", file=str(path)) from None
            if not rows or tuple(rows[0]) != ("machine_type", "model", *COLUMNS):
                raise InputError("must be a features table of `planner profile`", file=str(path))
            self._rows = {(row[0], row[1]): row[2:] for row in rows[1:] if len(row) == len(rows[0])}

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def machine_types(self) -> list[str]:
        """Names of those that there are rows of."""
        return sorted({machine_type for machine_type, _ in self._rows})

    def value(self, key: Key, column: str) -> float | None:
        """Return a feature; None where it is not known."""
        row = self._rows.get(key)
        text = row[COLUMNS.index(column)] if row else ""
        return float(text) if text else None

    def add(self, key: Key, values: Values) -> None:
        """Add a row and write the file."""
        self._rows[key] = ["" if (v := values.get(c)) is None else f"{v:.6g}" for c in COLUMNS]
        self._write()

    def take(self, other: FeatureTable, machine_type: str) -> int:
        """Add what another table has of a machine type and write the file; return how many rows are new."""
        rows = {key: row for key, row in other._rows.items() if key[0] == machine_type and key not in self}
        self._rows |= rows
        if rows:
            self._write()
        return len(rows)

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("machine_type", "model", *COLUMNS))
        writer.writerows([*key, *row] for key, row in sorted(self._rows.items()))
        write_atomically(self.path, text.getvalue())


def features_path(table: Path) -> Path:
    """Return where the features of a table are."""
    return table.with_suffix(".features.csv")


def measure_features(
    runner: Measures, machine_type: MachineTypeForm, subject: Subject, number: int, runs: int = RUNS
) -> Values:
    """Measure the features of one model on one machine type.

    Parameters
    ----------
    runner
        Knows the model and the hogs.
    number
        Of the first of the runs with hogs; ``runs`` for each hog.

    Raises
    ------
    InputError
        If the model cannot be loaded.
    """
    rows: list[tuple[str, Row]] = []
    for i, resource in enumerate(HOGS):
        members = [subject.name, hog(resource).name]
        for repeat in range(runs):
            made = runner.run(machine_type, members, number + i * runs + repeat, loop="closed")
            rows += [(resource, row) for row in made]
    values: dict[str, float | None] = {}
    for resource in HOGS:
        beside = [row for which, row in rows if which == resource]
        values[f"sensitivity_{resource}"] = _mean([r for r in beside if r.victim == subject.name])
        values[f"pressure_{resource}"] = _mean([r for r in beside if r.victim != subject.name])
    values |= _solo([row for _, row in rows if row.victim == subject.name])
    return values | _memory(runner, machine_type, subject.name) | _costs(subject)


def _mean(rows: Sequence[Row]) -> float | None:
    found = [row.degradation for row in rows if row.degradation is not None]
    return float(np.mean(found)) if found else None


def _solo(rows: Sequence[Row]) -> dict[str, float | None]:
    windows = [t.window for row in rows for t in row.taken if t.used and t.window.phase == "solo"]
    alone = condition(windows)
    cpu = 1e3 * sum(w.cpu_s for w in windows) / alone.samples if alone.samples else None
    quantiles = {f"solo_{q}_ms": alone.quantiles_ms[q] for q in ("p50", "p95")}
    return {"solo_mean_ms": alone.mean_ms, **quantiles, "cpu_ms": cpu}


def _memory(runner: Measures, machine_type: MachineTypeForm, name: str) -> dict[str, float | None]:
    try:
        weight = runner.weigh(machine_type, name)
    except WorkerDiedError:
        return {}
    return {
        "working_set_mb": weight.share_mb,
        "peak_mb": weight.peak_mb,
        "gpu_memory_mb": weight.device_mb,
    }


def _costs(subject: Subject) -> dict[str, float | None]:
    file = subject.onnx or exported(str(subject.zoo))
    found = costs(file, subject.inputs)
    return {
        "parameters_mb": found.parameters_mb,
        "bytes_per_request": found.bytes_per_request,
        "flops_per_request": found.flops_per_request,
    }
