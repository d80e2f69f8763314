"""Loads: how many replicas a machine can hold, and what a replica and its neighbours cost at least."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from planner.integers import PPM
from solvers.terms import Ints

Order = NDArray[np.int32]

_SINGLE = 8
_GROWTH = 1.3
_ROWS = 256  # models that are sorted at once


def lessened(c: Compiled, by: Ints, k: int, low: int, high: int = UNLIMITED) -> Ints:
    """Return (T, T): coefficients ``by`` (K, T, T) of type k times the least factor of these loads."""
    factor = c.least_factor(k, low, high)
    result: Ints = by[k] if factor == PPM else by[k] * factor // PPM
    return result


def nearest(cost: Ints, number: int) -> Order:
    """Return (T, number): for each model those with which the pair costs least, the least first."""
    models, number = cost.shape[0], min(number, cost.shape[0])
    order = np.empty((models, number), dtype=np.int32)
    for rows in (slice(first, first + _ROWS) for first in range(0, models, _ROWS)):
        order[rows] = _least(cost[rows] + cost[:, rows].T, number)
    return order


def _least(values: Ints, number: int) -> Ints:
    """Return (n, number): where each row of values (n, T) is least, the least first, equals by position."""
    columns = values.shape[1]
    if not number or int(values.max()) >= UNLIMITED // columns:
        return np.argsort(values, axis=1, kind="stable")[:, :number]
    keys = np.partition(values * columns + np.arange(columns), number - 1, axis=1)[:, :number]
    keys.sort(axis=1)  # ten times faster than to sort positions, of equal values above all
    least: Ints = keys % columns
    return least


def cheapest(cost: Ints, order: Order, models: Ints, most: Ints, number: int) -> Ints:
    """Return (n,): half of what each model and the ``number`` neighbours cheapest for it cost each other.

    Parameters
    ----------
    order
        From :func:`nearest` of these costs, at least ``number`` and those of which there are none.
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
