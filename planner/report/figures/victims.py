"""Who hurts whom: the worst-hit models, each one's mean degradation split among its worst aggressors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.plan_form import Outcome
from planner.report.drawing.shapes import (
    ISOLATED,
    Anchor,
    Blocks,
    Dots,
    Drawing,
    Line,
    Text,
    fit,
    name_text,
    ticks,
    width,
)
from planner.report.figures.figure import NARROW, WIDE, Figure, stem
from planner.report.text import slowdown

_MOST = 12
_PARTS = ("d6", "d4", "d3", "line")  # the three worst aggressors, and all others together
_ROW = 48.0
_LEAST = 0.005  # share of a model's degradation


def victims(models: Sequence[Outcome], case: str) -> Figure | None:
    """Return the figure; None if nobody suffers."""
    hit = [m for m in models if m.replicas and m.worst_degradation > 0]
    if not hit:
        return None
    hit.sort(key=lambda m: (-m.worst_degradation, m.name))
    shown = hit[:_MOST]
    more = f" The {_MOST} worst hit of {len(hit):,}." if len(hit) > _MOST else ""
    note = "Bar: mean over a model's replicas, in the shares of those who cause it, background load aside; "
    note += "mark: its worst replica." + more
    return Figure(
        name=stem(case, "worst-hit"),
        title="Worst-hit models and who hurts them",
        wide=_draw(shown, WIDE),
        narrow=_draw(shown, NARROW),
        columns=("model", "replicas", "mean_degradation", "worst_degradation", "aggressor", "share"),
        rows=[
            (m.name, m.replicas, m.mean_degradation, m.worst_degradation, name, share)
            for m in hit
            for name, share in _causes(m)
        ],
        notes=(note, note),
    )


def _causes(m: Outcome) -> Iterator[tuple[str, float]]:
    """Yield who hurts a model and the share of each; the rest is of others, or of background load."""
    yield from ((a.model, a.share) for a in m.hurt_by if a.share >= _LEAST)
    rest = 1.0 - sum(a.share for a in m.hurt_by)
    if rest > _LEAST:
        yield ("others" if m.hurt_by else "background load"), rest


def _draw(models: Sequence[Outcome], room: float) -> Drawing:
    narrow = room == NARROW
    left, right, top = (2.0, 12.0, 20.0) if narrow else (210.0, 130.0, 20.0)
    row = _ROW + (14 if narrow else 0)
    most = max(m.worst_degradation for m in models)
    result = Drawing(room, top + len(models) * row)

    def x(value: float) -> float:
        return left + (room - left - right) * value / most

    for tick in ticks(0.0, most, 3 if narrow else 7):
        anchor: Anchor = "start" if narrow and not tick else "middle"
        result.add(Text(x(tick), 12, f"{100 * tick:g} %", 11, anchor, "muted"))
    for i, m in enumerate(models):
        y = top + i * row + (26 if narrow else 10)
        marks = ticks(0.0, most, 3 if narrow else 7)
        result.add(*(Line(((x(tick), y - 3), (x(tick), y + 16)), "grid") for tick in marks))
        at = x(0)
        for (_, share), fill in zip(_causes(m), _PARTS, strict=False):
            wide = x(m.mean_degradation * share) - x(0)
            result.add(Blocks(((at, y, max(wide - 1, 0.5), 13),), fill))
            at += wide
        worst = x(m.worst_degradation)
        result.add(
            Line(((at, y + 6.5), (worst, y + 6.5)), "line"), Dots(((worst, y + 6.5),), 4, "ink", "surface")
        )
        _label(result, m, y, left, room)
    return result


def _label(result: Drawing, m: Outcome, y: float, left: float, room: float) -> None:
    values = f"mean {slowdown(m.mean_degradation)}, worst {slowdown(m.worst_degradation)}"
    if room == NARROW:
        result.add(name_text(2, y - 8, m.name, room - width(values, 11.5) - 10, 12.5, bold=True))
        result.add(Text(room - 2, y - 8, values, 11.5, "end", "muted"))
    else:
        result.add(name_text(left - 12, y + 11, m.name, left - 16, 12.5, anchor="end", bold=True))
        result.add(Text(room, y + 5, f"worst {slowdown(m.worst_degradation)}", 12, "end"))
        result.add(Text(room, y + 21, f"mean {slowdown(m.mean_degradation)}", 12, "end", "muted"))
    at, end = left, room - (0 if room == NARROW else 130)
    for (name, share), fill in zip(_causes(m), _PARTS, strict=False):
        amount = f" {100 * share:.0f} %"
        space = min(end - at - 14 - width(amount, 11.5), 190.0)
        if space < 30:
            break
        shown = fit(name, space, 11.5)
        result.add(Blocks(((at, y + 20, 8, 8),), fill, None, 2))
        words = f"{ISOLATED[0]}{shown}{ISOLATED[1]}{amount}"
        result.add(Text(at + 12, y + 28, words, 11.5, fill="muted", whole=None if shown == name else name))
        at += 12 + width(shown, 11.5) + width(amount, 11.5) + 14
