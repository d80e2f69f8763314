"""Measured against predicted degradation: a point for each model in each measured pattern."""

from __future__ import annotations

from planner.report.drawing.palette import SERIES
from planner.report.drawing.shapes import Dots, Drawing, Line, Text, fit, ticks, width
from planner.report.figures.figure import NARROW, Figure, stem
from planner.report.forms import MeasuredVictim, ValidationFile

_PANEL = 470.0  # pixels
_LEFT, _TOP, _BOTTOM = 54.0, 12.0, 40.0


def measured(found: ValidationFile, name: str) -> Figure | None:
    """Return the figure; None if nothing was measured."""
    if not found.victims:
        return None
    note = "On the line, a prediction is exact; above it, it was too high."
    return Figure(
        name=stem(name, "measured"),
        title="Measured against predicted degradation",
        wide=_draw(found.victims, _PANEL),
        narrow=_draw(found.victims, NARROW),
        columns=("machine_type", "colocated", "model", "predicted", "measured", "latency_ms", "runs"),
        rows=[
            (v.machine_type, "|".join(v.members), v.model, v.predicted, v.measured, v.latency_ms, v.runs)
            for v in found.victims
        ],
        notes=(note, note),
    )


def _draw(victims: tuple[MeasuredVictim, ...], room: float) -> Drawing:
    side = room - _LEFT - 12
    values = [value for v in victims for value in (v.measured, v.predicted)]
    low, high = min(0.0, *values), max(0.01, *values)
    margin = (high - low) * 0.04
    low, high = low - (margin if low < 0 else 0), high + margin
    result = Drawing(room)

    def at(value: float) -> float:
        return side * (value - low) / (high - low)

    bottom = _TOP + side
    for tick in ticks(low, high, 6):
        x, y, words = _LEFT + at(tick), bottom - at(tick), f"{100 * tick:g} %"
        result.add(Line(((x, _TOP), (x, bottom)), "grid"), Line(((_LEFT, y), (_LEFT + side, y)), "grid"))
        result.add(Text(x, bottom + 16, words, 10.5, "middle", "muted"))
        result.add(Text(_LEFT - 6, y + 4, words, 10.5, "end", "muted"))
    ends = ((_LEFT, bottom), (_LEFT + side, _TOP))
    result.add(Line(ends, "line", 1.5))
    types = list(dict.fromkeys(v.machine_type for v in victims))
    for i, machine_type in enumerate(types):
        here = [v for v in victims if v.machine_type == machine_type]
        points = tuple((_LEFT + at(v.measured), bottom - at(v.predicted)) for v in here)
        result.add(Dots(points, 4.5, f"s{i % SERIES}", "surface", 0.85))
    result.add(
        Text(_LEFT + side, bottom + 33, "measured →", 11, "end"),
        Text(_LEFT + 6, _TOP + 12, "↑ predicted", 11),
    )
    result.height = _legend(result, types, bottom + _BOTTOM)
    return result


def _legend(result: Drawing, types: list[str], top: float) -> float:
    x, y = 4.0, top
    for i, machine_type in enumerate(types[:SERIES]):
        shown = fit(machine_type, 200, 11.5)
        wide = 18 + width(shown, 11.5) + 14
        if x + wide > result.width:
            x, y = 4.0, y + 19
        result.add(Dots(((x + 6, y + 8),), 4.5, f"s{i}"))
        result.add(Text(x + 16, y + 12, shown, 11.5, whole=None if shown == machine_type else machine_type))
        x += wide
    return y + 22
