"""Plots of capacity questions: the optimum with its bound as a band, and the front of two objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.integers import PPM
from planner.pictures import blank, encoded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from planner.whatif.front import Front
    from planner.whatif.sweeps import Sweep

_BLUE, _RED, _GREY = "#2b6cb0", "#c53030", "#a0aec0"
_STEPS = 400


def sweep_figure(sweep: Sweep, title: str) -> Figure:
    """Return objective over value, with a band down to the bound; values without a plan are marked."""
    figure, axes = _axes(title)
    points = sweep.ascending
    known = [p for p in points if p.objective is not None]
    x = [float(p.value) for p in known]
    y = [(p.objective or 0) / PPM for p in known]
    axes.plot(x, y, color=_BLUE, marker="o", markersize=4, linewidth=1.5, label="best plan")
    bounded = [p for p in points if p.bound is not None]
    if bounded:
        at, low = [float(p.value) for p in bounded], [(p.bound or 0) / PPM for p in bounded]
        axes.plot(at, low, color=_GREY, linewidth=1, label="bound")
        both = [p for p in known if p.bound is not None]
        x = [float(p.value) for p in both]
        low, high = [(p.bound or 0) / PPM for p in both], [(p.objective or 0) / PPM for p in both]
        axes.fill_between(x, low, high, color=_BLUE, alpha=0.2, linewidth=0)
    for label, marker, colour, chosen in (
        ("no plan, proven", "x", _RED, [p for p in points if p.infeasible]),
        ("no plan found", "|", _GREY, [p for p in points if p.plan is None and not p.infeasible]),
    ):
        x = [float(p.value) for p in chosen]
        if x:
            axes.plot(
                x, [0.02] * len(x), marker, color=colour, label=label, transform=axes.get_xaxis_transform()
            )
    axes.set(xlabel=_words(sweep.what), ylabel="objective")
    axes.legend(frameon=False)
    return figure


def front_figure(front: Front, title: str) -> Figure:
    """Return degradation over price; no plan is in the grey area, which is proven."""
    figure, axes = _axes(title)
    low, high = front.choices[0].price, front.choices[-1].price
    margin = max(1, (high - low) // 20)
    step = max(1, (high - low + 2 * margin) // _STEPS)
    prices = [*range(max(low, front.cheapest), high + margin, step), high + margin]
    least = [front.least(p) / PPM for p in prices]
    at = [p * front.units.unit / PPM for p in prices]
    axes.fill_between(at, 0, least, step="post", color=_GREY, alpha=0.4, linewidth=0, label="no plan, proven")
    for label, filled, proven in (("on the front, proven", _BLUE, True), ("not proven", "none", False)):
        chosen = [c for c in front.choices if front.proven(c) is proven]
        if chosen:
            x = [c.price * front.units.unit / PPM for c in chosen]
            y = [c.degradation / PPM for c in chosen]
            axes.scatter(x, y, s=28, facecolors=filled, edgecolors=_BLUE, label=label, zorder=3)
    axes.set(xlabel="price", ylabel="degradation")
    axes.legend(frameon=False)
    return figure


def pictures(figure: Figure) -> dict[str, str | bytes]:
    """Return ``whatif.svg`` and ``whatif.png``."""
    return {f"whatif.{kind}": encoded(figure, kind) for kind in ("svg", "png")}


def _axes(title: str) -> tuple[Figure, Axes]:
    figure = blank(6.5, 4.2)
    figure.suptitle(_words(title))
    return figure, figure.add_subplot()


def _words(text: str) -> str:
    return text.replace("$", r"\$")  # a name is no formula
