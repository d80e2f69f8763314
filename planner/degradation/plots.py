"""Plots of measurements and predictions; every function returns a figure that :func:`save` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from planner.degradation.evaluation import Held
from planner.degradation.table import Floats, Pairs
from planner.pictures import blank, encoded
from planner.plots import draw_degradation, heat_map_side, name_ticks
from planner.writing import write_together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMES = 60
_BLUE, _GREY = "#2b6cb0", "#a0aec0"


def predicted_against_measured(pairs: Pairs, held: Held, title: str) -> Figure:
    """Return one panel for each machine type: predicted over measured degradation, both in per cent."""
    types = np.unique(pairs.k[held.rows])
    figure, panels = _panels(len(types), 4.2, 4.0, title)
    for k, axes in zip(types, panels, strict=True):
        on = pairs.k[held.rows] == k
        measured, predicted = 100 * pairs.degradation[held.rows[on]], 100 * held.predicted[on]
        most = max(1.0, float(np.max(measured)), float(np.max(predicted)))
        low = min(0.0, float(np.min(measured)))
        axes.plot([low, most], [low, most], color=_GREY, linewidth=1, zorder=0)
        axes.scatter(measured, predicted, s=9, alpha=0.5, color=_BLUE, linewidths=0)
        axes.set(title=pairs.machine_types[k], xlabel="measured degradation, %", ylabel="predicted, %")
        axes.set_xscale("symlog", linthresh=10)
        axes.set_yscale("symlog", linthresh=10)
    return figure


def error_by_model(pairs: Pairs, held: Mapping[str, Held], title: str) -> Figure:
    """Return the mean absolute error of the degradation by victim, for each method side by side."""
    models = np.unique(pairs.v)[:_MOST_NAMES]
    figure, (axes,) = _panels(1, max(5.0, 0.42 * len(models) * max(1, len(held) / 3)), 4.5, title)
    width = 0.8 / max(1, len(held))
    for i, (method, one) in enumerate(held.items()):
        error = 100 * np.abs(one.predicted - pairs.degradation[one.rows])
        means = [float(np.mean(error[pairs.v[one.rows] == v])) for v in models]
        axes.bar(np.arange(len(models)) + (i - (len(held) - 1) / 2) * width, means, width, label=method)
    name_ticks(axes, "x", [pairs.models[v] for v in models])
    axes.set(ylabel="mean absolute error, %-points", xlabel="victim")
    axes.margins(x=0.01)
    axes.legend(frameon=False)
    return figure


def heat_map(pairs: Pairs, degradation: Floats, title: str) -> Figure:
    """Return the degradation (N,) of victims (rows) by aggressors (columns), a panel for each machine type.

    A cell without a value stays white.
    """
    types = np.unique(pairs.k)
    models = np.unique(np.concatenate([pairs.v, pairs.u]))
    side = heat_map_side(len(models))
    figure, panels = _panels(len(types), side + 1, side, title)
    at = np.searchsorted(models, pairs.v), np.searchsorted(models, pairs.u)
    for k, axes in zip(types, panels, strict=True):
        values = np.full((len(models), len(models)), np.nan)
        on = pairs.k == k
        values[at[0][on], at[1][on]] = np.maximum(degradation[on], 0)
        draw_degradation(axes, values, [pairs.models[i] for i in models])
        axes.set(title=pairs.machine_types[k])
    return figure


def save(figures: Mapping[str, Figure], folder: Path, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write figures as ``NAME.KIND`` into a folder that exists; return the paths.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    files: dict[Path, str | bytes] = {}
    for name, figure in figures.items():
        for kind in kinds:
            files[folder / f"{name}.{kind}"] = encoded(figure, kind)
    write_together(files)
    return list(files)


def _panels(count: int, width: float, height: float, title: str) -> tuple[Figure, list[Axes]]:
    """Return a figure of its own, without the global state of pyplot, and its panels in a row."""
    figure = blank(width * count, height + 0.5)
    figure.suptitle(title)
    return figure, [figure.add_subplot(1, count, i + 1) for i in range(count)]
