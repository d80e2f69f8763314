"""Drift: local search's moves where machines hold many replicas and only pairs and room matter.

A step takes a random replica and a random machine and asks what it would cost to go there. The sums that
the fleet keeps per machine and model (``pull``) answer with two memory reads, so that tens of millions of
steps a second are refused or accepted as Metropolis would.

Full machines take nobody, and exchanges are refused almost always, so what limits a machine is *soft*: it
may hold up to ``_SPARE`` replicas more than its slots and resources allow, at a price of
``PRESSURE`` temperatures times the square of each excess, counted in mean replicas. States in which nothing
exceeds a limit come by again and again; the best of them is kept. Rules and SLOs stay hard:
:func:`solvers.anneal.attempt` knows them.

The temperatures follow from the instance: the first is doubled or halved until a share ``_RESTLESS`` of the
steps moves.

Source: D. S. Johnson, C. R. Aragon, L. A. McGeoch, C. Schevon, "Optimization by Simulated Annealing: an
Experimental Evaluation; Part I, Graph Partitioning", Operations Research 37, 1989, for soft limits.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from solvers import anneal
from solvers.anneal import Search, draw
from solvers.fleet import CROWD, NONE, POOL, USED, Fleet, fits, step
from solvers.terms import KIND, PRICE, Ints, Terms, kernel

_SPARE = 4  # mean replicas that a machine may hold beyond its limits
PRESSURE = 0.3  # what the square of an excess costs, in temperatures at the start
_RARE = np.exp(-3.0)  # probability of a step that costs three temperatures
NOTHING = np.iinfo(np.int64).max
_RESTLESS, _SAMPLE = 0.4, 20_000


class Record(NamedTuple):
    """The true limits, and the best state that keeps them. P pools, R resources, N replicas."""

    limit: Ints  # (P, 1 + R): slots, then capacity of each resource
    unit: NDArray[np.float64]  # (1 + R,): what a mean replica takes of each
    alone: Ints  # (P, T, 2): background cost of a replica; and less what one of its own model costs it
    over: Ints  # (M,): how many limits each machine exceeds
    exceeded: Ints  # (1,): their sum
    where: Ints  # (N,): where the replicas were in the best state
    cost: Ints  # (1,): its cost; NOTHING if there is none


def suits(c: Compiled) -> bool:
    """Whether pairs, background, price, slots, resources and permissions are all that matters."""
    tracked = c.worst or c.factored or bool((c.slack < UNLIMITED).any() or c.apart.any())
    tracked = tracked or bool(c.arrival_price.any())
    counted = bool((c.min_machines > 1).any() or (c.max_per_machine < c.replicas).any())
    return not tracked and not counted


def softened(c: Compiled) -> Compiled:
    """Return the problem with room for some replicas more on each machine."""
    slots = np.minimum(c.slots, c.replicas.sum())
    room = _SPARE * _units(c)
    return dataclasses.replace(
        c, slots=slots + _SPARE, capacity=c.capacity + np.ceil(room[1:]).astype(np.int64)[None, :]
    )


def _units(c: Compiled) -> NDArray[np.float64]:
    """Return (1 + R,): one slot, and what a mean replica takes of each resource."""
    mean = np.average(c.demand.mean(axis=0), axis=0, weights=np.maximum(c.replicas, 1))
    return np.concatenate([[1.0], np.maximum(mean, 1.0)])


def record(c: Compiled, fleet: Fleet, search: Search) -> Record:
    """Return the record of a search on machines softened from those of ``c``, in the state that it is in."""
    slots = np.minimum(c.slots, c.replicas.sum())
    limit = np.column_stack([slots, c.capacity])
    held = fleet.machine[:, [CROWD, *range(USED, fleet.machine.shape[1])]]
    over = (held > limit[fleet.machine[:, POOL]]).sum(axis=1)
    both = 2 * np.diagonal(c.cost, axis1=1, axis2=2)[c.type_of]
    alone = np.stack([c.background_cost, c.background_cost - both], axis=2)
    return Record(
        limit, _units(c), alone, over, np.array([over.sum()]), search.where.copy(), np.array([NOTHING])
    )


def restless(x: Terms, f: Fleet, s: Search, d: Record, scale: float, penalty: int) -> float | None:
    """Return a temperature at which many steps move, found by trying from ``scale`` on; None if none does."""

    def moved(temperature: float) -> float:
        return drift(x, f, s, d, _SAMPLE, temperature, temperature, PRESSURE * temperature, penalty) / _SAMPLE

    return anneal.restless(moved, _RESTLESS, scale, within=1.1)


@kernel
def _costs(x: Terms, f: Fleet, d: Record, m: int, n: int, t: int, penalty: int) -> int:
    """Return what moving a replica of t from machine m, or from nowhere, to n costs."""
    p = f.machine[n, POOL]
    cost = f.pull[t, n] + d.alone[p, t, 0]
    if f.machine[n, CROWD] == 0:
        cost += x.pool[p, PRICE]
    if m == NONE:
        return int(cost - penalty)
    p = f.machine[m, POOL]
    cost -= f.pull[t, m] + d.alone[p, t, 1]
    if f.machine[m, CROWD] == 1:
        cost -= x.pool[p, PRICE]
    return int(cost)


@kernel
def _excess(x: Terms, f: Fleet, d: Record, m: int, t: int, sign: int) -> tuple[float, int]:
    """Return how the squared excesses of machine m, and the limits exceeded, change as t comes or leaves."""
    squares, over = 0.0, 0
    if m != NONE:
        p = f.machine[m, POOL]
        k = x.pool[p, KIND]
        for r in range(d.unit.size):
            before = (f.machine[m, CROWD] if r == 0 else f.machine[m, USED + r - 1]) - d.limit[p, r]
            after = before + sign * (1 if r == 0 else x.demand[k, t, r - 1])
            if after > 0:
                squares += (after / d.unit[r]) ** 2
                over += 1
            if before > 0:
                squares -= (before / d.unit[r]) ** 2
                over -= 1
    return squares, over


@kernel
def _hop(x: Terms, f: Fleet, s: Search, a: int, n: int, cost: int) -> None:
    """Move replica a to machine n; bring up to date what this module looks at, and nothing else."""
    t, m = s.who[a], s.where[a]
    if m == NONE:
        s.penalised[0] -= 1
    else:
        step(x, f, m, t, -1)
    step(x, f, n, t, 1)
    s.where[a] = n
    s.cost[0] += cost


@kernel
def drift(
    x: Terms,
    f: Fleet,
    s: Search,
    d: Record,
    steps: int,
    hot: float,
    cold: float,
    price: float,
    penalty: int,
) -> int:
    """Make ``steps`` steps from hot to cold, excesses at ``price``; return how many moved a replica."""
    machines, replicas = f.machine.shape[0], s.who.size
    falling = (cold / hot) ** (1.0 / steps)
    temperature, moved = hot, 0
    for _ in range(steps):
        temperature *= falling
        a, n = int(draw(s) * replicas), int(draw(s) * machines)
        t, m = s.who[a], s.where[a]
        if m == n:
            continue
        cost, luck = _costs(x, f, d, m, n, t, penalty), draw(s)
        rare = luck > _RARE and cost > 3.0 * temperature
        if rare and (m == NONE or d.over[m] == 0):
            continue
        back, less = _excess(x, f, d, m, t, -1)
        there, more = _excess(x, f, d, n, t, 1)
        limit = -temperature * np.log(luck) - price * (there + back)
        if cost > limit or not fits(x, f, n, NONE, t):
            continue
        _hop(x, f, s, a, n, cost)
        moved += 1
        d.over[n] += more
        if m != NONE:
            d.over[m] += less
        d.exceeded[0] += more + less
        if d.exceeded[0] == 0 and s.penalised[0] == 0 and s.cost[0] < d.cost[0]:
            d.cost[0] = s.cost[0]
            for r in range(replicas):
                d.where[r] = s.where[r]
    return moved
