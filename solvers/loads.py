"""Loads: how many replicas a machine can hold, and what a replica and its neighbours cost at least."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from solvers.terms import Ints

Order = NDArray[np.int32]

_SINGLE = 8
_GROWTH = 1.3


def nearest(cost: Ints) -> Order:
    """Return (T, T): for each model all models, those first with which the pair costs least."""
    order: Order = np.argsort(cost + cost.T, axis=1, kind="stable").astype(np.int32)
    return order


def cheapest(cost: Ints, order: Order, models: Ints, most: Ints, number: int) -> Ints:
    """Return (n,): half of what each model and the ``number`` neighbours cheapest for it cost each other.

    Parameters
    ----------
    order
        From :func:`nearest` of these costs.
    models (n,), most (T,)
        Who is asked for; how many replicas of each model can be neighbours.
    """
    near = order[models, : number + int((most == 0).sum())]
    before = np.cumsum(most[near], axis=1) - most[near]
    taken = np.clip(number - before, 0, most[near])
    both = cost[models[:, None], near] + cost[near, models[:, None]]
    half: Ints = (both * taken).sum(axis=1) // 2
    return half


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
