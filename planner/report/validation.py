"""What a validation found, as tables, documents and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.pictures import blank, encoded
from planner.report.tables import table
from planner.report.text import milliseconds, plain, slowdown
from planner.writing import csv_text, write_together

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from planner.degradation.validation import Interval, ModelReport, PlanReport, Validation


_LEAST_RANKED = 8  # victims; fewer say nothing of ranks
_LEAST_RUNS = 3  # of a pattern; fewer say nothing of what a disturbance of the host added


def show(found: Validation) -> Iterator[Table | str]:
    """Yield plans side by side, then every model of each against its prediction and its SLO."""
    if not found.victims:
        yield "nothing was measured: no pattern of the plans has a run that counts"
        yield from _excluded(found)
        return
    columns = ("<plan", "replicas", "alone", "measured", "predicted sum", "<measured sum", "<first / this")
    yield table("Measured", columns, [_plan(p) for p in found.plans])
    if found.control is not None:
        yield f"  A/A control, the first plan against itself: {_interval(found.control)}; it should contain 1"
    yield from _excluded(found)
    fewest = min(v.runs for v in found.victims)
    if fewest < _LEAST_RUNS:
        yield f"  fewest runs of a pattern that count: {fewest}, too few to tell plans from noise (--rounds)"
    yield f"  degradation of single victims: {errors(found)}"
    for plan in found.plans:
        columns = ("<model", "replicas", "predicted", "measured", "latency ms", "SLO ms", "over the SLO")
        yield table(plain(f"Models of {plan.name}"), columns, [_model(m) for m in plan.models])


def _excluded(found: Validation) -> Iterator[str]:
    if found.excluded:
        yield f"  {found.excluded} measurements do not count: unstable, disturbed, or a process died"


def _plan(p: PlanReport) -> tuple[str | int, ...]:
    ratio = "-" if p.ratio is None else _interval(p.ratio)
    return (plain(p.name), p.replicas, p.alone, p.covered, f"{p.predicted:.3f}", _interval(p.measured), ratio)


def _model(m: ModelReport) -> tuple[str | int, ...]:
    return (
        m.model,
        m.replicas,
        slowdown(m.predicted),
        slowdown(m.measured),
        milliseconds(m.latency_ms),
        milliseconds(m.slo_ms),
        m.missed,
    )


def _interval(i: Interval) -> str:
    return f"{i.value:.3f} [{i.lower:.3f}, {i.upper:.3f}]"


def errors(found: Validation) -> str:
    """Return mean absolute error, bias and rank correlation of the predictions, in words."""
    from scipy.stats import spearmanr

    predicted = np.array([v.predicted for v in found.victims])
    measured = np.array([v.measured for v in found.victims])
    off = predicted - measured
    parts = [f"mean absolute error {np.abs(off).mean():.3f}", f"mean error {off.mean():+.3f}"]
    if len(off) >= _LEAST_RANKED and np.ptp(predicted) > 0 and np.ptp(measured) > 0:
        parts.append(f"rank correlation {spearmanr(predicted, measured).statistic:.2f}")
    return f"{', '.join(parts)}, {len(off)} victims"


def as_document(found: Validation) -> dict[str, Any]:
    """Return it as plain data."""
    return asdict(found)


def save(folder: Path, found: Validation) -> None:
    """Write ``validation.json``, ``models.csv``, ``victims.csv`` and ``predicted-measured.png``."""
    from planner.plan_files import render

    models = [{"plan": p.name, **asdict(m)} for p in found.plans for m in p.models]
    victims = [{**asdict(v), "members": "|".join(v.members)} for v in found.victims]
    write_together(
        {
            folder / "validation.json": render(as_document(found)),
            folder / "models.csv": csv_text(models),
            folder / "victims.csv": csv_text(victims),
            folder / "predicted-measured.png": encoded(figure(found), "png"),
        }
    )


def figure(found: Validation) -> Figure:
    """Return predicted against measured degradation: a point a victim, a colour a machine type."""
    drawing = blank(5.5, 5.0)
    axes = drawing.add_subplot()
    for machine_type in sorted({v.machine_type for v in found.victims}):
        here = [v for v in found.victims if v.machine_type == machine_type]
        x, y = [v.measured for v in here], [v.predicted for v in here]
        axes.scatter(x, y, s=18, alpha=0.7, label=machine_type)
    low, high = (min(*axes.get_xlim(), *axes.get_ylim()), max(*axes.get_xlim(), *axes.get_ylim()))
    axes.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
    axes.set(xlabel="measured degradation", ylabel="predicted degradation", aspect="equal")
    if found.victims:
        axes.legend(frameon=False)
    return drawing
