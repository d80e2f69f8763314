"""Why a model is where it is: what one replica suffers and causes there, and where else it could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from planner.explain.moves import Candidates, Move, Moves
from planner.explain.parts import Group, Places, Share, Victim, caused, victims
from planner.explain.variants import NOBODY, RULE_NAMES, UNUSED, Ints
from planner.integers import PPM
from planner.plan_files import exact
from planner.rules import Violation

PLACES, OPTIONS, BLOCKED = 4, 5, 4  # how many are shown

Blocked = tuple[Move, tuple[Violation, ...]]


@dataclass(frozen=True)
class Option:
    """Another plan that differs by one replica, or by an exchange of two.

    Attributes
    ----------
    model, source
        Of which model a replica leaves which group.
    target, models
        The group that it goes to, and who lives there; an unused machine has nobody.
    back
        The model of which a replica comes back; None if none does.
    change, objective
        What the objective rises by, and what it is then.
    blocked_by
        The rules that the plan would break; empty if it may be made.
    """

    model: str
    source: str
    target: str
    models: dict[str, int]
    back: str | None
    change: Decimal
    objective: Decimal
    blocked_by: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Choices:
    """What may be done with one replica, and what would be better but breaks a rule.

    Attributes
    ----------
    options
        The best moves that may be made, the best first.
    blocked
        The best of those that would lower the objective but break rules: none of them is beaten by one that
        breaks the same rules or fewer.
    cheaper, cheaper_by_rule
        How many of those there are, and how many of them break each rule.
    tried, refused_by_rule
        How many moves there are in all, and how many of them break each rule.
    """

    options: tuple[Option, ...]
    blocked: tuple[Option, ...]
    cheaper: int
    cheaper_by_rule: dict[str, int]
    tried: int
    refused_by_rule: dict[str, int]


@dataclass(frozen=True)
class PlaceReport:
    """One replica of a model on one machine.

    Attributes
    ----------
    causes
        What it adds to the degradation of one replica of each neighbour.
    marginal, without
        What the objective would fall by without this replica, and what it would be.
    """

    group: Group
    it: Victim
    causes: tuple[Share, ...]
    marginal: Decimal
    without: Decimal
    choices: Choices


@dataclass(frozen=True)
class ModelReport:
    """Where a model lives, the places where it suffers most first; ``more`` of them are left out."""

    model: str
    replicas: int
    places: tuple[PlaceReport, ...]
    more: int


def model_report(moves: Moves, places: Places, model: int, only: Sequence[int] | None = None) -> ModelReport:
    """Return why a model is where it is.

    Parameters
    ----------
    only
        Look at these groups only; default: at all.
    """
    view = moves.view
    entries = np.flatnonzero(view.plan.model == model)
    if only is not None:
        entries = entries[np.isin(view.look.group[entries], only)]
    order = np.lexsort((-moves.marginal[entries], -view.look.suffered[entries]))
    shown = entries[order][:PLACES].tolist()
    named = view.instance.models[model]
    reports = tuple(_place(moves, places, e) for e in shown)
    return ModelReport(named.name, named.replicas, reports, entries.size - len(shown))


def _place(moves: Moves, places: Places, e: int) -> PlaceReport:
    view = moves.view
    g, model = int(view.look.group[e]), int(view.plan.model[e])
    name = view.instance.models[model].name
    adds = [
        Share(view.instance.models[u].name, view.pattern(g)[u] - (u == model), added / PPM)
        for u, added in caused(view, g, model).items()
    ]
    return PlaceReport(
        group=places.group(g),
        it=next(v for v in victims(view, g) if v.model == name),
        causes=tuple(sorted(adds, key=lambda share: -share.degradation)),
        marginal=money(int(moves.marginal[e])),
        without=money(view.objective - int(moves.marginal[e])),
        choices=choices(moves, places, [moves.leaving(g, model)]),
    )


def choices(moves: Moves, places: Places, many: Sequence[Candidates], most: int = OPTIONS) -> Choices:
    """Return the best of all these moves, and what stands in the way of better ones."""
    allowed = [move for candidates in many for move in moves.best(candidates, most)]
    blocked = [pair for candidates in many for pair in moves.blocked(candidates, BLOCKED)]
    allowed.sort(key=lambda move: move.change)
    blocked.sort(key=lambda pair: pair[0].change)
    change = np.concatenate([c.change for c in many])
    broken = np.concatenate([c.broken for c in many])
    cheaper = broken[(broken != 0) & (change < 0)]
    return Choices(
        options=tuple(option(moves, places, move) for move in allowed[:most]),
        blocked=tuple(option(moves, places, move, why) for move, why in _telling(blocked)[:BLOCKED]),
        cheaper=cheaper.size,
        cheaper_by_rule=_by_rule(cheaper),
        tried=broken.size,
        refused_by_rule=_by_rule(broken),
    )


def _telling(blocked: Sequence[Blocked]) -> list[Blocked]:
    """Return those that no move before them beats while breaking the same rules or fewer of them."""
    found: list[Blocked] = []
    for move, why in blocked:
        if not any({*better.broken} <= {*move.broken} for better, _ in found):
            found.append((move, why))
    return found


def _by_rule(broken: Ints) -> dict[str, int]:
    """Return how many masks hold each rule, the commonest first; without those that none holds."""
    found = {name: int((broken >> i & 1).sum()) for i, name in enumerate(RULE_NAMES)}
    return dict(sorted(((name, n) for name, n in found.items() if n), key=lambda item: -item[1]))


def option(moves: Moves, places: Places, move: Move, why: tuple[Violation, ...] = ()) -> Option:
    """Return a move as people read it."""
    view = moves.view
    names = [m.name for m in view.instance.models]
    there = {} if move.target == UNUSED else view.pattern(move.target)
    return Option(
        model=names[move.model],
        source=places.name(move.source),
        target=places.where(move.target, move.pool),
        models={names[t]: n for t, n in there.items()},
        back=None if move.back == NOBODY else names[move.back],
        change=money(move.change),
        objective=money(view.objective + move.change),
        blocked_by=why,
    )


def money(ppm: int) -> Decimal:
    """Return millionths of the objective as a decimal."""
    value = exact(ppm)
    assert value is not None
    return value
