"""Machines of a plan with one replica taken away, one added, or both, judged by the checker in bulk.

Every change of a plan that moves one replica, or exchanges two, changes two machines. What each of them
costs and which rules it breaks depends on that machine alone, so all changes are judged from a list of
single machines: :func:`planner.evaluate.machine_costs` and :func:`planner.rules.broken` say all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from planner.evaluate import look_at, machine_costs, pair_sums
from planner.instance import Instance
from planner.plan import Plan
from planner.rules import RULES, Look, broken, crowds, taken

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOBODY = -1  #: no model is taken away, or none is added
UNUSED = -1  #: the machine carries no pattern yet
RULE_NAMES = tuple(rule.__name__.lstrip("_") for rule in RULES)
_AT_ONCE = 500_000  # entries of patterns


def bit(rule: str) -> int:
    """Return the bit that stands for a rule in a mask of broken rules."""
    return 1 << RULE_NAMES.index(rule)


def names_of(mask: int) -> tuple[str, ...]:
    """Return the rules in a mask."""
    return tuple(name for i, name in enumerate(RULE_NAMES) if mask >> i & 1)


@dataclass(frozen=True)
class View:
    """A valid plan beside its instance, with what moves need worked out once."""

    instance: Instance
    plan: Plan
    c: Compiled = field(init=False, repr=False)
    look: Look = field(init=False, repr=False)
    sums: Ints = field(init=False, repr=False)  # (E,) pair sums of degradations, ppm
    priced: Ints = field(init=False, repr=False)  # (E,) pair sums of costs, ppm
    costs: Ints = field(init=False, repr=False)  # (G,) of one machine of each group, ppm

    def __post_init__(self) -> None:
        c = self.instance.compiled
        sums = pair_sums(c, self.plan, c.degradation)
        priced = sums if c.cost is c.degradation else pair_sums(c, self.plan, c.cost)
        look = look_at(self.instance, self.plan, sums)
        costs = machine_costs(look, priced)
        values = {"c": c, "look": look, "sums": sums, "priced": priced, "costs": costs}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def objective(self) -> int:
        """The objective of the plan in ppm."""
        if self.c.worst:
            return int(self.costs.max(initial=0))
        return int((self.costs * self.plan.machines).sum())

    @cached_property
    def unused(self) -> Ints:
        """Machines of each pool that carry nothing, shape (P,)."""
        used = np.bincount(self.plan.pool, weights=self.plan.machines, minlength=self.c.machines.size)
        unused: Ints = self.c.machines - used.astype(np.int64)
        return unused

    @cached_property
    def spread(self) -> Ints:
        """Machines that each model lives on, shape (T,)."""
        spread = np.zeros(self.c.replicas.size, dtype=np.int64)
        np.add.at(spread, self.plan.model, self.plan.machines[self.look.group])
        return spread

    @cached_property
    def crowd(self) -> Ints:
        """Replicas on each machine of a group, shape (G,)."""
        return crowds(self.look)

    @cached_property
    def taken(self) -> Ints:
        """What each machine of a group needs of each resource, in millionths, shape (G, R)."""
        return taken(self.look)

    def pattern(self, g: int) -> dict[int, int]:
        """Return model -> replicas on each machine of group g."""
        span = slice(int(self.plan.start[g]), int(self.plan.start[g + 1]))
        return dict(zip(self.plan.model[span].tolist(), self.plan.count[span].tolist(), strict=True))

    def count(self, group: Ints, model: Ints) -> Ints:
        """Return the replicas of ``model`` on each machine of ``group``, element by element; 0 if unused."""
        models = self.c.replicas.size
        keys = self.look.group * models + self.plan.model  # ascending, as plans are
        wanted = np.where(group == UNUSED, -1, group * models + model)
        at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
        found: Ints = np.where(keys[at] == wanted, self.plan.count[at], 0) if keys.size else 0 * wanted
        return found


@dataclass(frozen=True)
class Variants:
    """V machines: each one of ``group`` (or unused, of ``pool``) without ``out`` and with ``into``.

    Attributes
    ----------
    cost (V,)
        What the machine costs then, in ppm.
    broken (V,)
        The rules that it breaks then, as a mask of :func:`bit`.
    known (V,)
        False where a model would be that has no latency, or no degradation beside those there: then the
        cost means nothing.
    """

    group: Ints
    pool: Ints
    out: Ints
    into: Ints
    cost: Ints
    broken: Ints
    known: Bools


def judge(view: View, group: Ints, pool: Ints, out: Ints, into: Ints) -> Variants:
    """Return what the checker says of these machines; arguments as in :class:`Variants`."""
    order = np.argsort(pool, kind="stable")  # a plan's groups ascend by pool
    size = np.where(group == UNUSED, 0, np.diff(view.plan.start)[group]) + 2
    pieces = np.cumsum(size[order]) // _AT_ONCE
    cost, mask = np.zeros(group.size, dtype=np.int64), np.zeros(group.size, dtype=np.int64)
    known = np.ones(group.size, dtype=bool)
    for rows in np.split(order, np.flatnonzero(np.diff(pieces)) + 1):
        if rows.size:
            found = _judged(view, group[rows], pool[rows], out[rows], into[rows])
            cost[rows], mask[rows], known[rows] = found
    return Variants(group, pool, out, into, cost, mask, known)


def _judged(view: View, group: Ints, pool: Ints, out: Ints, into: Ints) -> tuple[Ints, Ints, Bools]:
    machines = _Machines(view, group, pool, out, into)
    cost, mask = np.zeros(group.size, dtype=np.int64), np.zeros(group.size, dtype=np.int64)
    crowded = machines.crowded
    pins = view.c.pinned.sum(axis=1)[pool]
    mask[~crowded & (pins > 0)] = bit("pinned")  # nobody is left where somebody is pinned
    sums = machines.sums(view.sums, view.c.degradation)
    priced = sums if view.c.cost is view.c.degradation else machines.sums(view.priced, view.c.cost)
    look = look_at(view.instance, machines.plan, sums)
    cost[crowded] = machine_costs(look, priced)
    for rule, breaks in broken(look).items():
        mask[crowded] |= np.where(breaks, bit(rule), 0)
    known = np.ones(group.size, dtype=bool)
    known[crowded] = _known(view.instance, look, into[crowded])
    return cost, mask, known


class _Machines:
    """A plan with one machine for each variant that carries anything (``crowded``, shape (V,))."""

    def __init__(self, view: View, group: Ints, pool: Ints, out: Ints, into: Ints) -> None:
        plan, models = view.plan, view.c.replicas.size
        self._view, self._pool, self._out, self._into = view, pool, out, into
        on = np.flatnonzero(group != UNUSED)
        size = np.diff(plan.start)[group[on]]
        ends = np.cumsum(size)
        self._old = np.repeat(plan.start[group[on]] - (ends - size), size) + np.arange(int(size.sum()))
        self._old_variant = np.repeat(on, size)
        less, more = np.flatnonzero(out != NOBODY), np.flatnonzero(into != NOBODY)
        old = self._old_variant * models + plan.model[self._old]
        key = np.concatenate([old, less * models + out[less], more * models + into[more]])
        step = np.concatenate([plan.count[self._old], np.full(less.size, -1), np.full(more.size, 1)])
        self._order = np.argsort(key, kind="stable")  # of an entry's rows the old one comes first
        key, step = key[self._order], step[self._order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        count = np.add.reduceat(step, first) if first.size else step
        self._rows = first[count > 0]
        self._variant, model = np.divmod(key[self._rows], models)
        self.crowded = np.zeros(group.size, dtype=bool)
        self.crowded[self._variant] = True
        sizes = np.bincount(self._variant, minlength=group.size)[self.crowded]
        ones = np.ones(sizes.size, dtype=np.int64)
        start = np.concatenate([[0], np.cumsum(sizes)])
        self.plan = Plan(pool[self.crowded], ones, start, model, count[count > 0])

    def sums(self, before: Ints, coefficients: Ints) -> Ints:
        """Return the pair sums of ``plan`` from those of the view's plan, ``before``."""
        row = self._order[self._rows]
        new = row >= self._old.size
        sums = np.zeros(row.size, dtype=np.int64)
        sums[~new] = before[self._old[row[~new]]]
        variant, model = self._variant, self.plan.model
        kind = self._view.c.type_of[self._pool[variant]]
        out, into = self._out[variant], self._into[variant]
        sums += np.where((into != NOBODY) & ~new, coefficients[kind, model, into], 0)
        sums -= np.where(out != NOBODY, coefficients[kind, model, out], 0)
        sums[new] += self._welcome(coefficients)[variant[new]]
        return sums

    def _welcome(self, coefficients: Ints) -> Ints:
        """Return what those who live on each variant's machine add to a replica of ``into``, shape (V,)."""
        plan, variant = self._view.plan, self._old_variant
        total = np.zeros(self._pool.size, dtype=np.int64)
        first = np.flatnonzero(np.diff(variant, prepend=-1))
        if first.size:
            kind, model = self._view.c.type_of[self._pool[variant]], plan.model[self._old]
            added = coefficients[kind, self._into[variant], model] * plan.count[self._old]
            total[variant[first]] = np.add.reduceat(added, first)
        return total


def _known(instance: Instance, look: Look, into: Ints) -> Bools:
    """Return which machines hold nobody whose latency or degradation there is unknown, shape (G,)."""
    known = np.ones(into.size, dtype=bool)
    strange = ~look.c.permitted[look.kind, into] & (into != NOBODY)
    if not strange.any():
        return known
    added, kind, model = into[look.group], look.kind[look.group], look.plan.model
    alone = (model == added) & (look.plan.count == 1)
    missing = np.isnan(instance.degradation[kind, added, model]) | np.isnan(
        instance.degradation[kind, model, added]
    )
    latency = np.array(
        [[kind.name in m.latency_ms for m in instance.models] for kind in instance.machine_types]
    )
    gap = np.logical_or.reduceat(missing & ~alone, look.plan.start[:-1]) | ~latency[look.kind, into]
    known[strange] = ~gap[strange]
    return known
