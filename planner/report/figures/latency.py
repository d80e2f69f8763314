"""Predicted latency against SLO: from the latency alone to the predicted one, in per cent of the SLO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.plan_form import Outcome
from planner.report.drawing.shapes import Anchor, Blocks, Dots, Drawing, Line, Text, name_text, ticks
from planner.report.figures.figure import NARROW, WIDE, Figure, stem
from planner.report.text import count, milliseconds

_MOST = 25
_LEAST_SCALE = 1.1  # of the SLO; the line at 1 is always to be seen
_MOST_SCALE = 3.0  # what is beyond is drawn at the edge

Alone = Mapping[tuple[str, str], float]  #: (model, machine type) -> latency alone in ms


def latency(models: Sequence[Outcome], alone: Alone, case: str) -> Figure | None:
    """Return the figure; None if no model that is placed has an SLO."""
    limited = [m for m in models if m.replicas and m.slo_ms and m.latency_ms is not None]
    if not limited:
        return None
    limited.sort(key=lambda m: (-_share(m), m.name))
    shown = limited[:_MOST]
    return Figure(
        name=stem(case, "latency"),
        title="Predicted latency against SLO",
        wide=_draw(shown, alone, WIDE),
        narrow=_draw(shown, alone, NARROW),
        columns=("model", "machine_type", "alone_ms", "latency_ms", "slo_ms", "replicas", "misses"),
        rows=[
            (m.name, m.machine_type, _alone(m, alone), m.latency_ms, m.slo_ms, m.replicas, m.misses)
            for m in limited
        ],
        notes=(_notes(models, shown, len(limited), bool(alone)),) * 2,
    )


def _notes(models: Sequence[Outcome], shown: Sequence[Outcome], limited: int, alone: bool) -> str:
    begins = "The bar begins at its latency alone. " if alone else ""
    words = f"Each model's slowest replica, in per cent of its SLO. {begins}"
    if limited > _MOST:
        words += f"The {_MOST} closest to their SLO, or beyond it, of {limited:,}. "
    if _share(shown[0]) > _MOST_SCALE:
        words += f"Beyond {100 * _MOST_SCALE:g} % drawn at the edge. "
    without = sum(1 for m in models if m.replicas) - limited
    if without:
        words += f"{count(without, 'model')} without an SLO not shown."
    return words.strip()


def _share(m: Outcome) -> float:
    return (m.latency_ms or 0.0) / (m.slo_ms or 1.0)


def _alone(m: Outcome, alone: Alone) -> float | None:
    return alone.get((m.name, m.machine_type or ""))


def _draw(models: Sequence[Outcome], alone: Alone, room: float) -> Drawing:
    narrow = room == NARROW
    row, top = (40.0, 22.0) if narrow else (25.0, 22.0)
    left, right = (2.0, 12.0) if narrow else (210.0, 190.0)
    most = min(max(_LEAST_SCALE, *(_share(m) for m in models)), _MOST_SCALE)
    result = Drawing(room, top + len(models) * row + 4)

    def x(share: float) -> float:
        return left + (room - left - right) * min(share, most) / most

    for tick in ticks(0.0, most, 4 if narrow else 8):
        if abs(tick - 1) > 0.001 and not (narrow and tick > 1):
            anchor: Anchor = "start" if narrow and not tick else "middle"
            result.add(Text(x(tick), 14, f"{100 * tick:g} %", 11, anchor, "muted"))
    result.add(Text(x(1), 14, "SLO", 11.5, "middle", bold=True))
    for i, m in enumerate(models):
        y = top + i * row + (28 if narrow else row / 2)
        reach = (
            (y - 9, y + 9) if narrow else (y - row / 2 - 0.5, y + row / 2)
        )  # names stand above narrow bars
        marks = ticks(0.0, most, 4 if narrow else 8)
        result.add(*(Line(((x(tick), reach[0]), (x(tick), reach[1])), "grid") for tick in marks))
        result.add(Line(((x(1), reach[0]), (x(1), reach[1])), "ink", 1.5))
        colour = "bad" if m.misses else "accent"
        begin = (_alone(m, alone) or 0.0) / (m.slo_ms or 1.0)
        wide = max(x(_share(m)) - x(begin), 1.0)
        result.add(Blocks(((x(begin), y - 3.5, wide, 7.0),), colour if begin else "line", None, 3))
        result.add(Dots(((x(_share(m)), y),), 5.5, colour, "surface"))
        result.add(*_labels(m, y, left, room))
    return result


def _labels(m: Outcome, y: float, left: float, room: float) -> tuple[Text, ...]:
    missed = f", {m.misses:,} over" if m.misses else ""
    values = f"{milliseconds(m.latency_ms)} of {milliseconds(m.slo_ms)} ms{missed}"
    ink = "bad" if m.misses else "muted"
    if room == NARROW:
        name = name_text(2, y - 11, m.name, room - 170, 12)
        return name, Text(room - 2, y - 11, values, 11.5, "end", ink)
    name = name_text(left - 12, y + 4, m.name, left - 16, 12.5, anchor="end")
    return name, Text(room, y + 4, values, 12, "end", ink)
