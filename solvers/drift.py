"""Drift: local search's moves where machines hold many replicas and only pairs and room matter.

A sweep asks each replica in turn where it may go: any other machine will do, one as likely as another, that
costs at most ``T E`` more than its own, E exponential (slice sampling). States then come by in proportion to
``exp(-cost / T)``: a state and a ceiling above its cost come by together as often whatever the state, and the
replica is moved among those below the ceiling without preference. No weights are summed up, and nothing stays
that could go.

What a replica would cost on each machine is one row of a table that is kept, a cache line or two. One that
stays, as most do, takes some six nanoseconds for 15 machines together: the least of the row is above the
ceiling. Where a replica does move, the rows of the models that have a cost beside it are brought up to date.

Full machines take nobody, and exchanges are refused almost always, so what limits a machine is *soft*: it
may hold more than its slots and resources allow, at a price of ``PRESSURE`` temperatures (the highest) times
the square of each excess, counted in mean replicas. States in which nothing exceeds a limit come by again and
again; the best of them is kept. Which machines a model may be on stays hard.

Source: R. M. Neal, "Slice Sampling", Annals of Statistics 31, 2003; for soft limits D. S. Johnson,
C. R. Aragon, L. A. McGeoch, C. Schevon, "Optimization by Simulated Annealing: an Experimental Evaluation;
Part I, Graph Partitioning", Operations Research 37, 1989.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from solvers import anneal
from solvers.anneal import SPREAD, Search, stirred
from solvers.fleet import CROWD, NONE, POOL, USED, Fleet
from solvers.terms import ALLOWED, BACKGROUND_COST, KIND, PRICE, Ints, Terms, fast_kernel, inlined, kernel

PRESSURE = 0.25  # what the square of an excess costs, in temperatures at the start
NOTHING = np.iinfo(np.int64).max
_RESTLESS = 0.08  # share of the replicas that go where they cost more, in a sweep at the first temperature
_SAMPLE = 30  # sweeps that tell it
_FORBIDDEN, _MOST = 2**60, 2.0**58  # a cost that nothing pays; the most that a move or a limit costs
_LANES = 4  # the table's columns are a multiple of this: compiled loops go in steps of it
_BINS = 12  # bits of a random number that say how much more another machine may cost; if all 0, the others do

Floats = NDArray[np.float64]


class Drifting(NamedTuple):
    """A state of drifting replicas, and the best one that kept all limits.

    N free replicas, M machines, K types, T models, L limits: slots and each resource.
    """

    who: Ints  # (N,) models
    where: Ints  # (N,) machines
    row: Ints  # (T, W >= M) what a replica of each model costs beside all that each machine holds
    itself: Ints  # (K, T) pair cost of two replicas of one model
    kind: Ints  # (M,)
    price: Ints  # (M,)
    crowd: Ints  # (M,) replicas, also those that cannot move
    first: Ints  # (K, T + 1) neighbours of t on type k are near[first[k, t] : first[k, t + 1]]
    near: Ints  # (E,) a model whose pair cost with t is not 0
    both: Ints  # (E,) that cost
    need: Ints  # (K, T, L)
    held: Ints  # (M, L)
    limit: Ints  # (M, L)
    unit: Floats  # (L,) what a mean replica needs
    over: Ints  # (M,) how many limits each machine exceeds
    exceeded: Ints  # (1,) their sum
    even: Ints  # (1,) of how many limits, the first, all models need as much
    come: Ints  # (W,) price of one more replica, and pressure of the even limits
    leave: Ints  # (M,) the same of the last one that came
    free: Ints  # (M,) room for the machines that one replica may go to
    rise: Floats  # (2 ** _BINS,) exponential numbers by uniform ones
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
    machines, bins = pool.size, 2**_BINS
    columns = -(-machines // _LANES) * _LANES
    row = np.full((f.pull.shape[0], columns), _FORBIDDEN)
    row[:, :machines] = np.where(place[:, :, ALLOWED].T, f.pull + place[:, :, BACKGROUND_COST].T, _FORBIDDEN)
    need = np.concatenate([np.ones_like(x.demand[:, :, :1]), x.demand], axis=2)
    even = (need == need[:1, :1]).all(axis=(0, 1))
    order = np.argsort(~even, kind="stable")
    need = np.ascontiguousarray(need[:, :, order])
    limit = np.column_stack([np.minimum(c.slots, c.replicas.sum()), c.capacity])[pool][:, order]
    held = f.machine[:, [CROWD, *range(USED, f.machine.shape[1])]][:, order]
    mean = np.average(need.mean(axis=0), axis=0, weights=np.maximum(c.replicas, 1))
    over = (held > limit).sum(axis=1)
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
        both=x.near[:, 1].copy(),
        need=need,
        held=np.ascontiguousarray(held),
        limit=np.ascontiguousarray(limit),
        unit=np.maximum(mean, 1.0),
        over=over,
        exceeded=np.array([over.sum()]),
        even=np.array([even.sum()]),
        come=np.zeros(columns, dtype=np.int64),
        leave=np.zeros(machines, dtype=np.int64),
        free=np.zeros(machines, dtype=np.int64),
        rise=-np.log((np.arange(bins) + 0.5) / bins),
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
    """Return a temperature at which many replicas go where they cost more, found by trying from ``scale`` on.

    None if none does. ``d`` is lost.
    """

    def rose(temperature: float) -> float:
        moves = drift(d, _SAMPLE, temperature, temperature, PRESSURE * temperature)
        return moves / (_SAMPLE * max(d.who.size, 1))

    return anneal.restless(rose, _RESTLESS, scale, within=1.1)


@inlined
def _at(index: int) -> Any:
    """Return an index as one that cannot be negative: of others, numba asks whether they are."""
    return np.uint64(index)


@inlined
def _squeeze(d: Drifting, m: int, t: int, sign: int, first: int, end: int, pressure: float) -> int:
    """Return what the squared excesses of some limits on machine m add as a replica of t comes or leaves."""
    change = 0.0
    for r in range(first, end):
        before = d.held[m, r] - d.limit[m, r]
        after = before + sign * d.need[_at(d.kind[m]), t, r]
        change += (max(after, 0) / d.unit[r]) ** 2 - (max(before, 0) / d.unit[r]) ** 2
    return int(max(min(pressure * change, _MOST), -_MOST))


@inlined
def _assess(d: Drifting, m: int, pressure: float) -> None:
    """Write what coming to and leaving machine m costs and saves, and which limits it exceeds."""
    over, even = 0, d.even[0]
    for r in range(d.unit.size):
        if d.held[m, r] > d.limit[m, r]:
            over += 1
    d.exceeded[0] += over - d.over[m]
    d.over[m] = over
    d.come[m] = _squeeze(d, m, _at(0), 1, 0, even, pressure)
    d.leave[m] = -_squeeze(d, m, _at(0), -1, 0, even, pressure)
    if d.crowd[m] <= 1:
        d.come[m] += d.price[m] if d.crowd[m] == 0 else 0
        d.leave[m] += d.price[m] if d.crowd[m] == 1 else 0


@inlined
def _count(d: Drifting, m: int, t: int, sign: int) -> None:
    """Let machine m, its rows apart, know that a replica of t came or left."""
    for r in range(d.unit.size):
        d.held[m, r] += sign * d.need[_at(d.kind[m]), t, r]
    if d.crowd[m] == (0 if sign > 0 else 1):
        d.cost[0] += sign * d.price[m]
    d.crowd[m] += sign


@inlined
def _hop(d: Drifting, a: int, n: int, pressure: float) -> None:
    """Move replica a, from its machine or from nowhere, to machine n."""
    t, m, k, away = _at(d.who[a]), _at(d.where[a]), _at(d.kind[n]), d.where[a] == NONE
    d.cost[0] += d.row[t, n]
    alike = not away and d.kind[m] == d.kind[n]
    if not away:
        d.cost[0] -= d.row[t, m] - d.itself[_at(d.kind[m]), t]
        for i in range(_at(d.first[_at(d.kind[m]), t]), _at(d.first[_at(d.kind[m]), t + _at(1)])):
            u = _at(d.near[i])
            d.row[u, m] -= d.both[i]
            if alike:
                d.row[u, n] += d.both[i]
        _count(d, m, t, -1)
        _assess(d, m, pressure)
    if not alike:
        for i in range(_at(d.first[k, t]), _at(d.first[k, t + _at(1)])):
            d.row[_at(d.near[i]), n] += d.both[i]
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
            _hop(d, a, _at(d.best_where[a]), 0.0)


@inlined
def _chosen(d: Drifting, t: int, m: int, most: int, pressure: float, drawn: np.uint64) -> int:
    """Return a machine but m where a replica of t costs at most ``most``, by a random number; or NONE."""
    found, even = 0, d.even[0]
    for n in range(_at(d.over.size)):
        cost = d.row[t, n] + d.come[n]
        if n != m and cost <= most and cost + _squeeze(d, n, t, 1, even, d.unit.size, pressure) <= most:
            d.free[_at(found)] = n
            found += 1
    return d.free[(drawn % np.uint64(2**32)) * _at(found) >> np.uint64(32)] if found else NONE


@fast_kernel
def drift(d: Drifting, sweeps: int, hot: float, cold: float, pressure: float) -> int:
    """Make ``sweeps`` sweeps from hot to cold, squared excesses at ``pressure``; return how often cost rose.

    What is done for a replica that stays is written out here: calls that hand on the whole state cost more.
    """
    for m in range(d.over.size):
        _assess(d, m, pressure)
    who, where, row, itself, kind = d.who, d.where, d.row, d.itself, d.kind
    come, leave, over, rise, even, z = d.come, d.leave, d.over, d.rise, d.even[0], d.random[0]
    falling, temperature, rose = (cold / hot) ** (1.0 / sweeps), hot, 0
    for _ in range(sweeps):
        temperature *= falling
        for a in range(who.size):
            t, m = _at(who[a]), _at(where[a])
            stay = row[t, m] - itself[_at(kind[m]), t] + leave[m]
            if over[m] > 0:
                stay -= _squeeze(d, m, t, -1, even, d.unit.size, pressure)
            least = _FORBIDDEN
            for n in range(come.size):
                cost = row[t, n] + come[n]
                least = min(least, cost if n != where[a] else _FORBIDDEN)
            z = stirred(z)
            drawn = z * SPREAD
            first = drawn >> np.uint64(64 - _BINS)
            more = rise[first] if first > 0 else -np.log(drawn / 2.0**64)
            most = stay + int(min(temperature * more, _MOST))
            if least <= most:
                n = _chosen(d, t, m, most, pressure, drawn)
                if n != NONE:
                    before = d.cost[0]
                    _hop(d, a, _at(n), pressure)
                    rose += d.cost[0] > before
    d.random[0] = z
    return rose
