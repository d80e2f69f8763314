"""Machines and who lives on them, for solvers that move single replicas.

:class:`Terms` holds an instance's coefficients, :class:`Fleet` the state of M machines; both are
tuples of arrays that compiled functions take. Two functions carry every heuristic: :func:`trial`
says what it would cost if one replica left a machine and another came, and whether that is allowed;
:func:`change` does it. Either replica may be absent (``NONE``). With c the pattern after the change,
the cost of a machine of pool p and type k is

    sum_t c_t (background_cost[p, t] + sum_u cost[k, t, u] (c_u - [u = t]))  +  price[p] if c is not 0
    +  sum of miss_price[t] c_t over models whose soft SLO is missed
    +  sum over models of c_t max(0, degradation_t - threshold)

whose last term is there only when the objective is ``worst``. All rules that concern one machine are
monotone: a machine that refuses a replica refuses it for as long as replicas only arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from planner.plan import Plan

Ints = NDArray[np.int64]
NONE = -1

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile ``function`` with numba, once per machine; it runs without the interpreter's lock."""
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


class Terms(NamedTuple):
    """The coefficients of an instance. K types, P pools, T models, R resources."""

    kind: Ints  # (P,) machine type
    slots: Ints  # (P,)
    capacity: Ints  # (P, R)
    demand: Ints  # (K, T, R)
    allowed: NDArray[np.bool_]  # (P, T)
    both: Ints  # (K, T, T) cost of t beside u, both ways
    suffer: Ints  # (K, T, T) degradation of t by u
    cause: Ints  # (K, T, T) degradation of u by t
    background: Ints  # (P, T)
    background_cost: Ints  # (P, T)
    price: Ints  # (P,)
    slack: Ints  # (K, T) UNLIMITED where the SLO is soft or absent
    soft_slack: Ints  # (K, T) UNLIMITED where the SLO is hard or absent
    miss_price: Ints  # (T,)
    most: Ints  # (T,) max_per_machine
    apart: NDArray[np.bool_]  # (T, T)
    watched: bool  # degradations must be tracked: an SLO, or the objective `worst`
    rules: bool  # some models are kept apart
    worst: bool


class Fleet(NamedTuple):
    """Who lives where. Machine m holds the entries ``base[m] : base[m] + size[m]``."""

    pool: Ints  # (M,)
    base: Ints  # (M + 1,)
    size: Ints  # (M,) distinct models
    crowd: Ints  # (M,) replicas
    used: Ints  # (M, R)
    model: NDArray[np.int32]  # entries
    number: NDArray[np.int32]
    degradation: Ints  # of one replica of the entry, ppm
    spread: Ints  # (T,) machines that hold a replica of t


def terms(c: Compiled) -> Terms:
    """Return the coefficients of a compiled instance in the form the compiled functions take."""
    watched = bool(c.worst or (c.slack < UNLIMITED).any())
    transposed = np.ascontiguousarray(c.degradation.transpose(0, 2, 1)) if watched else c.degradation
    return Terms(
        kind=c.type_of,
        slots=c.slots,
        capacity=c.capacity,
        demand=c.demand,
        allowed=c.allowed,
        both=c.cost + c.cost.transpose(0, 2, 1),
        suffer=c.degradation,
        cause=transposed,
        background=c.background,
        background_cost=c.background_cost,
        price=c.price,
        slack=np.where(c.soft, UNLIMITED, c.slack),
        soft_slack=np.where(c.soft, c.slack, UNLIMITED),
        miss_price=c.miss_price,
        most=c.max_per_machine,
        apart=c.apart,
        watched=watched,
        rules=bool(c.apart.any()),
        worst=c.worst,
    )


def machines_needed(c: Compiled) -> Ints:
    """Return (P,): how many machines of each pool a plan could use; no pool needs more than replicas."""
    wanted = np.where(c.allowed, c.replicas[None, :], 0).sum(axis=1)
    pinned = np.where(c.pinned.any(axis=1), c.machines, 0)
    needed: Ints = np.minimum(c.machines, np.maximum(wanted, pinned))
    return needed


def empty_fleet(c: Compiled, t: Terms) -> Fleet:
    """Return the machines with only their pinned replicas on them."""
    machines = machines_needed(c)
    pool = np.repeat(np.arange(machines.size), machines)
    distinct = np.minimum((c.most_per_machine() > 0).sum(axis=1), np.maximum(c.slots, 0))
    width = np.maximum(distinct, (c.pinned > 0).sum(axis=1))[pool]
    base = np.concatenate([[0], np.cumsum(width)])
    entries = int(base[-1])
    fleet = Fleet(
        pool=pool,
        base=base,
        size=np.zeros(pool.size, dtype=np.int64),
        crowd=np.zeros(pool.size, dtype=np.int64),
        used=np.zeros((pool.size, len(c.resources)), dtype=np.int64),
        model=np.zeros(entries, dtype=np.int32),
        number=np.zeros(entries, dtype=np.int32),
        degradation=np.zeros(entries, dtype=np.int64),
        spread=np.zeros(c.replicas.size, dtype=np.int64),
    )
    for p in np.flatnonzero(c.pinned.any(axis=1)).tolist():
        models = np.repeat(np.arange(c.replicas.size), c.pinned[p])
        for m in np.flatnonzero(pool == p).tolist():
            arrive(t, fleet, np.full(models.size, m), models)
    return fleet


def free_replicas(c: Compiled) -> Ints:
    """Return (T,): how many replicas of each model are not pinned."""
    free: Ints = c.replicas - (c.pinned * c.machines[:, None]).sum(axis=0)
    return free


def plan_of(fleet: Fleet) -> Plan:
    """Return the plan that the state stands for."""
    machine = np.repeat(np.arange(fleet.size.size), fleet.size)
    offset = np.arange(machine.size) - np.repeat(np.cumsum(fleet.size) - fleet.size, fleet.size)
    entry = fleet.base[machine] + offset
    number = fleet.number[entry]
    model = fleet.model[entry].astype(np.int64)
    return Plan.from_assignment(fleet.pool, np.repeat(machine, number), np.repeat(model, number))


@kernel
def holds(f: Fleet, m: int, t: int) -> int:
    """Return how many replicas of model t machine m holds."""
    for i in range(f.base[m], f.base[m] + f.size[m]):
        if f.model[i] == t:
            return int(f.number[i])
    return 0


@kernel
def pain(x: Terms, k: int, t: int, degradation: int, threshold: int) -> int:
    """Return what one replica of t at this degradation adds to the objective besides ``cost``."""
    extra = x.miss_price[t] if degradation > x.soft_slack[k, t] else 0
    if x.worst and degradation > threshold:
        extra += degradation - threshold
    return extra


@kernel
def fits(x: Terms, f: Fleet, m: int, out: int, inn: int) -> bool:
    """Whether slots, resources, permissions and counts let ``inn`` come to machine m as ``out`` leaves."""
    if inn == NONE:
        return True
    p = f.pool[m]
    k = x.kind[p]
    if not x.allowed[p, inn]:
        return False
    if out == NONE and f.crowd[m] >= x.slots[p]:
        return False
    for r in range(x.capacity.shape[1]):
        need = x.demand[k, inn, r] - (x.demand[k, out, r] if out != NONE else 0)
        if need > 0 and f.used[m, r] + need > x.capacity[p, r]:
            return False
    return inn == out or x.most[inn] > f.crowd[m] or x.most[inn] > holds(f, m, inn)


@kernel
def trial(x: Terms, f: Fleet, m: int, out: int, inn: int, threshold: int) -> tuple[bool, int]:
    """Return whether one replica of ``out`` may leave machine m for one of ``inn``, and the cost change."""
    if not fits(x, f, m, out, inn):
        return False, 0
    p = f.pool[m]
    k = x.kind[p]
    change = 0
    after = f.crowd[m]
    if out != NONE:
        change -= x.background_cost[p, out]
        after -= 1
    if inn != NONE:
        change += x.background_cost[p, inn]
        after += 1
    if f.crowd[m] == 0 and after > 0:
        change += x.price[p]
    elif f.crowd[m] > 0 and after == 0:
        change -= x.price[p]
    mine = x.background[p, inn] if inn != NONE else 0  # what `inn` will suffer
    arriving = 1 if inn != NONE else 0
    for i in range(f.base[m], f.base[m] + f.size[m]):
        u = f.model[i]
        n = f.number[i] - (1 if u == out else 0)
        if n > 0:
            if out != NONE:
                change -= n * x.both[k, out, u]
            if inn != NONE:
                if x.rules and x.apart[inn, u]:
                    return False, 0
                change += n * x.both[k, inn, u]
        if not x.watched:
            continue
        was = f.degradation[i]
        now = was
        if out != NONE:
            now -= x.cause[k, out, u]
        if inn != NONE:
            now += x.cause[k, inn, u]
            mine += n * x.suffer[k, inn, u]
        if n > 0 and now > x.slack[k, u] and now > was:
            return False, 0
        change += n * pain(x, k, u, now, threshold) - f.number[i] * pain(x, k, u, was, threshold)
    if arriving and x.watched:
        if mine > x.slack[k, inn]:
            return False, 0
        change += pain(x, k, inn, mine, threshold)
    return True, change


@kernel
def change(x: Terms, f: Fleet, m: int, out: int, inn: int) -> None:
    """Let one replica of ``out`` leave machine m and one of ``inn`` come."""
    p = f.pool[m]
    k = x.kind[p]
    first, last = f.base[m], f.base[m] + f.size[m]
    if out != NONE:
        for r in range(x.capacity.shape[1]):
            f.used[m, r] -= x.demand[k, out, r]
        f.crowd[m] -= 1
        at = first
        for i in range(first, last):
            f.degradation[i] -= x.cause[k, out, f.model[i]] if x.watched else 0
            if f.model[i] == out:
                at = i
        f.number[at] -= 1
        if f.number[at] == 0:
            last -= 1
            f.model[at], f.number[at], f.degradation[at] = f.model[last], f.number[last], f.degradation[last]
            f.size[m] -= 1
            f.spread[out] -= 1
    if inn == NONE:
        return
    for r in range(x.capacity.shape[1]):
        f.used[m, r] += x.demand[k, inn, r]
    f.crowd[m] += 1
    at = last
    mine = x.background[p, inn]
    for i in range(first, last):
        u = f.model[i]
        if x.watched:
            f.degradation[i] += x.cause[k, inn, u]
            mine += f.number[i] * x.suffer[k, inn, u]
        if u == inn:
            at = i
    if at == last:
        f.model[at], f.number[at], f.degradation[at] = inn, 0, mine
        f.size[m] += 1
        f.spread[inn] += 1
    f.number[at] += 1


@kernel
def arrive(x: Terms, f: Fleet, machine: Ints, model: Ints) -> None:
    """Put each replica, one of ``model[i]``, on ``machine[i]``."""
    for i in range(machine.size):
        change(x, f, machine[i], NONE, model[i])
