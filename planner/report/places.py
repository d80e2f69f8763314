"""Why models are where they are and who shares a machine, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from planner.report.tables import table
from planner.report.text import count, milliseconds, number, plain, slowdown

if TYPE_CHECKING:
    from rich.table import Table

    from planner.explain.machine import GroupLine, GroupReport, MachineReport, Room
    from planner.explain.parts import Group, Share, Victim
    from planner.explain.place import Choices, ModelReport, Option, PlaceReport

Parts = Iterator["Table | str"]
_NAMES, _VICTIMS = 6, 12
LAST = ("~beside", "<exchanged for")
_LEAST = 0.0005  # degradations below round to 0.0 %


def model(found: ModelReport) -> Parts:
    """Yield why a model is where it is."""
    places = len(found.places) + found.more
    most = f"; the {len(found.places)} where it suffers most" if found.more else ""
    lives = f"lives on {count(places, 'group')} of machines{most}"
    yield plain(f"{found.model}: {count(found.replicas, 'replica')}, {lives}")
    for place in found.places:
        yield ""
        yield from _place(found.model, place)


def _place(name: str, place: PlaceReport) -> Parts:
    yield plain(_group(place.group))
    yield plain(f"  suffers   {_suffers(place.it)}")
    adds = [_adds(share) for share in place.causes if share.degradation >= _LEAST]
    yield plain(f"  causes    {_listed(adds) or 'nothing' if place.causes else 'nothing, it is alone'}")
    without = f"without this replica the objective would be {number(place.without)}"
    yield f"  costs     {number(place.marginal)}: {without}"
    yield from _choices(
        place.choices, f"Other places for this replica of {name}", "Better", ("change", "<to")
    )
    if not place.choices.options:
        yield f"  it can be nowhere else: {_refused(place.choices)}"
    elif place.choices.options[0].change >= 0:
        yield "  no single move or exchange of it improves the plan"


def _suffers(it: Victim) -> str:
    by = _most(it)
    by += [f"background {slowdown(it.background)}"] if it.background else []
    because = f", by {_listed(by)}" if by else ""
    return f"{slowdown(it.degradation)}{because}: {_against_slo(it)}"


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMES} more" if len(items) > _NAMES else ""
    return ", ".join(items[:_NAMES]) + more


def _against_slo(it: Victim) -> str:
    latency = f"{milliseconds(it.latency_ms)} ms"
    if it.slo_ms is None or it.room_ms is None:
        return f"{latency}, no SLO"
    slo = f"{'soft ' if it.soft else ''}SLO {milliseconds(it.slo_ms)} ms"
    return f"{latency}, {slo}, {_left_or_over(it.room_ms)}"


def _adds(share: Share) -> str:
    many = "" if share.replicas == 1 else f"each of {share.replicas} "
    return f"{many}{share.model} {slowdown(share.degradation)}"


def machine(found: MachineReport) -> Parts:
    """Yield who lives on some machines."""
    if not found.groups:
        yield plain(f"{found.what}: no machine carries a replica")
    if len(found.groups) > 1:
        yield _overview(found)
        if found.more:
            yield f"  ... and {count(found.more, 'more group')}"
    for group in found.details:
        yield ""
        yield from _detail(group)
    if rest := len(found.groups) + found.more - len(found.details):
        ask = f"--machine {shlex.quote(f'{found.what}#1')} and so on ask about one of them"
        yield plain(f"... and {count(rest, 'more group')}; {ask}")


def _overview(found: MachineReport) -> Table:
    left = [f"{room.what} left" for room in found.groups[0].room]
    columns = ("<group", "machines", "~models on each", "cost of each", *left, "<tightest SLO")
    rows = [
        (*group_cells(g.group), number(g.cost), *(number(r.left) for r in g.room), _tight(g))
        for g in found.groups
    ]
    title = plain(f"{found.what}: groups of machines that cost most")
    return table(title, columns, rows, spare=("tightest SLO",))


def _tight(line: GroupLine) -> str:
    it = line.tightest
    return "-" if it is None or it.room_ms is None else f"{it.model}, {_left_or_over(it.room_ms)}"


def _detail(found: GroupReport) -> Parts:
    yield plain(f"{_group(found.group)}: cost of each {number(found.cost)}")
    yield from _pairs(found.victims)
    yield plain(f"  room left: {_room_left(found.room)}")
    if found.tightest is not None:
        yield plain(f"  nearest to its SLO: {found.tightest.model}, {_against_slo(found.tightest)}")
    columns = ("change", "<replica", "<to")
    yield from _choices(found.taking, "Best to take away or exchange", "Better to take away", columns)
    if found.moved < len(found.victims):
        yield f"  (tried: {count(found.moved, 'model')} whose replicas cost most here)"
    if not found.taking.options:
        yield f"  nobody can be taken away: {_refused(found.taking)}"
    columns = ("change", "<replica", "<from")
    yield from _choices(found.bringing, "Best to bring here", "Better to bring here", columns)
    if not found.bringing.options:
        yield f"  nobody can be brought here: {_refused(found.bringing)}"


def _pairs(victims: Sequence[Victim]) -> Parts:
    """Yield who hurts whom: each pair where they are few, else who hurts the worst-hit most."""
    names = sorted(v.model for v in victims)
    few, loaded = len(names) <= _NAMES, any(v.background for v in victims)
    rows = []
    for v in victims if few else victims[:_VICTIMS]:
        by = {s.model: slowdown(s.degradation) for s in v.hurt_by}
        cells = [by.get(name, "-") for name in names] if few else [_listed(_most(v))]
        cells += [slowdown(v.background)] if loaded else []
        latency = (milliseconds(v.latency_ms), milliseconds(v.slo_ms), _ms(v.room_ms))
        who = v.model if v.replicas == 1 else f"{v.replicas} x {v.model}"
        rows.append((who, *cells, slowdown(v.degradation), *latency))
    sources = [f"from {name}" for name in names] if few else ["~from"]
    sources += ["background"] if loaded else []
    yield table("", ("<a replica of suffers", *sources, "in all", "latency ms", "SLO ms", "room ms"), rows)
    if len(victims) > len(rows):
        yield f"  ... and {count(len(victims) - len(rows), 'more model')} that suffer less"


def _most(it: Victim) -> list[str]:
    return [f"{s.model} {slowdown(s.degradation)}" for s in it.hurt_by if s.degradation >= _LEAST]


def _room_left(rooms: Sequence[Room]) -> str:
    parts = [f"{number(r.left)} of {number(r.has)} {r.what}" for r in rooms if r.has is not None]
    return ", ".join(parts) or "no limit"


def _refused(found: Choices) -> str:
    if not found.refused_by_rule:
        return "there is no move that changes anything"
    return f"{count(found.tried, 'move')}, all refused or without effect ({_by_rule(found.refused_by_rule)})"


def _choices(found: Choices, title: str, better: str, columns: Sequence[str]) -> Parts:
    if found.options:
        yield table(title, (*columns, *LAST), [option_cells(o, columns) for o in found.options])
    if found.cheaper:
        why = ["; ".join(f"{v.rule}: {v.message}" for v in o.blocked_by) for o in found.blocked]
        rows = [(*option_cells(o, columns), text) for o, text in zip(found.blocked, why, strict=True)]
        broken = _by_rule(found.cheaper_by_rule)
        title = f"{better} but blocked: {count(found.cheaper, 'move')} ({broken}); the best"
        yield table(title, (*columns, *LAST, "~because"), rows)


def _by_rule(found: dict[str, int]) -> str:
    return ", ".join(f"{rule} {n:,}" for rule, n in found.items())


def option_cells(o: Option, columns: Sequence[str]) -> tuple[str, ...]:
    """Return a move as cells of a table with these columns, and :data:`LAST`."""
    cells = {
        "change": signed(o.change),
        "<replica": o.model,
        "<from": o.source,
        "<to": o.target,
        "~beside": who(_beside(o)) or "nobody",
        "<exchanged for": "-" if o.back is None else o.back,
    }
    return tuple(cells[name] for name in (*columns, *LAST))


def _beside(o: Option) -> dict[str, int]:
    there = dict(o.models)
    if o.back is not None:
        there[o.back] -= 1
    return {name: n for name, n in there.items() if n}


def signed(value: Decimal) -> str:
    """Return a change with its sign; 0 has none."""
    return "0" if not value else ("+" if value > 0 else "-") + number(abs(value))


def group_cells(group: Group) -> tuple[str, int, str]:
    """Return a group's name, its machines, and who lives on each."""
    return named(group), group.machines, who(group.models)


def _group(group: Group) -> str:
    return f"{named(group)}: {count(group.machines, 'machine')} with {who(group.models)}"


def named(group: Group) -> str:
    """Return a group's name, with that of what is pinned there."""
    return group.name if group.pinned is None else f"{group.name} ({group.pinned})"


def who(models: dict[str, int]) -> str:
    """Return who lives on a machine, the most first."""
    most = sorted(models.items(), key=lambda item: -item[1])
    more = f" + {len(most) - _NAMES} more models" if len(most) > _NAMES else ""
    return " + ".join(name if n == 1 else f"{n} x {name}" for name, n in most[:_NAMES]) + more


def _left_or_over(room_ms: float) -> str:
    return f"{_ms(abs(room_ms))} ms {'left' if room_ms >= 0 else 'over'}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}"
