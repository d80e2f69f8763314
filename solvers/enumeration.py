"""All patterns of a pool, load by load, for as long as they are few.

Every rule about one machine is monotone: a pattern that breaks one still does so with more replicas
on it. So the patterns of load n + 1 are those of load n with one more replica, and each is made once
if the replicas are added in the order of their models. A co-location factor that falls as machines fill
is no exception if, to grow, a pattern need only keep its SLOs at the least factor of its load or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled, multiplied
from planner.integers import PPM
from planner.plan import Plan
from solvers.needs import machines_needed
from solvers.terms import Ints


@dataclass(frozen=True)
class Patterns:
    """The patterns of one pool and one load.

    Attributes
    ----------
    members (N, load)
        The model of each replica: pinned ones first, then the others ascending.
    cost (N,)
        What a machine with the pattern adds to the objective; 0 when the objective is ``worst``.
    """

    members: Ints
    cost: Ints


def few_patterns(c: Compiled, p: int, at_most: int, limit: int = UNLIMITED) -> tuple[list[Patterns], bool]:
    """Return the feasible patterns of pool p by rising load, and whether these are all.

    Loads are left out from the first one on at which there are more than ``at_most`` in all, or four times as
    many to choose from.

    Parameters
    ----------
    limit
        No replica may suffer more degradation than this.
    """
    found: list[Patterns] = []
    pinned = np.repeat(np.arange(c.replicas.size), c.pinned[p])
    usable = np.flatnonzero(c.most_per_machine()[p])
    members = pinned[None, :]
    if pinned.size:
        members = members[may_be_together(c, p, members, limit, growing=True)]
        found += _listed(c, p, members, limit)
    most_made = 4 * at_most
    while members.shape[0]:
        last = members[:, -1] if members.shape[1] > pinned.size else np.full(members.shape[0], -1)
        following = usable.size - np.searchsorted(usable, last)
        if following.sum() > most_made:
            return found, False
        parent = np.repeat(np.arange(members.shape[0]), following)
        ends = np.cumsum(following)
        added = usable[usable.size - (np.repeat(ends, following) - np.arange(parent.size))]
        members = np.hstack([members[parent], added[:, None]])
        members = members[may_be_together(c, p, members, limit, growing=True)]
        at_most -= members.shape[0]
        if at_most < 0:
            return found, False
        found += _listed(c, p, members, limit)
    return found, True


def _listed(c: Compiled, p: int, members: Ints, limit: int) -> list[Patterns]:
    """Return what is feasible of patterns that may grow; nothing if none is."""
    if c.factored:
        members = members[may_be_together(c, p, members, limit)]
    return [Patterns(members, costs(c, p, members))] if members.shape[0] else []


@dataclass(frozen=True)
class Pattern:
    """A pattern of a pool: how many replicas of each model it holds, and its cost.

    The cost is what a machine with it adds to the objective; under the objective ``worst``, the largest
    degradation of a replica on it.
    """

    pool: int
    counts: dict[int, int]
    cost: int


def pattern_of(c: Compiled, p: int, counts: Mapping[int, int]) -> Pattern:
    """Return the pattern of pool p with these replicas of each model, whether it is feasible or not."""
    members = np.repeat(np.array([*counts], dtype=np.int64), np.array([*counts.values()], dtype=np.int64))
    return Pattern(p, dict(sorted(counts.items())), int(costs(c, p, members[None, :])[0]))


def all_patterns(c: Compiled, at_most: int) -> list[Pattern] | None:
    """Return all feasible patterns, if a formulation over them is possible, and None otherwise.

    It is not if there are more than ``at_most``, and if a model or a pool with pins has none.
    """
    listed: list[Pattern] = []
    pools = np.flatnonzero(machines_needed(c)).tolist()
    for p in pools:
        found, complete = few_patterns(c, p, at_most - len(listed))
        if not complete or (c.pinned[p].any() and not found):
            return None
        for patterns in found:
            costs = _suffered(c, p, patterns.members).max(axis=1) if c.worst else patterns.cost
            for members, cost in zip(patterns.members.tolist(), costs.tolist(), strict=True):
                listed.append(Pattern(p, dict(Counter(members)), cost))
    everyone = set(range(c.replicas.size))
    return listed if {t for pattern in listed for t in pattern.counts} == everyone else None


def levels(patterns: list[Pattern]) -> tuple[list[int], list[int]]:
    """Return the distinct costs, ascending, and for each pattern the position of its own among them."""
    distinct, level = np.unique([pattern.cost for pattern in patterns], return_inverse=True)
    return distinct.tolist(), level.tolist()


def most_machines(c: Compiled, pattern: Pattern) -> int:
    """Return how many machines could carry ``pattern``."""
    by_replicas = (int(c.replicas[t]) // n for t, n in pattern.counts.items())
    return min(int(c.machines[pattern.pool]), *by_replicas)


def carried(patterns: list[Pattern], plan: Plan) -> list[int]:
    """Return how many machines of a plan carry each of ``patterns``."""
    number = {(p, tuple(sorted(counts.items()))): n for p, n, counts in plan.patterns()}
    return [number.get((q.pool, tuple(sorted(q.counts.items()))), 0) for q in patterns]


def plan_of(patterns: list[Pattern], machines: list[int]) -> Plan:
    """Return the plan in which ``machines[i]`` machines carry pattern i."""
    return Plan.from_patterns((q.pool, n, q.counts) for q, n in zip(patterns, machines, strict=True))


def _sums(by: Ints, members: Ints) -> Ints:
    """Return (N, load): for each replica the sum of ``by[its model, model of each other]``."""
    total = np.zeros_like(members)
    total -= by[members, members]
    for j in range(members.shape[1]):
        total += by[members, members[:, j : j + 1]]
    return total


def _multiplied(c: Compiled, p: int, by: Ints, members: Ints, *, growing: bool = False) -> Ints:
    """Return (N, load): what the others add to each replica, by coefficients (K, T, T), times the factor.

    With ``growing``, the least factor of this load or a larger one.
    """
    k, load = int(c.type_of[p]), members.shape[1]
    sums = _sums(by[k], members)
    factor = c.least_factor(k, load, UNLIMITED if growing else load)
    return sums if factor == PPM else multiplied(sums, np.array(factor))


def _suffered(c: Compiled, p: int, members: Ints, *, growing: bool = False) -> Ints:
    suffered: Ints = _multiplied(c, p, c.degradation, members, growing=growing) + c.background[p, members]
    return suffered


def may_be_together(
    c: Compiled, p: int, members: Ints, limit: int, *, growing: bool = False
) -> NDArray[np.bool_]:
    """Return (N,): whether patterns (N, load) keep every rule; if ``growing``, they may when they grow."""
    k = c.type_of[p]
    slack = np.minimum(np.where(c.soft, UNLIMITED, c.slack[k]), limit)
    ok = c.allowed[p, members].all(axis=1) & (members.shape[1] <= c.slots[p])
    ok &= (c.demand[k][members].sum(axis=1) <= c.capacity[p]).all(axis=1)
    ok &= (_suffered(c, p, members, growing=growing) <= slack[members]).all(axis=1)
    same = np.zeros(members.shape, dtype=np.int64)
    for j in range(members.shape[1]):
        same += members == members[:, j : j + 1]
        ok &= ~c.apart[members, members[:, j : j + 1]].any(axis=1)
    result: NDArray[np.bool_] = ok & (same <= np.minimum(c.max_per_machine, c.replicas)[members]).all(axis=1)
    return result


def costs(c: Compiled, p: int, members: Ints) -> Ints:
    """Return (N,): what a machine of pool p with patterns (N, load) adds to the objective; 0 if ``worst``."""
    if c.worst:
        return np.zeros(members.shape[0], dtype=np.int64)
    k = c.type_of[p]
    missed = c.soft[members] & (_suffered(c, p, members) > c.slack[k][members])
    each = _multiplied(c, p, c.cost, members) + c.background_cost[p, members] + missed * c.miss_price[members]
    cost: Ints = each.sum(axis=1) + c.price[p]
    if c.arrival_price[p].any():
        same = np.zeros(members.shape, dtype=np.int64)  # replicas of the same model before each
        for j in range(members.shape[1]):
            same[:, j] = (members[:, :j] == members[:, j : j + 1]).sum(axis=1)
        cost = cost + (c.arrival_price[p, members] * (same >= c.here[p, members])).sum(axis=1)
    return cost
