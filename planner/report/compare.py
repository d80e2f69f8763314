"""Several solvers on several instances, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.plan_files import render, save_document
from planner.report.tables import table
from planner.report.text import number, percent, plain
from planner.writing import csv_text, write_together

if TYPE_CHECKING:
    from rich.table import Table

FIELDS = (
    "instance",
    "solver",
    "status",
    "stop",
    "objective",
    "ratio_to_best",
    "bound",
    "gap",
    "gap_to_best_bound",
    "misses",
    "machines_used",
    "price",
    "mean_degradation",
    "worst_degradation",
    "runtime_s",
    "note",
)
_COLUMNS = (
    "<solver",
    "<status",
    "objective",
    "to best",
    "bound",
    "gap",
    "gap to best bound",
    "SLO misses",
    "machines",
    "price",
    "time s",
)
_SPARE = ("price", "gap", "machines", "to best")
_ROUNDED = 9


@dataclass(frozen=True)
class Comparison:
    """The plan documents of several solvers on one instance, as far as they have come.

    Attributes
    ----------
    label
        What the instance is called in files and tables.
    documents
        One document of :func:`planner.plan_files.plan_document` for each solver.
    """

    label: str
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> Decimal | None:
        """The lowest objective of any plan."""
        return min((d["objective"] for d in self.documents if d["objective"] is not None), default=None)

    @property
    def best_bound(self) -> Decimal | None:
        """The highest bound that any solver has proven; it holds for all of them."""
        return max((d["bound"] for d in self.documents if d["bound"] is not None), default=None)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of :data:`FIELDS` for each solver."""
        return [self._row(document) for document in self.documents]

    def _row(self, document: dict[str, Any]) -> dict[str, Any]:
        objective, best, bound = document["objective"], self.best, self.best_bound
        row = {name: document.get(name) for name in FIELDS} | (document["summary"] or {})
        row |= {"instance": self.label, "solver": document["solver"]["name"]}
        row["ratio_to_best"] = None if objective is None or best is None else _ratio(objective, best)
        row["gap_to_best_bound"] = None if objective is None or bound is None else _gap(objective, bound)
        return {name: row[name] for name in FIELDS}

    def contradictions(self) -> list[str]:
        """Return what cannot be true at once, in words: some solver has claimed a false proof."""
        found = []
        for d in self.documents:
            solver = d["solver"]["name"]
            if self.best is not None and d["bound"] is not None and d["bound"] > self.best:
                found.append(f"{solver} claims the bound {d['bound']:f}; there is a plan of {self.best:f}")
            if self.best is not None and d["status"] == "infeasible":
                found.append(f"{solver} claims that {self.label} is infeasible; there is a plan")
        return found

    def notes(self) -> list[str]:
        """Return what solvers say in a line: what they picked, why they failed or found no plan."""
        said = [(d["solver"]["name"], d["note"] or next(iter(d["reasons"]), "")) for d in self.documents]
        return [plain(f"  {solver}: {text}") for solver, text in said if text]

    def table(self) -> Table:
        """Return the comparison as people read it."""
        rows = [
            (
                row["solver"],
                row["status"].replace("_", " ") + (" (failed)" if row["stop"] == "failed" else ""),
                number(row["objective"]),
                number(row["ratio_to_best"], 4),
                number(row["bound"]),
                percent(row["gap"]),
                percent(row["gap_to_best_bound"]),
                row["misses"],
                row["machines_used"],
                number(row["price"]),
                f"{row['runtime_s']:.2f}",
            )
            for row in self.rows()
        ]
        return table(self.label, _COLUMNS, rows, spare=_SPARE)


def _ratio(objective: Decimal, best: Decimal) -> float | None:
    if not best:
        return None if objective else 1.0
    return round(float(objective / best), _ROUNDED)


def _gap(objective: Decimal, bound: Decimal) -> float:
    return round(float((objective - bound) / objective), _ROUNDED) if objective else 0.0


def as_csv(comparisons: Sequence[Comparison]) -> str:
    """Return all rows as CSV."""
    return csv_text((row for comparison in comparisons for row in comparison.rows()), FIELDS)


def as_document(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return all rows, and what contradicts itself, as one document."""
    return {
        "version": 1,
        "rows": [row for comparison in comparisons for row in comparison.rows()],
        "contradictions": [text for comparison in comparisons for text in comparison.contradictions()],
    }


@dataclass(frozen=True)
class Grid:
    """The cells of solvers x instances that are done, in whatever order they came.

    Attributes
    ----------
    labels, solvers
        What the instances and the solvers are called.
    """

    labels: Sequence[str]
    solvers: Sequence[str]
    _cells: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def add(self, label: str, solver: str, document: dict[str, Any]) -> None:
        """Take the plan document of a cell."""
        self._cells[label, solver] = document

    def whole(self, label: str) -> bool:
        """Return whether all cells of an instance are done."""
        return all((label, name) in self._cells for name in self.solvers)

    def comparison(self, label: str) -> Comparison:
        """Return what is done of one instance, in the order of the solvers."""
        cells = [self._cells[label, name] for name in self.solvers if (label, name) in self._cells]
        return Comparison(label, cells)

    def comparisons(self) -> list[Comparison]:
        """Return what is done of each instance, in their order."""
        return [c for c in map(self.comparison, self.labels) if c.documents]


def save(folder: Path, comparisons: Sequence[Comparison], label: str, document: dict[str, Any]) -> None:
    """Write ``compare.csv``, ``compare.json`` and the newest plan, that of ``label``, into ``folder``.

    Raises
    ------
    InputError
        If one of them cannot be written.
    """
    if document["objective"] is not None:
        save_document(folder / f"{label}.{document['solver']['name']}.json", document)
    tables = {"compare.csv": as_csv(comparisons), "compare.json": render(as_document(comparisons))}
    write_together({folder / name: text for name, text in tables.items()})


def labels(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each instance file, all different."""
    found: list[str] = []
    for path in paths:
        same = sum(1 for other in found if other == path.stem or other.startswith(f"{path.stem}-"))
        found.append(f"{path.stem}-{same + 1}" if path.stem in found else path.stem)
    return found
