"""A whole plan in a few lines: what its objective comes from, what binds, and whether a move improves it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from planner.compiled import UNLIMITED
from planner.explain.local import improvements
from planner.explain.moves import Moves
from planner.explain.parts import Group, Places, victims
from planner.explain.place import Option, money, option
from planner.explain.variants import Ints, View

PATTERNS, MODELS, SLOS, IMPROVEMENTS = 5, 5, 5, 3  # how many are shown


@dataclass(frozen=True)
class PatternLine:
    """A group of machines: what one costs, what all cost, and their share of the objective.

    The share is None for ``worst``, which is no sum, and where the objective is 0.
    """

    group: Group
    each: Decimal
    cost: Decimal
    share: float | None


@dataclass(frozen=True)
class ModelLine:
    """A model: what the objective would fall by without one replica, on average and at most, and where."""

    model: str
    replicas: int
    mean: float
    most: Decimal
    where: str


@dataclass(frozen=True)
class Usage:
    """The machines of a pool: how many there are and are used, and how many of those are full.

    Attributes
    ----------
    slots
        How many have no slot left; None if there is no limit.
    resources
        Of each resource, how many have less left than any model that may run there needs.
    """

    machine_type: str
    pinned: str | None
    machines: int
    used: int
    slots: int | None
    resources: dict[str, int]


@dataclass(frozen=True)
class SloLine:
    """The replica of a model that is nearest to its SLO, and who hurts it most there."""

    model: str
    where: str
    latency_ms: float
    slo_ms: float
    room_ms: float
    soft: bool
    hurt_by: str | None


@dataclass(frozen=True)
class Summary:
    """A plan as a whole.

    Attributes
    ----------
    misses, misses_cost
        Replicas over their soft SLO, and what they add to the objective.
    spread
        Models that live on no more machines than ``min_machines`` asks for.
    improvements
        The moves and exchanges that improve it most; empty if none does, None if they are too many to try.
    """

    objective: Decimal
    worst: bool
    patterns: tuple[PatternLine, ...]
    models: tuple[ModelLine, ...]
    usage: tuple[Usage, ...]
    slos: tuple[SloLine, ...]
    misses: int
    misses_cost: Decimal
    spread: tuple[str, ...]
    improvements: tuple[Option, ...] | None


def summary(moves: Moves, places: Places) -> Summary:
    """Return what there is to say of a plan in a few lines."""
    view = moves.view
    found = improvements(moves, IMPROVEMENTS)
    number = view.plan.count * view.plan.machines[view.look.group]
    missed = (view.look.suffered > _slack(view)) & view.c.soft[view.plan.model]
    names = [m.name for m in view.instance.models]
    bound = np.flatnonzero((view.spread == view.c.min_machines) & (view.c.min_machines > 0))
    return Summary(
        objective=money(view.objective),
        worst=view.c.worst,
        patterns=_patterns(view, places),
        models=_models(moves, places, number),
        usage=tuple(_usage(view, p) for p in range(view.c.machines.size)),
        slos=_slos(view, places),
        misses=int(number[missed].sum()),
        misses_cost=money(int((number * view.c.miss_price[view.plan.model])[missed].sum())),
        spread=tuple(names[t] for t in bound.tolist()),
        improvements=None if found is None else tuple(option(moves, places, move) for move in found),
    )


def _patterns(view: View, places: Places) -> tuple[PatternLine, ...]:
    total = view.costs if view.c.worst else view.costs * view.plan.machines
    shared = not view.c.worst and view.objective > 0
    return tuple(
        PatternLine(
            group=places.group(g),
            each=money(int(view.costs[g])),
            cost=money(int(total[g])),
            share=int(total[g]) / view.objective if shared else None,
        )
        for g in np.argsort(-total, kind="stable")[:PATTERNS].tolist()
        if total[g] > 0
    )


def _models(moves: Moves, places: Places, number: Ints) -> tuple[ModelLine, ...]:
    view = moves.view
    total = np.bincount(view.plan.model, weights=number * moves.marginal, minlength=view.c.replicas.size)
    lines = []
    for t in np.argsort(-total, kind="stable")[:MODELS].tolist():
        entries = np.flatnonzero(view.plan.model == t)
        e = int(entries[np.argmax(moves.marginal[entries])])
        model = view.instance.models[t]
        if moves.marginal[e] > 0:
            mean = float(total[t]) / 1e6 / model.replicas
            where = places.name(int(view.look.group[e]))
            lines.append(ModelLine(model.name, model.replicas, mean, money(int(moves.marginal[e])), where))
    return tuple(lines)


def _usage(view: View, p: int) -> Usage:
    c, plan = view.c, view.plan
    kind, pinned = c.pool_names[p]
    here = plan.pool == p
    machines, limited = plan.machines[here], int(c.slots[p]) < UNLIMITED
    demand = c.demand[c.type_of[p]][c.allowed[p]]  # of who may run there
    resources = {}
    for r, name in enumerate(c.resources):
        wanted = demand[:, r][demand[:, r] > 0]
        if wanted.size:
            full = c.capacity[p, r] - view.taken[here, r] < wanted.min()
            resources[name] = int(machines[full].sum())
    full = view.crowd[here] >= c.slots[p]
    return Usage(
        machine_type=kind,
        pinned=pinned,
        machines=int(c.machines[p]),
        used=int(machines.sum()),
        slots=int(machines[full].sum()) if limited else None,
        resources=resources,
    )


def _slack(view: View) -> Ints:
    slack: Ints = view.c.slack[view.look.kind[view.look.group], view.plan.model]
    return slack


def _slos(view: View, places: Places) -> tuple[SloLine, ...]:
    """Return the models whose nearest replica is nearest to its SLO, relative to it."""
    slack, suffered, model = _slack(view), view.look.suffered, view.plan.model
    limited = np.flatnonzero(slack < UNLIMITED)
    used = (1e6 + suffered[limited]) / np.maximum(1e6 + slack[limited], 1.0)
    lines: dict[str, SloLine] = {}
    for e in limited[np.argsort(-used, kind="stable")].tolist():
        name = view.instance.models[model[e]].name
        if name in lines:
            continue
        if len(lines) == SLOS:
            break
        g = int(view.look.group[e])
        it = next(v for v in victims(view, g) if v.model == name)
        if it.slo_ms is not None and it.room_ms is not None:
            by = next((s.model for s in it.hurt_by if s.degradation > 0), None)
            where = places.name(g)
            lines[name] = SloLine(name, where, it.latency_ms, it.slo_ms, it.room_ms, it.soft, by)
    return tuple(lines.values())
