"""Performance profiles: on what share of the instances a solver is within a factor of the best."""

from __future__ import annotations

import math
from collections.abc import Callable

from planner.report.drawing.palette import SERIES
from planner.report.drawing.shapes import Dots, Drawing, Line, Point, Text, fit, width
from planner.report.figures.figure import NARROW, Figure, stem
from planner.report.profiles import Measures, profile

_PANEL = 470.0  # pixels; two beside each other on a wide page
_HIGH = 250.0
_FURTHEST = 100.0  # factor at which the plot ends


def profile_figure(name: str, title: str, measures: Measures, note: str) -> Figure | None:
    """Return the figure; None if no solver has a value."""
    steps = profile(measures)
    if not any(steps.values()):
        return None
    largest = max(ratio for mine in steps.values() for ratio, _ in mine)
    last = min(max(largest * 1.1, 1.2), _FURTHEST)
    if largest > _FURTHEST:
        note += f" Factors above {_FURTHEST:g} not shown."
    return Figure(
        name=stem(name),
        title=title,
        wide=_draw(steps, last, _PANEL),
        narrow=_draw(steps, last, NARROW),
        columns=("solver", "factor", "share_of_instances"),
        rows=[(solver, ratio, share) for solver, mine in steps.items() for ratio, share in mine],
        notes=(note, note),
    )


def _draw(steps: dict[str, list[tuple[float, float]]], last: float, room: float) -> Drawing:
    left, top = 44.0, 12.0
    result = Drawing(room)
    bottom = top + _HIGH

    def x(ratio: float) -> float:
        return left + (room - left - 10) * math.log(min(ratio, last)) / math.log(last)

    def y(share: float) -> float:
        return bottom - _HIGH * share

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        result.add(Line(((left, y(share)), (room - 10, y(share))), "grid" if share else "line"))
        result.add(Text(left - 6, y(share) + 4, f"{100 * share:.0f} %", 10.5, "end", "muted"))
    for factor in _factors(last):
        result.add(Line(((x(factor), top), (x(factor), bottom)), "grid"))
        result.add(Text(x(factor), bottom + 16, f"{factor:g}×", 10.5, "middle", "muted"))
    for i, mine in enumerate(steps.values()):
        if mine:
            result.add(*_steps(mine, last, f"s{i % SERIES}", x, y, dashed=i >= SERIES or i % 2 == 1))
    result.height = _legend(result, [*steps], bottom + 28)
    return result


def _factors(last: float) -> list[float]:
    if last > 8:
        return [f for f in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0) if f <= last]
    step = 0.05 if last < 1.3 else 0.2 if last < 2 else 1.0
    return [round(1 + i * step, 2) for i in range(int((last - 1) / step) + 1)]


def _steps(
    mine: list[tuple[float, float]],
    last: float,
    role: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    *,
    dashed: bool,
) -> list[Line | Dots]:
    points: list[Point] = []
    reached = 0.0
    for ratio, share in mine:
        if ratio > last:
            break
        points += [(x(ratio), y(reached)), (x(ratio), y(share))]
        reached = share
    if not points:
        return []
    points.append((x(last), y(reached)))
    begin = points[1:] if mine[0][0] == 1.0 else points
    return [Line(tuple(begin), role, 2.0, dashed=dashed), Dots((begin[0],), 3.0, role)]


def _legend(result: Drawing, solvers: list[str], top: float) -> float:
    x, y = 4.0, top
    for i, solver in enumerate(solvers):
        shown = fit(solver, 150, 11.5)
        wide = 28 + width(shown, 11.5) + 14
        if x + wide > result.width:
            x, y = 4.0, y + 19
        dashed = i >= SERIES or i % 2 == 1
        result.add(Line(((x, y + 8), (x + 20, y + 8)), f"s{i % SERIES}", 2.5, dashed=dashed))
        result.add(Text(x + 26, y + 12, shown, 11.5, whole=None if shown == solver else solver))
        x += wide
    return y + 22
