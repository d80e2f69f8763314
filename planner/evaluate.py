"""Objective and violations of a plan: the only definition of both.

The checker reads the instance's integers and the plan, and nothing of any solver. The rules are in
:mod:`planner.rules`; :func:`evaluate` runs them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled, multiplied
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan
from planner.rules import COUNTS, Look, Violation, broken, violations

if TYPE_CHECKING:
    from pandas import DataFrame

Ints = NDArray[np.int64]

_PAIRS_AT_ONCE = 4_000_000
_SAFE = float(2**61)


@dataclass(frozen=True)
class Verdict:
    """What an :class:`Evaluation` says of a plan as a whole."""

    objective: int | None
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class ModelOutcome:
    """What a plan means for one model.

    Degradations in ppm over its placed replicas; ``latency_ms`` is the highest predicted latency of
    any of them and ``machine_type`` where; ``misses`` counts replicas over the SLO; ``hurt_by`` holds
    the aggressors and the share of this model's total degradation that each causes, largest first.
    """

    name: str
    replicas: int
    mean_degradation: float
    worst_degradation: int
    latency_ms: float | None
    machine_type: str | None
    slo_ms: float | None
    misses: int
    hurt_by: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Evaluation:
    """What the checker found.

    Attributes
    ----------
    objective
        In millionths (ppm) of the instance's objective, exact; None if the plan holds so many
        replicas on a machine that it has no meaning (then ``violations`` says so).
    violations
        Empty for a valid plan.
    total_degradation
        Sum over replicas, in ppm, unweighted.
    mean_degradation, worst_degradation
        Over replicas, in ppm, unweighted.
    misses, machines_used, price
        Replicas over their SLO; machines that carry a replica; their price in millionths, unweighted.
    models
        One :class:`ModelOutcome` for each model of the instance, in its order.
    """

    objective: int | None
    violations: tuple[Violation, ...]
    total_degradation: int
    mean_degradation: float
    worst_degradation: int
    misses: int
    machines_used: int
    price: int
    models: tuple[ModelOutcome, ...]

    @property
    def valid(self) -> bool:
        """Whether the plan breaks no rule."""
        return not self.violations

    def to_frame(self) -> DataFrame:
        """Return one row for each model; see :func:`planner.frames.evaluation_frame`."""
        from planner.frames import evaluation_frame

        return evaluation_frame(self)


def evaluate(instance: Instance, plan: Plan) -> Evaluation:
    """Return the objective of ``plan``, what it means for every model, and every rule it breaks."""
    look = _seen(instance, plan)
    if not isinstance(look, Look):
        return Evaluation(None, look, 0, 0.0, 0, 0, 0, 0, ())
    suffered = look.suffered
    number = plan.count * plan.machines[look.group]
    missed = suffered > look.c.slack[look.kind[look.group], plan.model]
    n = max(int(number.sum()), 1)
    total = int((number * suffered).sum())
    return Evaluation(
        objective=_objective(look),
        violations=tuple(violations(look)),
        total_degradation=total,
        mean_degradation=total / n,
        worst_degradation=int(suffered.max(initial=0)),
        misses=int(number[missed].sum()),
        machines_used=int(plan.machines.sum()),
        price=_price(look),
        models=tuple(_outcomes(look, number, missed)),
    )


def verdict(instance: Instance, plan: Plan) -> Verdict:
    """Return the objective and the violations of :func:`evaluate`, which cost less than all of it."""
    look = _seen(instance, plan)
    if not isinstance(look, Look):
        return Verdict(None, look)
    return Verdict(_objective(look), tuple(violations(look)))


def _seen(instance: Instance, plan: Plan) -> Look | tuple[Violation, ...]:
    """Return the plan beside the instance, or why its objective has no meaning."""
    c = instance.compiled
    if unknown := tuple(_unknown(c, plan)):
        return unknown
    group = np.repeat(np.arange(len(plan)), np.diff(plan.start))
    if _countable(c, plan, group):
        return look_at(instance, plan)
    nothing = np.zeros(group.size, dtype=np.int64)
    found = tuple(violations(Look(instance, c, plan, group, c.type_of[plan.pool], nothing), COUNTS))
    return found or (Violation("size", "holds more replicas on a machine than can be counted"),)


def _unknown(c: Compiled, plan: Plan) -> Iterator[Violation]:
    """Yield the pools and models of a plan that its instance does not have."""
    for what, numbers, known in (
        ("pool", plan.pool, c.machines.size),
        ("model", plan.model, c.replicas.size),
    ):
        for number in np.unique(numbers[(numbers < 0) | (numbers >= known)]).tolist():
            yield Violation("known", f"{what} number {number}: the instance has {known}")


def _countable(c: Compiled, plan: Plan, group: Ints) -> bool:
    """Whether every sum over the plan stays within 64 bits; false only for an absurd plan."""
    crowd = np.bincount(group, weights=plan.count, minlength=len(plan)).max(initial=0.0)
    n = float((plan.count.astype(float) * plan.machines[group]).sum())
    amplified = crowd * max(float(c.factor.max()) / PPM, 1.0)
    per_replica = amplified * float(c.degradation.max(initial=0)) + float(c.background.max(initial=0))
    priced = amplified * float(c.cost.max(initial=0)) + float(c.background_cost.max(initial=0))
    priced += float(c.arrival_price.max(initial=0))
    used = float(plan.machines.sum()) * max(float(c.price.max(initial=0)), 1.0)
    demand = n * float(c.demand.max(initial=0))
    most = max(n * per_replica, n * (priced + float(c.miss_price.max(initial=0))) + used, demand)
    return bool(most < _SAFE)


def _factors(c: Compiled, plan: Plan) -> Ints:
    """Return the co-location factor of each group's machines in ppm, shape (G,)."""
    crowd = np.add.reduceat(plan.count, plan.start[:-1]) if len(plan) else plan.count
    factors: Ints = c.factor[c.type_of[plan.pool], np.minimum(crowd, c.factor.shape[1] - 1)]
    return factors


def pair_sums(c: Compiled, plan: Plan, coefficients: Ints) -> Ints:
    """Return what the others on its machine add to one replica of each entry, shape (E,), before any factor.

    ``coefficients`` (K, T, T) are ``degradation``, or its weighted counterpart ``cost``.
    """
    sizes, kind = np.diff(plan.start), c.type_of[plan.pool]
    sums = np.zeros(plan.model.size, dtype=np.int64)
    work = np.cumsum(sizes * sizes)
    first = 0
    while first < len(plan):
        done = int(work[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(work, done + _PAIRS_AT_ONCE, side="right")))
        entries = slice(int(plan.start[first]), int(plan.start[last]))
        model, count, size = plan.model[entries], plan.count[entries], sizes[first:last]
        per_victim = np.repeat(size, size)  # co-located entries that each entry looks at, itself included
        victim = np.repeat(np.arange(model.size), per_victim)
        opening = np.repeat(plan.start[first:last] - plan.start[first], size)
        ends = np.cumsum(per_victim)
        aggressor = np.repeat(opening - (ends - per_victim), per_victim) + np.arange(victim.size)
        on = np.repeat(np.repeat(kind[first:last], size), per_victim)
        added = coefficients[on, model[victim], model[aggressor]]
        added *= count[aggressor] - (victim == aggressor)
        sums[entries] = np.add.reduceat(added, ends - per_victim) if added.size else 0
        first = last
    return sums


def _in_all(c: Compiled, plan: Plan, sums: Ints, background: Ints) -> Ints:
    """Return what one replica of each entry suffers, from :func:`pair_sums` and ``background`` (P, T)."""
    sizes = np.diff(plan.start)
    if c.factored:
        sums = multiplied(sums, np.repeat(_factors(c, plan), sizes))
    suffered: Ints = sums + background[np.repeat(plan.pool, sizes), plan.model]
    return suffered


def _suffered(c: Compiled, plan: Plan) -> Ints:
    return _in_all(c, plan, pair_sums(c, plan, c.degradation), c.background)


def suffered(instance: Instance, plan: Plan) -> Ints:
    """Return the degradation in ppm of one replica of each entry of a valid plan, shape (E,)."""
    return _suffered(instance.compiled, plan)


def suffered_at(instance: Instance, plan: Plan, degradation: Ints) -> Ints:
    """Return the same at other degradations in ppm, shape (K, T, T)."""
    c = instance.compiled
    return _in_all(c, plan, pair_sums(c, plan, degradation), c.background)


def breaks(instance: Instance, pool: int, counts: Mapping[int, int]) -> bool:
    """Whether one machine of a pool with these replicas of models breaks a rule of single machines."""
    look = look_at(instance, Plan.from_patterns([(pool, 1, counts)]))
    return any(bool(found.any()) for found in broken(look).values())


def objective_of(instance: Instance, plan: Plan) -> int:
    """Return the objective in ppm of a plan that is known to be valid; checks nothing."""
    c = instance.compiled
    group = np.repeat(np.arange(len(plan)), np.diff(plan.start))
    plain = not (c.worst or c.soft.any())
    suffered = plan.count if plain else _suffered(c, plan)
    return _objective(Look(instance, c, plan, group, c.type_of[plan.pool], suffered))


def look_at(instance: Instance, plan: Plan, sums: Ints | None = None) -> Look:
    """Return ``plan`` beside ``instance``, with what every replica suffers; checks nothing.

    ``sums`` (E,) are :func:`pair_sums` of its degradations, where they are known already.
    """
    c = instance.compiled
    group = np.repeat(np.arange(len(plan)), np.diff(plan.start))
    sums = pair_sums(c, plan, c.degradation) if sums is None else sums
    return Look(instance, c, plan, group, c.type_of[plan.pool], _in_all(c, plan, sums, c.background))


def machine_costs(look: Look, sums: Ints | None = None) -> Ints:
    """Return the cost of one machine of each group in ppm, shape (G,).

    The objective is the sum of these over machines; if it is ``worst``, their maximum. ``sums`` (E,) are
    :func:`pair_sums` of costs, where they are known already.
    """
    c, plan = look.c, look.plan
    if not len(plan):
        return np.zeros(0, dtype=np.int64)
    if c.worst:
        worst: Ints = np.maximum.reduceat(look.suffered, plan.start[:-1])
        return worst
    sums = pair_sums(c, plan, c.cost) if sums is None else sums
    each = _in_all(c, plan, sums, c.background_cost)
    missed = (look.suffered > c.slack[look.kind[look.group], plan.model]) & c.soft[plan.model]
    each += np.where(missed, c.miss_price[plan.model], 0)
    pool = plan.pool[look.group]
    arrivals = np.maximum(plan.count - c.here[pool, plan.model], 0) * c.arrival_price[pool, plan.model]
    costs: Ints = np.add.reduceat(plan.count * each + arrivals, plan.start[:-1]) + c.price[plan.pool]
    return costs


def _objective(look: Look) -> int:
    costs = machine_costs(look)
    return int(costs.max(initial=0)) if look.c.worst else int((costs * look.plan.machines).sum())


def _price(look: Look) -> int:
    prices = np.array([round(m.price * PPM) for m in look.instance.machine_types], dtype=np.float64)
    return int((prices[look.kind] * look.plan.machines).sum())


def _outcomes(look: Look, number: Ints, missed: NDArray[np.bool_]) -> Iterator[ModelOutcome]:
    plan, instance = look.plan, look.instance
    order = np.argsort(plan.model, kind="stable")
    bounds = np.searchsorted(plan.model[order], np.arange(len(instance.models) + 1))
    hurt = _hurt_by(look, number)
    for t, model in enumerate(instance.models):
        mine = order[bounds[t] : bounds[t + 1]]
        n = int(number[mine].sum())
        latency, place = None, None
        for k in np.unique(look.kind[look.group[mine]]).tolist():
            alone = model.latency_ms.get(instance.machine_types[k].name)
            if alone is None:
                continue
            worst = int(look.suffered[mine][look.kind[look.group[mine]] == k].max())
            predicted = alone * (1 + worst / PPM)
            if latency is None or predicted > latency:
                latency, place = predicted, instance.machine_types[k].name
        yield ModelOutcome(
            name=model.name,
            replicas=n,
            mean_degradation=float((number[mine] * look.suffered[mine]).sum()) / max(n, 1),
            worst_degradation=int(look.suffered[mine].max(initial=0)),
            latency_ms=latency,
            machine_type=place,
            slo_ms=model.slo_ms,
            misses=int(number[mine][missed[mine]].sum()),
            hurt_by=hurt[t],
        )


def _hurt_by(look: Look, number: Ints) -> list[tuple[tuple[str, float], ...]]:
    """Return for each model its three worst aggressors and their share of its degradation."""
    c, plan, instance = look.c, look.plan, look.instance
    caused = np.zeros((len(instance.models), len(instance.models)))
    sizes, factor = np.diff(plan.start), _factors(c, plan)
    for size in np.unique(sizes).tolist():
        chosen = np.flatnonzero(sizes == size)
        for rows in np.array_split(chosen, max(1, chosen.size * size * size // _PAIRS_AT_ONCE)):
            at = plan.start[rows][:, None] + np.arange(size)
            model, count = plan.model[at], plan.count[at]
            added = c.degradation[look.kind[rows][:, None, None], model[:, :, None], model[:, None, :]]
            added = added * (count[:, None, :] - np.eye(size, dtype=np.int64)) * number[at][:, :, None]
            share = added * (factor[rows, None, None] / PPM)
            flat = (model[:, :, None] * len(instance.models) + model[:, None, :]).ravel()
            np.add.at(caused.reshape(-1), flat, share.ravel())
    result = []
    for t in range(len(instance.models)):
        total = caused[t].sum()
        aggressors = np.flatnonzero(caused[t])
        worst = aggressors[np.argsort(-caused[t, aggressors], kind="stable")[:3]].tolist()
        result.append(tuple((instance.models[u].name, float(caused[t, u] / total)) for u in worst))
    return result
