"""The points of a sweep over one number: table, sentences and documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.plan_files import exact, plan_document, render
from planner.report.tables import table
from planner.report.text import count, number, percent, plain
from planner.result import Status
from planner.writing import csv_text, write_together

if TYPE_CHECKING:
    from rich.table import Table

    from planner.whatif.point import Point
    from planner.whatif.sweeps import Sweep

_SPARE = ("from", "price", "machines", "gap", "bound")


@dataclass(frozen=True)
class Asked:
    """What was asked of which instance, with which solver, and how it went."""

    instance: str
    question: str
    solver: str
    seed: int
    solves: int
    seconds: float
    interrupted: bool

    def document(self) -> dict[str, Any]:
        """Return it as the beginning of a document."""
        return {
            "version": 1,
            "instance": self.instance,
            "question": self.question,
            "solver": self.solver,
            "seed": self.seed,
            "solves": self.solves,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
        }

    def effort(self, points: int) -> str:
        """Say how many solves it took."""
        early = "; interrupted" if self.interrupted else ""
        return f"{count(points, 'point')}, {count(self.solves, 'solve')} in {self.seconds:.1f} s{early}"


def rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Return a row for each point, in the order of values."""
    points = sweep.ascending
    changes = [(None, None), *(_change(sweep, a, b) for a, b in pairwise(points))]
    return [_row(point, change) for point, change in zip(points, changes, strict=True)]


def _row(point: Point, change: tuple[float | None, float | None]) -> dict[str, Any]:
    e, gap = point.evaluation, point.gap
    return {
        "value": float(point.label),
        "status": point.status.value,
        "objective": exact(point.objective),
        "bound": exact(point.bound),
        "gap": None if gap is None else round(gap, 9),
        "change_low": change[0],
        "change_high": change[1],
        "machines_used": None if e is None else e.machines_used,
        "price": None if e is None else exact(e.price),
        "mean_degradation": None if e is None else round(e.mean_degradation / 1e6, 9),
        "misses": None if e is None else e.misses,
        "solves": point.solves,
        "plan_of": point.plan_of,
        "proof_of": point.proof_of,
        "reason": "" if e is not None else next(iter(point.reasons), ""),
    }


def _change(sweep: Sweep, before: Point, point: Point) -> tuple[float | None, float | None]:
    """Return how much the optimum changes from one point to the next: at least and at most.

    For each unit of the value where that says something, else in all.
    """
    if before.infeasible or point.infeasible:
        return None, None
    low = _difference(point.bound, before.objective)
    high = _difference(point.objective, before.bound)
    if sweep.falls:
        high = 0 if high is None else min(high, 0)
    if sweep.rises:
        low = 0 if low is None else max(low, 0)
    by = 1e6 * (float(point.value - before.value) if sweep.per else 1.0)
    return None if low is None else low / by, None if high is None else high / by


def _difference(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a - b


def show(sweep: Sweep, asked: Asked) -> Iterator[Table | str]:
    """Yield the points side by side and what they say."""
    change = f"change per {sweep.per}" if sweep.per else "change"
    beside = ("machines", "price", "misses", "<from")
    columns = (plain(sweep.what), "<status", "objective", "bound", "gap", change, *beside)
    cells = [_cells(point, row) for point, row in zip(sweep.ascending, rows(sweep), strict=True)]
    yield table(plain(asked.instance), columns, cells, spare=_SPARE)
    for sentence in sentences(sweep):
        yield plain(f"  {sentence}")
    yield f"  {asked.effort(len(sweep.points))}"


def _cells(point: Point, row: Mapping[str, Any]) -> tuple[Any, ...]:
    inferred = [f"{what} of {of}" for what, of in point.inferred()]
    return (
        point.label,
        row["status"].replace("_", " "),
        number(row["objective"]),
        number(row["bound"]),
        percent(row["gap"]),
        _interval(row["change_low"], row["change_high"]),
        row["machines_used"],
        number(row["price"]),
        row["misses"],
        ", ".join(inferred) or _origin(point),
    )


def _origin(point: Point) -> str:
    if point.solves:
        return "solve"
    return "counting" if point.infeasible else "-"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    if low == high:
        return number(low)
    return f"{number(low)} to {number(high)}"


def sentences(sweep: Sweep) -> Iterator[str]:
    """Yield what the points say, in words."""
    yield from sweep.notes
    points = sweep.ascending if sweep.edge == "smallest" else sweep.ascending[::-1]
    planned = [i for i, p in enumerate(points) if p.plan is not None]
    infeasible = [i for i, p in enumerate(points) if p.infeasible]
    if not planned:
        yield _none(sweep, points, infeasible)
    elif not infeasible and len(planned) == len(points):
        yield f"{sweep.what}: every value of the range has a plan"
    elif sweep.edge:
        yield _edge(sweep, points, planned[0], infeasible)
    yield from _enough(sweep)


def _none(sweep: Sweep, points: Sequence[Point], infeasible: Sequence[int]) -> str:
    if len(infeasible) == len(points):
        return f"{sweep.what}: no value of the range has a plan, which is proven: {_why(points[-1])}"
    return (
        f"{sweep.what}: no plan was found in the time; {count(len(infeasible), 'point')} proven to have none"
    )


def _edge(sweep: Sweep, points: Sequence[Point], first: int, infeasible: Sequence[int]) -> str:
    """Say from which value on there are plans, and what is proven of the ones before."""
    text = f"{sweep.what}: {points[first].label} is the {sweep.edge} of the range with a plan"
    refused = [i for i in infeasible if i < first]
    if not refused:
        return text if first == 0 else f"{text} so far; what lies beyond is not decided"
    nearest = points[refused[-1]]
    proof = f"{nearest.label} is proven to have none: {_why(nearest)}"
    if refused[-1] + 1 < first:
        between = [p.label for p in points[refused[-1] + 1 : first]]
        return f"{text} so far; {', '.join(between)} undecided; {proof}"
    return f"{text}; {proof}"


def _why(point: Point) -> str:
    reason = next(iter(point.reasons), "")
    return reason if point.proof_of == point.label else f"{reason} (at {point.proof_of})"


def _enough(sweep: Sweep) -> Iterator[str]:
    """Say from which value on looser is no better."""
    points = sweep.ascending
    best = points[-1]
    if not sweep.falls or best.status is not Status.OPTIMAL:
        return
    same = [p for p in points if p.objective == best.objective]
    if len(same) > 1:
        yield f"{sweep.what}: beyond {same[0].label} more does not help, the optimum stays {_objective(best)}"


def _objective(point: Point) -> str:
    return number(exact(point.objective))


def document(sweep: Sweep, asked: Asked) -> dict[str, Any]:
    """Return everything as plain data."""
    change = f"difference of the optimum to the value before{f', per {sweep.per}' if sweep.per else ''}"
    said = {"what": sweep.what, "change": change, "sentences": list(sentences(sweep))}
    return {**asked.document(), **said, "rows": rows(sweep)}


def save(sweep: Sweep, folder: Path, asked: Asked) -> None:
    """Write ``whatif.csv``, ``whatif.json``, ``whatif.svg``, ``whatif.png`` and a plan for each point.

    Raises
    ------
    InputError
        If one of them cannot be written.
    """
    from planner.report.whatif_plot import pictures, sweep_figure

    files = pictures(sweep_figure(sweep, asked.instance))
    files |= {"whatif.csv": csv_text(rows(sweep)), "whatif.json": render(document(sweep, asked))}
    for point in sweep.points:
        if point.plan is not None:
            found = plan_document(point.instance, point.result(asked.solver, asked.seed))
            files[f"plan-{point.label}.json"] = render(found)
    write_together({folder / name: data for name, data in files.items()})
