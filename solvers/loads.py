"""Loads: how many replicas a machine can hold, and what a replica and its neighbours cost at least."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.compiled import Compiled
from solvers.terms import Ints

_SINGLE = 8
_GROWTH = 1.3


def cheapest(cost: Ints, models: Ints, most: Ints, number: int) -> Ints:
    """Return (n,): half of what each model and the ``number`` neighbours cheapest for it cost each other."""
    cost = cost[np.ix_(models, models)]
    both = cost + cost.T
    order = np.argsort(both, axis=1, kind="stable")
    before = np.cumsum(most[order], axis=1) - most[order]
    taken = np.clip(number - before, 0, most[order])
    result: Ints = (np.take_along_axis(both, order, axis=1) * taken).sum(axis=1) // 2
    return result


def ranges(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that cover the loads from ``low`` to ``high``: single ones, then wider and wider."""
    while low <= high:
        last = low if low <= _SINGLE else min(high, int(low * _GROWTH))
        yield low, last
        low = last + 1


def largest_load(c: Compiled, p: int) -> int:
    """Return an upper limit on the replicas that a machine of pool p can hold."""
    most = c.most_per_machine()[p]
    load = min(int(c.slots[p]), int(most.sum()))
    for r in range(len(c.resources)):
        demand = c.demand[c.type_of[p], :, r]
        order = np.argsort(demand, kind="stable")
        used = np.cumsum((demand * most)[order])
        fit = int(np.searchsorted(used, c.capacity[p, r], side="right"))
        number = int(most[order[:fit]].sum())
        if fit < order.size:
            room = int(c.capacity[p, r]) - (int(used[fit - 1]) if fit else 0)
            number += max(room, 0) // max(int(demand[order[fit]]), 1)
        load = min(load, number)
    return load
