"""Drift: local search's moves where machines hold many replicas and only pairs and room matter.

A sweep asks each replica in turn where it wants to be: on machine n, its own among them, with probability
``exp(-cost_n / T) / Z`` (heat bath). What it would cost on each machine is one row of a table that is kept, a
cache line or two, so that a replica that stays, as most do, takes some twenty nanoseconds for all machines
together: the number that is drawn first says how much more another machine may cost, and the least of the row
is mostly above that. Where a replica does move, the rows of the models that have a cost beside it are
brought up to date.

Full machines take nobody, and exchanges are refused almost always, so what limits a machine is *soft*: it
may hold more than its slots and resources allow, at a price of ``PRESSURE`` temperatures (the highest) times
the square of each excess, counted in mean replicas. States in which nothing exceeds a limit come by again and
again; the best of them is kept. Which machines a model may be on stays hard.

Source: R. J. Glauber, "Time-dependent statistics of the Ising model", J. Math. Phys. 4, 1963; for soft limits
D. S. Johnson, C. R. Aragon, L. A. McGeoch, C. Schevon, "Optimization by Simulated Annealing: an Experimental
Evaluation; Part I, Graph Partitioning", Operations Research 37, 1989.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from solvers import anneal
from solvers.anneal import SPREAD, Search, stirred
from solvers.fleet import CROWD, NONE, POOL, USED, Fleet
from solvers.terms import ALLOWED, BACKGROUND_COST, KIND, PRICE, Ints, Terms, fast_kernel, inlined, kernel

PRESSURE = 0.3  # what the square of an excess costs, in temperatures at the start
NOTHING = np.iinfo(np.int64).max
_RESTLESS = 0.15  # share of the replicas that move in a sweep at the first temperature
_SAMPLE = 30  # sweeps that tell it
_FORBIDDEN = 2.0**60
_BINS = 12  # bits of a random number that say how good another machine must be

Floats = NDArray[np.float64]


class Drifting(NamedTuple):
    """A state of drifting replicas, and the best one that kept all limits.

    N free replicas, M machines, K types, T models, L limits: slots and each resource.
    """

    who: Ints  # (N,) models
    where: Ints  # (N,) machines
    row: Floats  # (T, M) what a replica of each model costs beside all that each machine holds; whole numbers
    itself: Ints  # (K, T) pair cost of two replicas of one model
    kind: Ints  # (M,)
    price: Ints  # (M,)
    crowd: Ints  # (M,) replicas, also those that cannot move
    first: Ints  # (K, T + 1) neighbours of t on type k are near[first[k, t] : first[k, t + 1]]
    near: Ints  # (E,) a model whose pair cost with t is not 0
    both: Floats  # (E,) that cost
    need: Ints  # (K, T, L)
    held: Ints  # (M, L)
    limit: Ints  # (M, L)
    unit: Floats  # (L,) what a mean replica needs
    over: Ints  # (M,) how many limits each machine exceeds
    exceeded: Ints  # (1,) their sum
    come: Floats  # (M,) price and pressure of one more replica, resources apart
    leave: Floats  # (M,) the same of the last one that came
    chance: Floats  # (M,) room for the probabilities of one replica
    threshold: Floats  # (2 ** _BINS,) how many temperatures another machine may cost more, by random number
    random: NDArray[np.uint64]  # (1,)
    cost: Ints  # (1,) of the state
    best: Ints  # (1,) cost of the best state; NOTHING if there is none
    best_where: Ints  # (N,) that state

    def copy(self) -> Drifting:
        """Return the same state, to go its own way."""
        return Drifting._make(array.copy() for array in self)

    def part(self, some: Ints) -> Drifting:
        """Return the same state, of which only replicas ``some`` are to drift; all but these is shared."""
        where = self.where[some]
        return self._replace(who=self.who[some], where=where, best=self.cost.copy(), best_where=where.copy())


def suits(c: Compiled) -> bool:
    """Whether pairs, background, price, slots, resources and permissions are all that matters."""
    tracked = c.worst or c.factored or bool((c.slack < UNLIMITED).any() or c.apart.any())
    tracked = tracked or bool(c.arrival_price.any())
    counted = bool((c.min_machines > 1).any() or (c.max_per_machine < c.replicas).any())
    return not tracked and not counted


def drifting(c: Compiled, x: Terms, f: Fleet, s: Search, penalty: int, seed: int) -> Drifting:
    """Return the state of a search as one of drifting replicas; those that are nowhere have come somewhere.

    ``f`` keeps ``pull``; ``penalty`` is what a replica that is nowhere adds to the cost of ``s``.
    """
    pool = f.machine[:, POOL]
    place = x.place[pool]
    row = (f.pull + place[:, :, BACKGROUND_COST].T).astype(np.float64)
    row[place[:, :, ALLOWED].T == 0] = _FORBIDDEN
    limit = np.column_stack([np.minimum(c.slots, c.replicas.sum()), c.capacity])[pool]
    need = np.concatenate([np.ones_like(x.demand[:, :, :1]), x.demand], axis=2)
    mean = np.average(need.mean(axis=0), axis=0, weights=np.maximum(c.replicas, 1))
    held = f.machine[:, [CROWD, *range(USED, f.machine.shape[1])]]
    over = (held > limit).sum(axis=1)
    machines, bins = pool.size, 2**_BINS
    drawn = np.maximum(np.arange(bins), 1) / bins
    threshold = np.log(max(machines - 1, 1) * (1 - drawn) / drawn)
    threshold[0] = _FORBIDDEN
    d = Drifting(
        who=s.who.copy(),
        where=s.where.copy(),
        row=row,
        itself=2 * np.diagonal(c.cost, axis1=1, axis2=2),
        kind=x.pool[pool, KIND].copy(),
        price=x.pool[pool, PRICE].copy(),
        crowd=f.machine[:, CROWD].copy(),
        first=x.first.copy(),
        near=x.near[:, 0].copy(),
        both=x.near[:, 1].astype(np.float64),
        need=need,
        held=held,
        limit=limit,
        unit=np.maximum(mean, 1.0),
        over=over,
        exceeded=np.array([over.sum()]),
        come=np.zeros(machines),
        leave=np.zeros(machines),
        chance=np.zeros(machines),
        threshold=threshold,
        random=np.random.default_rng(seed).integers(1, 2**63, 1).astype(np.uint64),
        cost=s.cost - penalty * s.penalised,
        best=np.array([NOTHING]),
        best_where=s.where.copy(),
    )
    for a in np.flatnonzero(d.where == NONE).tolist():
        _hop(d, a, int(row[d.who[a]].argmin()), 0.0)
    d.best[0] = NOTHING  # what was counted so far lacked replicas
    return d


def restless(d: Drifting, scale: float) -> float | None:
    """Return a temperature at which many replicas move, found by trying from ``scale`` on; None if none does.

    ``d`` is lost.
    """

    def moved(temperature: float) -> float:
        moves = drift(d, _SAMPLE, temperature, temperature, PRESSURE * temperature)
        return moves / (_SAMPLE * max(d.who.size, 1))

    return anneal.restless(moved, _RESTLESS, scale, within=1.1)


@fast_kernel
def _weigh(
    row: Floats, come: Floats, chance: Floats, t: int, m: int, least: float, temperature: float
) -> float:
    """Write ``exp(-(cost - least) / temperature)`` for each machine but m; return their sum.

    ``chance`` holds what resources add. The exponential is (1 - y / 1024) ** 1024, of which compilers make
    vectors.
    """
    share = 1.0 / (1024.0 * temperature)
    for n in range(come.size):
        y = max(0.0, 1.0 - (row[t, n] + come[n] + chance[n] - least) * share)
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        y *= y
        chance[n] = y
    chance[m] = 0.0
    total = 0.0
    for n in range(come.size):
        total += chance[n]
    return total


@inlined
def _squeeze(d: Drifting, m: int, t: int, sign: int) -> float:
    """Return how the squared excesses of resources on machine m change as a replica of t comes or leaves."""
    change = 0.0
    for r in range(1, d.unit.size):
        before = d.held[m, r] - d.limit[m, r]
        after = before + sign * d.need[d.kind[m], t, r]
        change += (max(after, 0) / d.unit[r]) ** 2 - (max(before, 0) / d.unit[r]) ** 2
    return change


@inlined
def _assess(d: Drifting, m: int, pressure: float) -> None:
    """Write what coming to and leaving machine m costs and saves, and which limits it exceeds."""
    e, over = d.held[m, 0] - d.limit[m, 0], 0
    d.come[m] = (d.price[m] if d.crowd[m] == 0 else 0) + (pressure * (2 * e + 1) if e >= 0 else 0.0)
    d.leave[m] = (d.price[m] if d.crowd[m] == 1 else 0) + (pressure * (2 * e - 1) if e > 0 else 0.0)
    for r in range(d.unit.size):
        if d.held[m, r] > d.limit[m, r]:
            over += 1
    d.exceeded[0] += over - d.over[m]
    d.over[m] = over


@inlined
def _count(d: Drifting, m: int, t: int, sign: int) -> None:
    """Let machine m, its rows apart, know that a replica of t came or left."""
    for r in range(d.unit.size):
        d.held[m, r] += sign * d.need[d.kind[m], t, r]
    if d.crowd[m] == (0 if sign > 0 else 1):
        d.cost[0] += sign * d.price[m]
    d.crowd[m] += sign


@inlined
def _hop(d: Drifting, a: int, n: int, pressure: float) -> None:
    """Move replica a, from its machine or from nowhere, to machine n."""
    t, m = d.who[a], d.where[a]
    d.cost[0] += int(d.row[t, n])
    k = d.kind[n]
    if m != NONE:
        d.cost[0] -= int(d.row[t, m]) - d.itself[d.kind[m], t]
        if d.kind[m] == k:
            for i in range(d.first[k, t], d.first[k, t + 1]):
                d.row[d.near[i], m] -= d.both[i]
                d.row[d.near[i], n] += d.both[i]
        else:
            for i in range(d.first[d.kind[m], t], d.first[d.kind[m], t + 1]):
                d.row[d.near[i], m] -= d.both[i]
        _count(d, m, t, -1)
        _assess(d, m, pressure)
    if m == NONE or d.kind[m] != k:
        for i in range(d.first[k, t], d.first[k, t + 1]):
            d.row[d.near[i], n] += d.both[i]
    _count(d, n, t, 1)
    _assess(d, n, pressure)
    d.where[a] = n
    if d.exceeded[0] == 0 and d.cost[0] < d.best[0]:
        d.best[0] = d.cost[0]
        for b in range(d.who.size):
            d.best_where[b] = d.where[b]


@kernel
def go_back(d: Drifting) -> None:
    """Go to the best state that was seen."""
    for a in range(d.who.size):
        if d.where[a] != d.best_where[a]:
            _hop(d, a, d.best_where[a], 0.0)


@inlined
def _chosen(
    d: Drifting, t: int, m: int, stay: float, least: float, drawn: float, temperature: float, pressure: float
) -> int:
    """Return the machine that a number in [0, 1) chooses for a replica of t on machine m; NONE: that one."""
    for n in range(d.chance.size):
        d.chance[n] = pressure * _squeeze(d, n, t, 1) if d.unit.size > 1 else 0.0
    lowest = min(least, stay)
    total = _weigh(d.row, d.come, d.chance, t, m, lowest, temperature)
    left = (total + np.exp((lowest - stay) / temperature)) * drawn
    chosen = NONE
    for n in range(d.chance.size):
        if chosen == NONE and left < total:
            left -= d.chance[n]
            chosen = n if left < 0.0 else NONE
    return chosen


@fast_kernel
def drift(d: Drifting, sweeps: int, hot: float, cold: float, pressure: float) -> int:
    """Make ``sweeps`` sweeps from hot to cold, squared excesses at ``pressure``; return how many moves.

    What is done for a replica that stays is written out here: calls that hand on the whole state cost more.
    """
    for m in range(d.come.size):
        _assess(d, m, pressure)
    who, where, row, itself, kind = d.who, d.where, d.row, d.itself, d.kind
    come, leave, over, threshold, z = d.come, d.leave, d.over, d.threshold, d.random[0]
    falling, temperature, moved = (cold / hot) ** (1.0 / sweeps), hot, 0
    for _ in range(sweeps):
        temperature *= falling
        for a in range(who.size):
            t, m = who[a], where[a]
            stay = row[t, m] - itself[kind[m], t] + leave[m]
            if over[m] > 0:
                stay -= pressure * _squeeze(d, m, t, -1)
            least = _FORBIDDEN
            for n in range(come.size):
                cost = row[t, n] + come[n]
                cost = cost if n != m else _FORBIDDEN
                least = min(least, cost)
            z = stirred(z)
            drawn = z * SPREAD
            if least - stay <= temperature * threshold[drawn >> np.uint64(64 - _BINS)]:
                n = _chosen(d, t, m, stay, least, drawn / 18446744073709551616.0, temperature, pressure)
                if n != NONE:
                    _hop(d, a, n, pressure)
                    moved += 1
    d.random[0] = z
    return moved
