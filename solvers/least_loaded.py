"""Least loaded: what people do today. Blind to interference.

Replicas arrive one by one in a seeded random order. Each goes to the machine with the lowest load
among those that can take it without breaking a rule; load is the dominant share, the largest of
used / capacity over the machine's resources and slots, in steps of 1/256; machines of one step take
turns. The first ``min_machines`` replicas of a model go to machines that do not hold it yet. If some
replica finds no machine, another order is tried, ten in all.

A machine that refuses a model refuses it for good, and loads only rise. So for each (pool, model) a
cursor into the pool's lists of machines by load never moves back, and the time is linear in replicas,
pools and cursor steps however many machines there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.compiled import Compiled
from planner.instance import Instance
from solvers.fleet import CROWD, NONE, POOL, USED, Fleet, change, empty_fleet, holds, plan_of, trial
from solvers.needs import free_replicas
from solvers.place import uncured, unplaced
from solvers.run import Outcome, Run
from solvers.terms import ALLOWED, CAPACITY, SLOTS, Ints, Terms, kernel, terms

_STEPS = 256
_ORDERS = 10
_BATCH = 20_000


class Queues(NamedTuple):
    """Machines by load: for each pool and step a linked list of nodes, each naming a machine.

    A machine whose load rises gets a new node; its old one is stale. P pools, T models, M machines.
    """

    head: Ints  # (P, steps + 1)
    tail: Ints  # (P, steps + 1)
    after: Ints  # (nodes,) next node
    machine: Ints  # (nodes,)
    current: Ints  # (M,) node of each machine
    step: Ints  # (P, T) cursor: lowest step that may hold a machine for t
    node: Ints  # (P, T) cursor: last node of that step seen, or NONE
    used: Ints  # (1,) nodes in use; an older node has a smaller number, which breaks ties


def solve(instance: Instance, run: Run) -> Outcome:
    """Place each replica, in seeded arrival order, on the least-loaded machine that can take it."""
    c = instance.compiled
    x = terms(c)
    free = free_replicas(c)
    rng = np.random.default_rng(run.seed)
    first = None
    for _ in range(_ORDERS):
        arrival = rng.permutation(np.repeat(np.arange(free.size), free))
        fleet, left = _serve(c, x, arrival, rng, run)
        if left.any():
            first = first or unplaced(instance, left, run)
        elif reasons := uncured(instance, plan := plan_of(fleet)):
            first = first or Outcome(reasons=reasons)
        else:
            return Outcome(plan=plan)
        if run.stopping:
            break
    assert first is not None
    return first


def _serve(c: Compiled, x: Terms, arrival: Ints, rng: np.random.Generator, run: Run) -> tuple[Fleet, Ints]:
    """Return the fleet after all arrivals, and how many replicas of each model found no machine."""
    fleet = empty_fleet(c, x)
    queues = _empty_queues(c.allowed.shape, fleet.machine.shape[0], arrival.size)
    _line_up_all(x, fleet, queues, rng.permutation(fleet.machine.shape[0]))
    left = np.zeros(c.replicas.size, dtype=np.int64)
    for batch in np.array_split(arrival, 1 + arrival.size // _BATCH):
        if run.report():
            left += np.bincount(batch, minlength=left.size)
        else:
            _place(x, fleet, queues, batch, c.min_machines, left)
    return fleet, left


def _empty_queues(shape: tuple[int, ...], machines: int, replicas: int) -> Queues:
    nodes = machines + replicas
    return Queues(
        head=np.full((shape[0], _STEPS + 1), NONE),
        tail=np.full((shape[0], _STEPS + 1), NONE),
        after=np.full(nodes, NONE),
        machine=np.zeros(nodes, dtype=np.int64),
        current=np.full(machines, NONE),
        step=np.zeros(shape, dtype=np.int64),
        node=np.full(shape, NONE),
        used=np.zeros(1, dtype=np.int64),
    )


@kernel
def _load(x: Terms, f: Fleet, m: int) -> int:
    """Return the load of machine m in steps: its dominant share of any resource or of its slots."""
    p = f.machine[m, POOL]
    share = f.machine[m, CROWD] / max(x.pool[p, SLOTS], 1)
    for r in range(x.demand.shape[2]):
        if f.machine[m, USED + r] > 0:
            share = max(share, f.machine[m, USED + r] / x.pool[p, CAPACITY + r])
    return int(min(share, 1.0) * _STEPS)


@kernel
def _line_up(x: Terms, f: Fleet, q: Queues, m: int) -> None:
    """Append machine m to the list of its present load; a full one can take nothing more."""
    p = f.machine[m, POOL]
    if f.machine[m, CROWD] >= x.pool[p, SLOTS]:
        q.current[m] = NONE
        return
    step, node = _load(x, f, m), q.used[0]
    q.used[0] += 1
    q.machine[node] = m
    q.current[m] = node
    if q.tail[p, step] == NONE:
        q.head[p, step] = node
    else:
        q.after[q.tail[p, step]] = node
    q.tail[p, step] = node


@kernel
def _line_up_all(x: Terms, f: Fleet, q: Queues, machines: Ints) -> None:
    """Append machines to the lists of their present load, in this order."""
    for i in range(machines.size):
        _line_up(x, f, q, machines[i])


@kernel
def _advance(x: Terms, f: Fleet, q: Queues, p: int, t: int) -> int:
    """Move the cursor of (p, t) to the first machine that can take t; return its node, or NONE."""
    while q.step[p, t] <= _STEPS:
        step, seen = q.step[p, t], q.node[p, t]
        node = q.head[p, step] if seen == NONE else q.after[seen]
        while node != NONE:
            m = q.machine[node]
            if q.current[m] == node and trial(x, f, m, NONE, t, 0)[0]:
                return int(node)
            q.node[p, t] = node
            node = q.after[node]
        q.step[p, t] += 1
        q.node[p, t] = NONE
    return NONE


@kernel
def _fresh(x: Terms, f: Fleet, t: int) -> int:
    """Return the least-loaded machine that can take t and does not hold it, or NONE."""
    best, lowest = NONE, _STEPS + 1
    for m in range(f.machine.shape[0]):
        if holds(f, m, t) == 0:
            load = _load(x, f, m)
            if load < lowest and trial(x, f, m, NONE, t, 0)[0]:
                best, lowest = m, load
    return best


@kernel
def _place(x: Terms, f: Fleet, q: Queues, arrival: Ints, min_machines: Ints, left: Ints) -> None:
    """Place the arriving replicas; count in ``left`` those that no machine can take."""
    for i in range(arrival.size):
        t = arrival[i]
        best = NONE
        if f.spread[t] < min_machines[t]:
            best = _fresh(x, f, t)
        else:
            lowest, oldest = _STEPS + 1, 0
            for p in range(x.pool.shape[0]):
                if x.place[p, t, ALLOWED] and q.step[p, t] <= lowest:
                    node = _advance(x, f, q, p, t)
                    step = q.step[p, t]
                    if node != NONE and (step < lowest or (step == lowest and node < oldest)):
                        best, lowest, oldest = q.machine[node], step, node
        if best == NONE:
            left[t] += 1
        else:
            change(x, f, best, NONE, t)
            _line_up(x, f, q, best)
