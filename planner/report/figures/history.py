"""Incumbent and bound over time, a panel for each solver, all on the same axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from planner.plan_form import History
from planner.report.cases import Case, Entry
from planner.report.drawing.shapes import Dots, Drawing, Line, Point, Text, name_text, ticks, width
from planner.report.figures.figure import NARROW, WIDE, Figure, stem
from planner.report.text import number, percent

_GAP = 18.0
_HIGH = 150.0
FIRST = 0.01  # seconds; what was earlier is drawn there
_LONG = 1e6  # larger numbers would not fit beside an axis
_ROOMY = 160.0  # pixels of a decade
_REACH = 0.5  # how far from the best plan values are drawn, relative to it


@dataclass(frozen=True)
class Course:
    """How one solve went: its improvements, how long it took in all, and where it stands."""

    solver: str
    moments: History
    seconds: float
    objective: Decimal | None
    bound: Decimal | None


@dataclass(frozen=True)
class _Axes:
    """From seconds and objectives to pixels."""

    x: Callable[[float], float]
    y: Callable[[float], float]
    low: float
    high: float
    first: float
    last: float


def history(case: Case, name: str) -> Figure | None:
    """Return the figure; None if no plan file tells of more than one moment."""
    known = [e for e in case.entries if e.form is not None and e.form.history and e.row.objective is not None]
    entries = [e for e in known if len(_moments(e)) > 1]
    if not entries:
        return None
    courses = [_course(e) for e in entries]
    low, high, cut = reach(courses, case.best)
    notes = "Solid: the best plan so far; dashed: the proven bound; between them, the gap. "
    notes += "Time is logarithmic. "
    notes += "Values beyond a panel are drawn at its edge. " if cut else ""
    if rest := [f"{e.solver} ({number(e.row.objective, 4)})" for e in known if e not in entries]:
        notes += f"One plan and no bound: {', '.join(rest)}."
    columns = min(4, len(entries))
    return Figure(
        name=stem(name, "history"),
        title="Incumbent and bound over time",
        wide=draw(courses, WIDE, columns, (low, high)),
        narrow=draw(courses, NARROW, min(2, columns), (low, high)),
        columns=("solver", "seconds", "objective", "bound"),
        rows=[(e.solver, *moment) for e in known for moment in _moments(e)],
        notes=(notes.strip(),) * 2,
    )


def _moments(entry: Entry) -> History:
    return entry.form.history if entry.form is not None else ()


def _course(entry: Entry) -> Course:
    row = entry.row
    return Course(entry.solver, _moments(entry), row.runtime_s, row.objective, row.bound)


def reach(courses: Sequence[Course], best: Decimal | None) -> tuple[float, float, bool]:
    """Return the objectives to draw, around the best plan, and whether others are left out.

    There must be a moment with a value.
    """
    values = [float(v) for c in courses for _, *pair in c.moments for v in pair if v is not None]
    low, high = min(values), max(values)
    if best is not None:
        away = float(best) * _REACH or 1.0
        low, high = max(low, float(best) - away), min(high, float(best) + away)
    margin = (high - low or abs(high) or 1.0) * 0.08
    return low - margin, high + margin, low > min(values) or high < max(values)


def draw(
    courses: Sequence[Course],
    room: float,
    columns: int,
    span: tuple[float, float],
    first: float = FIRST,
) -> Drawing:
    """Return a panel for each course, in so many columns, for objectives within a ``span``.

    Time begins at ``first`` seconds; what was earlier is drawn there.
    """
    result = Drawing(room)
    wide = (room - _GAP * (columns - 1)) / columns
    last = max(10 * first, *(max(c.seconds, c.moments[-1][0]) for c in courses))
    for i, course in enumerate(courses):
        panel = _panel(course, wide, span, (first, last), room)
        result.place(panel, (i % columns) * (wide + _GAP), (i // columns) * (panel.height + _GAP))
        result.height = max(result.height, (i // columns) * (panel.height + _GAP) + panel.height)
    return result


def _panel(
    course: Course, wide: float, span: tuple[float, float], times: tuple[float, float], room: float
) -> Drawing:
    high = _HIGH if wide < room else 220.0
    left, top, bottom = 52.0, 42.0, 22.0
    result = Drawing(wide, top + high + bottom)
    (low, above), (first, last) = span, times

    def x(seconds: float) -> float:
        share = math.log(max(seconds, first) / first) / math.log(last / first)
        return left + (wide - left - 6) * share

    def y(value: float) -> float:
        return top + high * (1 - (min(max(value, low), above) - low) / (above - low))

    axes = _Axes(x, y, low, above, first, last)
    _grid(result, axes, top + high, wide)
    _lines(result, course, axes)
    result.add(name_text(0, 13, course.solver, wide, 13, bold=True))
    result.add(name_text(0, 30, _stands(course), wide, 11.5, fill="muted"))
    return result


def _stands(course: Course) -> str:
    objective, bound = course.objective, course.bound
    if objective is None:
        return f"no plan, bound {number(bound, 4)}"
    if bound is None:
        return f"{number(objective, 4)}, no bound"
    gap = float((objective - bound) / objective) if objective else 0.0
    return f"{number(objective, 4)}, gap {percent(gap)}"


def _grid(result: Drawing, axes: _Axes, bottom: float, wide: float) -> None:
    marks = ticks(axes.low, axes.high, 4)
    digits = next((d for d in range(12) if all(math.isclose(round(v, d), v) for v in marks)), 12)
    for value in marks:
        result.add(Line(((52.0, axes.y(value)), (wide - 6, axes.y(value))), "grid"))
        words = f"{value:,.{digits}f}" if abs(value) < _LONG else f"{value:.3g}"
        result.add(Text(46, axes.y(value) + 4, words, 10.5, "end", "muted"))
    for seconds in _times(axes, wide):
        at, words = axes.x(seconds), f"{seconds:g} s"
        result.add(Line(((at, bottom), (at, bottom + 4)), "line"))
        inside = min(at, wide - width(words, 10.5) / 2)
        result.add(Text(inside, bottom + 16, words, 10.5, "middle", "muted"))
    result.add(Line(((52.0, bottom), (wide - 6, bottom)), "line"))


def _times(axes: _Axes, wide: float) -> list[float]:
    """Return the seconds to print: powers of ten, and 2 and 5 times them where there is room."""
    low, high = math.log10(axes.first), math.log10(axes.last)
    steps = (1, 2, 5) if (wide - 58) / (high - low) > _ROOMY else (1,)
    every = (step * 10.0**power for power in range(math.floor(low), math.floor(high) + 1) for step in steps)
    return [seconds for seconds in every if axes.first * 0.999 <= seconds <= axes.last * 1.001]


def _lines(result: Drawing, course: Course, axes: _Axes) -> None:
    moments = course.moments
    end = max(course.seconds, moments[-1][0])
    incumbents = _steps([(s, float(o)) for s, o, _ in moments if o is not None], end, axes)
    bounds = _steps([(s, float(b)) for s, _, b in moments if b is not None], end, axes)
    if bounds and incumbents:
        begin = max(incumbents[0][0], bounds[0][0])
        gap = (*_since(incumbents, begin), *reversed(_since(bounds, begin)))
        result.add(Line(gap, fill="tint", opacity=0.7))
    if bounds:
        result.add(Line(tuple(bounds), "s1", 2.0, dashed=True))
    if incumbents:
        result.add(Line(tuple(incumbents), "s0", 2.0), Dots((incumbents[-1],), 3.5, "s0"))


def _since(points: list[Point], begin: float) -> list[Point]:
    """Return the part of a line of steps that is not left of ``begin``."""
    before = [point for point in points if point[0] <= begin]
    return [(begin, before[-1][1]), *(point for point in points if point[0] > begin)]


def _steps(values: Sequence[tuple[float, float]], end: float, axes: _Axes) -> list[Point]:
    """Return a line that keeps a value until the next one comes."""
    points: list[Point] = []
    for seconds, value in values:
        at = (axes.x(seconds), axes.y(value))
        if points and points[-1][1] != at[1]:
            points.append((at[0], points[-1][1]))
        if not points or points[-1] != at:
            points.append(at)
    if points:
        points.append((axes.x(end), points[-1][1]))
    return points
