"""Machines and who lives on them, for solvers that move single replicas.

:class:`~solvers.terms.Terms` holds an instance's coefficients, :class:`Fleet` the state of M machines; both
are tuples of arrays that compiled functions take. Two functions carry every heuristic: :func:`trial`
says what it would cost if one replica left a machine and another came, and whether that is allowed;
:func:`change` does it. Either replica may be absent (``NONE``). With c the pattern after the change,
the cost of a machine of pool p and type k is

    sum_t c_t (background_cost[p, t] + sum_u cost[k, t, u] (c_u - [u = t]))  +  price[p] if c is not 0
    +  sum_t arrival_price[p, t] max(0, c_t - here[p, t])
    +  sum of miss_price[t] c_t over models whose soft SLO is missed
    +  sum over models of c_t max(0, degradation_t - threshold)

whose last term is there only when the objective is ``worst``; where there is a co-location factor, it
multiplies the sums over u, and both patterns are summed up from scratch (:func:`_crowded`). All rules
that concern one machine are monotone, unless that factor falls: a machine that refuses a replica refuses
it for as long as replicas only arrive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.compiled import Compiled
from planner.integers import PPM
from planner.plan import Plan
from solvers.needs import machines_needed, widths
from solvers.terms import (
    ALLOWED,
    BACKGROUND,
    BACKGROUND_COST,
    BOTH,
    CAPACITY,
    CAUSE,
    COST,
    DEAR,
    HERE,
    KIND,
    MISS_PRICE,
    MOST,
    PRICE,
    SLACK,
    SLOTS,
    SOFT_SLACK,
    SUFFER,
    Ints,
    Terms,
    kernel,
)

NONE = -1

# Columns of a fleet's arrays.
POOL, BASE, SIZE, CROWD, USED = 0, 1, 2, 3, 4
MODEL, NUMBER, DEGRADATION = 0, 1, 2


class Fleet(NamedTuple):
    """Who lives where, int64. Machine m holds ``size`` entries from ``base`` on. M machines, E entries."""

    machine: Ints  # (M, 4 + R): pool, base, size (distinct models), crowd (replicas), resources used
    entry: Ints  # (E, 3): model, number of its replicas, degradation of one of them in ppm
    spread: Ints  # (T,): machines that hold a replica of t
    pull: Ints  # (T, M) or (0, 0): if kept, what a replica of t costs beside all that m holds


def empty_fleet(c: Compiled, x: Terms, machines: Ints | None = None, *, pull: bool = False) -> Fleet:
    """Return machines with only their pinned replicas on them.

    As many of each pool as ``machines`` says, shape (P,); by default all that a plan could use. With
    ``pull``, which wants ``x.near``, pair costs are kept per machine and model: for many replicas a machine.
    """
    machines = machines_needed(c) if machines is None else machines
    pool = np.repeat(np.arange(machines.size), machines)
    width = widths(c)[pool]
    ends = np.cumsum(width)
    machine = np.zeros((pool.size, USED + len(c.resources)), dtype=np.int64)
    machine[:, POOL], machine[:, BASE] = pool, ends - width
    entries = int(ends[-1]) if ends.size else 0
    spread = np.zeros(c.replicas.size, dtype=np.int64)
    kept = np.zeros((spread.size, pool.size) if pull else (0, 0), dtype=np.int64)
    fleet = Fleet(machine, np.zeros((entries, 3), dtype=np.int64), spread, kept)
    for p in np.flatnonzero(c.pinned.any(axis=1)).tolist():
        models = np.repeat(np.arange(c.replicas.size), c.pinned[p])
        for m in np.flatnonzero(pool == p).tolist():
            arrive(x, fleet, np.full(models.size, m), models)
    return fleet


def plan_of(fleet: Fleet) -> Plan:
    """Return the plan that the state stands for."""
    size = fleet.machine[:, SIZE]
    machine = np.repeat(np.arange(size.size), size)
    offset = np.arange(machine.size) - np.repeat(np.cumsum(size) - size, size)
    entry = fleet.entry[fleet.machine[machine, BASE] + offset]
    number = entry[:, NUMBER]
    pool = np.ascontiguousarray(fleet.machine[:, POOL])
    return Plan.from_assignment(pool, np.repeat(machine, number), np.repeat(entry[:, MODEL], number))


@kernel
def holds(f: Fleet, m: int, t: int) -> int:
    """Return how many replicas of model t machine m holds."""
    first = f.machine[m, BASE]
    for i in range(first, first + f.machine[m, SIZE]):
        if f.entry[i, MODEL] == t:
            return int(f.entry[i, NUMBER])
    return 0


@kernel
def _pain(x: Terms, k: int, t: int, degradation: int, threshold: int) -> int:
    """Return what one replica of t at this degradation adds to the cost besides pairs."""
    extra = x.model[t, MISS_PRICE] if degradation > x.limit[k, t, SOFT_SLACK] else 0
    if x.worst and degradation > threshold:
        extra += degradation - threshold
    return extra


@kernel
def fits(x: Terms, f: Fleet, m: int, out: int, inn: int) -> bool:
    """Whether slots, resources, permissions and counts let ``inn`` come to machine m as ``out`` leaves."""
    p = f.machine[m, POOL]
    k = x.pool[p, KIND]
    if x.place[p, inn, ALLOWED] == 0:
        return False
    if out == NONE and f.machine[m, CROWD] >= x.pool[p, SLOTS]:
        return False
    for r in range(x.demand.shape[2]):
        need = x.demand[k, inn, r] - (x.demand[k, out, r] if out != NONE else 0)
        if need > 0 and f.machine[m, USED + r] + need > x.pool[p, CAPACITY + r]:
            return False
    most = x.model[inn, MOST]
    return inn == out or most > f.machine[m, CROWD] or most > holds(f, m, inn)


@kernel
def _arrival(x: Terms, f: Fleet, m: int, out: int, inn: int) -> int:
    """Return the change of what arrivals cost on machine m, out is not inn."""
    p, cost = f.machine[m, POOL], 0
    if out != NONE and holds(f, m, out) > x.moving[p, out, HERE]:
        cost -= x.moving[p, out, DEAR]
    if inn != NONE and holds(f, m, inn) >= x.moving[p, inn, HERE]:
        cost += x.moving[p, inn, DEAR]
    return int(cost)


@kernel
def _pull(x: Terms, f: Fleet, m: int, out: int, inn: int) -> int:
    """Return the change of pair costs, from the sums that are kept."""
    k = x.pool[f.machine[m, POOL], KIND]
    cost = 0
    if out != NONE:
        cost -= f.pull[out, m] - x.pair[k, out, out, BOTH]
    if inn != NONE:
        cost += f.pull[inn, m]
        if out != NONE:
            cost -= x.pair[k, inn, out, BOTH]
    return int(cost)


@kernel
def _sums(x: Terms, f: Fleet, m: int, u: int, out: int, inn: int) -> tuple[int, int]:
    """Return what the neighbours of a replica of u on machine m add after a change: degradation, cost."""
    k, first = x.pool[f.machine[m, POOL], KIND], f.machine[m, BASE]
    suffered = cost = 0
    for i in range(first, first + f.machine[m, SIZE]):
        v = f.entry[i, MODEL]
        n = f.entry[i, NUMBER] - (1 if v == out else 0)
        suffered += n * x.pair[k, u, v, SUFFER]
        cost += n * x.pair[k, u, v, COST]
    if inn != NONE:
        suffered += x.pair[k, u, inn, SUFFER]
        cost += x.pair[k, u, inn, COST]
    return int(suffered - x.pair[k, u, u, SUFFER]), int(cost - x.pair[k, u, u, COST])


@kernel
def _all_of(x: Terms, f: Fleet, m: int, u: int, out: int, inn: int, threshold: int) -> tuple[int, int]:
    """Return degradation and whole cost of a replica of u on machine m after a change."""
    p, crowd = f.machine[m, POOL], f.machine[m, CROWD] - (1 if out != NONE else 0) + (1 if inn != NONE else 0)
    k = x.pool[p, KIND]
    factor = x.factor[k, min(crowd, x.factor.shape[1] - 1)]
    suffered, cost = _sums(x, f, m, u, out, inn)
    suffered = (suffered * factor + PPM // 2) // PPM + x.place[p, u, BACKGROUND]
    cost = (cost * factor + PPM // 2) // PPM + x.place[p, u, BACKGROUND_COST]
    return int(suffered), int(cost + _pain(x, k, u, suffered, threshold))


@kernel
def _crowded(x: Terms, f: Fleet, m: int, out: int, inn: int, threshold: int) -> tuple[bool, int]:
    """Return what ``trial`` does where there are co-location factors."""
    p, first = f.machine[m, POOL], f.machine[m, BASE]
    k, crowd = x.pool[p, KIND], f.machine[m, CROWD]
    emptied = out != NONE and inn == NONE and crowd == 1
    cost = (x.pool[p, PRICE] if crowd == 0 and inn != NONE else 0) - (x.pool[p, PRICE] if emptied else 0)
    if x.moving.size > 0 and out != inn:
        cost += _arrival(x, f, m, out, inn)
    there = False
    for i in range(first, first + f.machine[m, SIZE]):
        u, held = f.entry[i, MODEL], f.entry[i, NUMBER]
        n = held - (1 if u == out else 0)
        if x.ruled and inn != NONE and n > 0 and x.apart[inn, u]:
            return False, 0
        there = there or u == inn
        n += 1 if u == inn else 0
        was, before = _all_of(x, f, m, u, NONE, NONE, threshold)
        now, after = _all_of(x, f, m, u, out, inn, threshold)
        if n > 0 and now > was and now > x.limit[k, u, SLACK]:
            return False, 0
        cost += n * after - held * before
    if inn != NONE and not there:
        now, after = _all_of(x, f, m, inn, out, inn, threshold)
        if now > x.limit[k, inn, SLACK]:
            return False, 0
        cost += after
    return True, int(cost)


@kernel
def trial(x: Terms, f: Fleet, m: int, out: int, inn: int, threshold: int) -> tuple[bool, int]:
    """Return whether one replica of ``out`` may leave machine m for one of ``inn``, and the cost change."""
    if inn != NONE and not fits(x, f, m, out, inn):
        return False, 0
    if x.factored:
        return _crowded(x, f, m, out, inn, threshold)
    p, first, crowd = f.machine[m, POOL], f.machine[m, BASE], f.machine[m, CROWD]
    k = x.pool[p, KIND]
    cost = mine = 0  # `mine` is what `inn` will suffer
    if x.moving.size > 0 and out != inn:
        cost += _arrival(x, f, m, out, inn)
    if out != NONE:
        cost -= x.place[p, out, BACKGROUND_COST]
        if inn == NONE and crowd == 1:
            cost -= x.pool[p, PRICE]
    if inn != NONE:
        cost += x.place[p, inn, BACKGROUND_COST]
        mine = x.place[p, inn, BACKGROUND]
        if crowd == 0:
            cost += x.pool[p, PRICE]
    kept = f.pull.size > 0
    if kept:
        cost += _pull(x, f, m, out, inn)
        if not x.watched and not x.ruled:
            return True, cost
    for i in range(first, first + f.machine[m, SIZE]):
        u, held = f.entry[i, MODEL], f.entry[i, NUMBER]
        n = held - 1 if u == out else held
        was = now = f.entry[i, DEGRADATION]
        if out != NONE:
            if not kept:
                cost -= n * x.pair[k, out, u, BOTH]
            if x.watched:
                now -= x.pair[k, out, u, CAUSE]
        if inn != NONE:
            if x.ruled and n > 0 and x.apart[inn, u]:
                return False, 0
            if not kept:
                cost += n * x.pair[k, inn, u, BOTH]
            if x.watched:
                now += x.pair[k, inn, u, CAUSE]
                mine += n * x.pair[k, inn, u, SUFFER]
        if x.watched:
            if n > 0 and now > was and now > x.limit[k, u, SLACK]:
                return False, 0
            cost += n * _pain(x, k, u, now, threshold) - held * _pain(x, k, u, was, threshold)
    if inn != NONE and x.watched:
        if mine > x.limit[k, inn, SLACK]:
            return False, 0
        cost += _pain(x, k, inn, mine, threshold)
    return True, cost


@kernel
def step(x: Terms, f: Fleet, m: int, t: int, number: int) -> None:
    """Let slots, resources and kept sums of machine m know that so many replicas of t came."""
    k = x.pool[f.machine[m, POOL], KIND]
    for r in range(x.demand.shape[2]):
        f.machine[m, USED + r] += number * x.demand[k, t, r]
    f.machine[m, CROWD] += number
    if f.pull.size > 0:
        for i in range(x.first[k, t], x.first[k, t + 1]):
            f.pull[x.near[i, 0], m] += number * x.near[i, 1]


@kernel
def _leave(x: Terms, f: Fleet, m: int, out: int) -> None:
    """Let one replica of ``out`` leave machine m."""
    step(x, f, m, out, -1)
    k, first, size = x.pool[f.machine[m, POOL], KIND], f.machine[m, BASE], f.machine[m, SIZE]
    at = first
    for i in range(first, first + size):
        u = f.entry[i, MODEL]
        if x.watched:
            f.entry[i, DEGRADATION] -= x.pair[k, out, u, CAUSE]
        if u == out:
            at = i
    f.entry[at, NUMBER] -= 1
    if f.entry[at, NUMBER] == 0:
        for column in range(3):
            f.entry[at, column] = f.entry[first + size - 1, column]
        f.machine[m, SIZE] -= 1
        f.spread[out] -= 1


@kernel
def _come(x: Terms, f: Fleet, m: int, inn: int) -> None:
    """Let one replica of ``inn`` come to machine m."""
    step(x, f, m, inn, 1)
    p, first, size = f.machine[m, POOL], f.machine[m, BASE], f.machine[m, SIZE]
    k, at = x.pool[p, KIND], first + size
    mine = x.place[p, inn, BACKGROUND]
    for i in range(first, first + size):
        u = f.entry[i, MODEL]
        if x.watched:
            f.entry[i, DEGRADATION] += x.pair[k, inn, u, CAUSE]
            mine += f.entry[i, NUMBER] * x.pair[k, inn, u, SUFFER]
        if u == inn:
            at = i
    if at == first + size:
        f.entry[at, MODEL], f.entry[at, NUMBER], f.entry[at, DEGRADATION] = inn, 0, mine
        f.machine[m, SIZE] += 1
        f.spread[inn] += 1
    f.entry[at, NUMBER] += 1


@kernel
def change(x: Terms, f: Fleet, m: int, out: int, inn: int) -> None:
    """Let one replica of ``out`` leave machine m and one of ``inn`` come."""
    if out != NONE:
        _leave(x, f, m, out)
    if inn != NONE:
        _come(x, f, m, inn)


@kernel
def arrive(x: Terms, f: Fleet, machine: Ints, model: Ints) -> None:
    """Put each replica, one of ``model[i]``, on ``machine[i]``."""
    for i in range(machine.size):
        _come(x, f, machine[i], model[i])
