"""Who shares a machine: who hurts whom, what room is left, whom to take away or to bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from planner.compiled import UNLIMITED
from planner.explain.moves import Moves
from planner.explain.parts import Group, Places, Victim, victims
from planner.explain.place import Choices, choices, money
from planner.explain.variants import View
from planner.integers import PPM

GROUPS, DETAILS, OPTIONS = 20, 3, 3  # how many are shown
MOVED = 8  # models of which it is tried to take a replica away, those that cost most


@dataclass(frozen=True)
class Room:
    """What a machine has of something and what is left of it; None where there is no limit."""

    what: str
    has: float | None
    left: float | None


@dataclass(frozen=True)
class GroupReport:
    """One of the machines that carry a pattern.

    Attributes
    ----------
    cost
        What one such machine adds to the objective (``worst``: its largest degradation).
    victims
        Who lives there, the worst-hit first; each says who hurts it.
    tightest
        Who is nearest to its SLO there; None if nobody has one.
    moved
        Of how many of the models there it was tried to take a replica away, those that cost most.
    taking, bringing
        The best moves and exchanges of a replica that lives there, and the best relocations to it.
    """

    group: Group
    cost: Decimal
    victims: tuple[Victim, ...]
    room: tuple[Room, ...]
    tightest: Victim | None
    moved: int
    taking: Choices
    bringing: Choices


@dataclass(frozen=True)
class GroupLine:
    """A group in one line."""

    group: Group
    cost: Decimal
    room: tuple[Room, ...]
    tightest: Victim | None


@dataclass(frozen=True)
class MachineReport:
    """Groups of machines, those that cost most first; ``more`` are left out, of ``details`` all is said."""

    what: str
    groups: tuple[GroupLine, ...]
    more: int
    details: tuple[GroupReport, ...]


def machine_report(moves: Moves, places: Places, what: str, groups: Sequence[int]) -> MachineReport:
    """Return what there is to say of some groups of machines."""
    view = moves.view
    order = sorted(groups, key=lambda g: -int(view.costs[g]))
    lines = tuple(_line(view, places, g) for g in order[:GROUPS])
    details = tuple(group_report(moves, places, g) for g in order[:DETAILS])
    return MachineReport(what, lines, len(order) - len(lines), details)


def _line(view: View, places: Places, g: int) -> GroupLine:
    return GroupLine(places.group(g), money(int(view.costs[g])), room(view, g), tightest(victims(view, g)))


def group_report(moves: Moves, places: Places, g: int) -> GroupReport:
    """Return all that there is to say of one machine of a group."""
    view = moves.view
    there = victims(view, g)
    first, last = int(view.plan.start[g]), int(view.plan.start[g + 1])
    costly = first + np.argsort(-moves.marginal[first:last], kind="stable")[:MOVED]
    leaving = [moves.leaving(g, t) for t in view.plan.model[costly].tolist()]
    return GroupReport(
        group=places.group(g),
        cost=money(int(view.costs[g])),
        victims=tuple(sorted(there, key=lambda v: -v.degradation)),
        room=room(view, g),
        tightest=tightest(there),
        moved=costly.size,
        taking=choices(moves, places, leaving, OPTIONS),
        bringing=choices(moves, places, [moves.arriving(g)], OPTIONS),
    )


def room(view: View, g: int) -> tuple[Room, ...]:
    """Return the slots and resources of one machine of a group, and what is left of them."""
    c, p = view.c, int(view.plan.pool[g])
    slots = int(c.slots[p])
    free = None if slots >= UNLIMITED else float(slots - view.crowd[g])
    found = [Room("slots", None if free is None else float(slots), free)]
    for r, name in enumerate(c.resources):
        has, used = int(c.capacity[p, r]), int(view.taken[g, r])
        found.append(Room(name, has / PPM, (has - used) / PPM))
    return tuple(found)


def tightest(there: Sequence[Victim]) -> Victim | None:
    """Return who is nearest to its SLO, relative to it."""
    limited = [(v.latency_ms / v.slo_ms, v) for v in there if v.slo_ms is not None]
    return max(limited, key=lambda pair: pair[0])[1] if limited else None
