"""Plots of instances, plans and results; each returns the axes that it drew on.

Degradations are drawn in per cent. Without axes a function makes a figure of its own by pyplot, so that a
notebook shows it. Needs the extra ``notebook``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.evaluate import evaluate
from planner.extras import needed
from planner.integers import PPM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from planner.instance import Instance
    from planner.plan import Plan
    from planner.result import Result

_MOST_NAMES = 60
_BLUE, _GREY, _RED = "#2b6cb0", "#a0aec0", "#c53030"


def plot_history(result: Result, ax: Axes | None = None) -> Axes:
    """Draw objective and bound over the seconds of a solve.

    Raises
    ------
    ModuleNotFoundError
        Without matplotlib.
    """
    axes = _axes(6.0, 3.5) if ax is None else ax
    for label, colour, steps in (
        ("objective", _BLUE, [(p.seconds, p.objective) for p in result.history]),
        ("bound", _GREY, [(p.seconds, p.bound) for p in result.history]),
    ):
        known = [(seconds, value / PPM) for seconds, value in steps if value is not None]
        if known:
            known.append((max(result.seconds, known[-1][0]), known[-1][1]))
            axes.step(*zip(*known, strict=True), where="post", color=colour, label=label)
    axes.set(xlabel="seconds", ylabel="objective", title=result.solver)
    if axes.lines:
        axes.legend(frameon=False)
    return axes


def plot_degradation(instance: Instance, machine_type: str, ax: Axes | None = None) -> Axes:
    """Draw what one replica of each aggressor (columns) adds to each victim (rows) on a machine type.

    Pairs that never meet there stay white.

    Raises
    ------
    InputError
        If the instance has no such machine type.
    ModuleNotFoundError
        Without matplotlib.
    """
    if machine_type not in instance.type_index:
        rule = f"must be one of {', '.join(instance.type_index)}"
        raise InputError(rule, field="machine_type", value=machine_type)
    names = [m.name for m in instance.models]
    side = heat_map_side(len(names))
    axes = _axes(side + 1, side) if ax is None else ax
    draw_degradation(axes, instance.degradation[instance.type_index[machine_type]], names)
    axes.set(title=machine_type)
    return axes


def plot_latencies(instance: Instance, plan: Plan, ax: Axes | None = None) -> Axes:
    """Draw the highest predicted latency of each model, from its latency alone there, and its SLO.

    Models with replicas over their SLO are red; models that are not placed have no mark.

    Raises
    ------
    InputError
        If the plan is not one of this instance.
    ModuleNotFoundError
        Without matplotlib.
    """
    models = evaluate(instance, plan).models
    if not models:
        raise InputError(f"is not a plan of {instance.name!r}", field="plan")
    axes = _axes(6.5, max(2.5, 0.24 * min(len(models), _MOST_NAMES) + 1)) if ax is None else ax
    placed = [(i, m) for i, m in enumerate(models) if m.latency_ms is not None]
    rows, highest = [i for i, _ in placed], np.array([m.latency_ms for _, m in placed], dtype=float)
    alone = [instance.models[i].latency_ms[str(m.machine_type)] for i, m in placed]
    colours = [_RED if m.misses else _BLUE for _, m in placed]
    axes.hlines(rows, alone, highest, color=colours, linewidth=2)
    axes.scatter(alone, rows, s=18, color=_GREY, label="alone", zorder=2)
    axes.scatter(highest, rows, s=24, color=colours, label="predicted", zorder=3)
    limited = [i for i, m in enumerate(models) if m.slo_ms is not None]
    limits = np.array([models[i].slo_ms for i in limited], dtype=float)
    label = "SLO" if limited else None
    axes.scatter(limits, limited, s=90, color="black", marker="|", label=label, zorder=4)
    name_ticks(axes, "y", [m.name for m in models])
    axes.set(xscale="log", xlabel="latency, ms", ylim=(len(models) - 0.5, -0.5))
    axes.legend(frameon=False)
    return axes


def draw_degradation(axes: Axes, degradation: NDArray[np.float64], names: Sequence[str]) -> None:
    """Draw a heat map of victims by aggressors, shape (N, N), with a colour bar in per cent; NaN is white."""
    values = 100 * degradation
    known = values[~np.isnan(values)]
    top = (
        max(1.0, float(np.quantile(known, 0.98))) if known.size else 1.0
    )  # one outlier must not hide the rest
    image = axes.imshow(values, vmin=0, vmax=top, cmap="viridis", interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, label="degradation, %", shrink=0.8, extend="max")
    name_ticks(axes, "x", names)
    name_ticks(axes, "y", names)
    axes.set(xlabel="aggressor", ylabel="victim")


def heat_map_side(models: int) -> float:
    """Return the side in inches of a heat map whose names can be read."""
    return max(4.5, 0.24 * min(models, _MOST_NAMES) + 2)


def name_ticks(axes: Axes, axis: str, names: Sequence[str]) -> None:
    """Put names at the ticks 0, 1, ... of an axis, as long as they can be read."""
    every = max(1, -(-len(names) // _MOST_NAMES))
    ticks = range(0, len(names), every)
    shown = [names[i].replace("$", r"\$") for i in ticks]  # a name is no formula
    if axis == "x":
        axes.set_xticks(list(ticks), shown, rotation=90, fontsize=7)
    else:
        axes.set_yticks(list(ticks), shown, fontsize=7)


def _axes(width: float, height: float) -> Axes:
    pyplot = needed("matplotlib.pyplot", "notebook")
    axes: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    return axes
