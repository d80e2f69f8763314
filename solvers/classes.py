"""Machines in classes, for rules that place all replicas of a model one after the other.

Machines of one pool that carry the same pattern are one *class* with a number of copies. A rule
gives each class a key for the model at hand, and the replica goes to the class with the lowest key:
a copy of that class becomes a machine of the class with one more replica. While the new class has a
lower key than the old one, the same machine goes on receiving; after that all copies of the old class
come before any of the new (ties go to the older class). So all copies move at once, by whole chains of
arrivals: a million replicas are placed in thousands of steps, and the result is exactly that of
placing them one by one.

No two classes are alike as long as each model is placed once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from planner.compiled import UNLIMITED, Compiled
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan
from solvers.fleet import (
    BASE,
    CROWD,
    DEGRADATION,
    NONE,
    POOL,
    SIZE,
    USED,
    Fleet,
    change,
    empty_fleet,
    holds,
    trial,
)
from solvers.needs import free_replicas, widths
from solvers.place import uncured, unplaced
from solvers.run import Outcome, Run
from solvers.terms import CAPACITY, KIND, SLOTS, Ints, Terms, kernel, terms

#: Rules: what the key of a class is when a replica of t would come.
BY_COST = 0  #: what it adds to the objective
BY_FIT = 1  #: what it leaves free of the scarcest resource
BY_SCORE = 2  #: minus the score of the Kubernetes scheduler

REFUSED = UNLIMITED
_FEW = 128  # classes, of which any number may have no copies left


class Classes(NamedTuple):
    """Classes as the machines of a :class:`Fleet`, with how many copies of each there are."""

    fleet: Fleet
    copies: Ints  # (capacity,)
    width: Ints  # (P,) entries that a class of the pool may need
    used: Ints  # (1,) classes in use
    key: Ints  # (capacity,) scratch: key of each class for the model at hand
    heap: Ints  # (capacity,) scratch: classes that can take it, as a binary heap by key


def pools_as_classes(c: Compiled, x: Terms, capacity: int) -> Classes:
    """Return one class for each pool, its machines with their pinned replicas only."""
    one_each = empty_fleet(c, x, machines=np.ones_like(c.machines))
    pools = c.machines.size
    spread = (np.minimum(c.pinned, 1) * c.machines[:, None]).sum(axis=0)
    scratch = np.zeros(pools, dtype=np.int64)
    g = Classes(
        fleet=Fleet(one_each.machine, one_each.entry, spread, one_each.pull),
        copies=c.machines.copy(),
        width=widths(c),
        used=np.array([pools]),
        key=scratch,
        heap=scratch.copy(),
    )
    return grown(g, max(capacity, 2 * pools))


def grown(g: Classes, room: int) -> Classes:
    """Return the same classes with room for this many."""
    entries = room * int(g.width.max(initial=0))
    f = g.fleet
    fleet = Fleet(_padded(f.machine, room), _padded(f.entry, entries), f.spread, f.pull)
    copies, key, heap = (_padded(array, room) for array in (g.copies, g.key, g.heap))
    return Classes(fleet, copies, g.width, g.used, key, heap)


def _padded(array: Ints, size: int) -> Ints:
    result = np.zeros((max(size, array.shape[0]), *array.shape[1:]), dtype=np.int64)
    result[: array.shape[0]] = array
    return result


def plan_of_classes(g: Classes) -> Plan:
    """Return the plan that the classes stand for."""
    there = np.flatnonzero(g.copies[: g.used[0]])
    machine = g.fleet.machine[there].tolist()
    entry = g.fleet.entry
    return Plan.from_patterns(
        (row[POOL], copies, dict(entry[row[BASE] : row[BASE] + row[SIZE], :DEGRADATION].tolist()))
        for row, copies in zip(machine, g.copies[there].tolist(), strict=True)
    )


@kernel
def _key(x: Terms, g: Classes, m: int, t: int, rule: int, scarcest: int) -> int:
    """Return the key of class m for a replica of t, or REFUSED."""
    allowed, cost = trial(x, g.fleet, m, NONE, t, 0)
    if not allowed:
        return REFUSED
    if rule == BY_COST:
        return int(cost)
    machine = g.fleet.machine[m]
    p, resources = machine[POOL], x.demand.shape[2]
    k = x.pool[p, KIND]
    if rule == BY_FIT:
        if scarcest == resources:
            return int(x.pool[p, SLOTS] - machine[CROWD] - 1)
        return int(x.pool[p, CAPACITY + scarcest] - machine[USED + scarcest] - x.demand[k, t, scarcest])
    total = squares = 0.0
    counted = 0
    for r in range(resources):
        if x.pool[p, CAPACITY + r] > 0:
            share = (machine[USED + r] + x.demand[k, t, r]) / x.pool[p, CAPACITY + r]
            total += share
            squares += share * share
            counted += 1
    if counted == 0:  # nothing but slots to go by
        return int((machine[CROWD] + 1) / x.pool[p, SLOTS] * PPM)
    mean = total / counted
    spread = max(squares / counted - mean * mean, 0.0) ** 0.5
    return int((mean + spread) * PPM)  # least allocated: 1 - mean; balanced: 1 - spread


@kernel
def _split(x: Terms, g: Classes, m: int, copies: int, t: int, arrivals: int) -> int:
    """Turn copies of class m into a new class with ``arrivals`` more replicas of t; return it."""
    f, new = g.fleet, g.used[0]
    g.used[0] += 1
    for column in range(f.machine.shape[1]):
        f.machine[new, column] = f.machine[m, column]
    before = new - 1
    f.machine[new, BASE] = f.machine[before, BASE] + g.width[f.machine[before, POOL]]
    for i in range(f.machine[m, SIZE]):
        for column in range(3):
            f.entry[f.machine[new, BASE] + i, column] = f.entry[f.machine[m, BASE] + i, column]
    held = holds(f, m, t) > 0
    for _ in range(arrivals):
        change(x, f, new, NONE, t)
    if not held:
        f.spread[t] += copies - 1
    g.copies[m] -= copies
    g.copies[new] = copies
    return int(new)


@kernel
def _compact(g: Classes) -> None:
    """Drop the classes that have no copies left; the others keep their order."""
    f, kept, base = g.fleet, 0, 0
    for m in range(g.used[0]):
        if g.copies[m] == 0:
            continue
        for i in range(f.machine[m, SIZE]):
            for column in range(3):
                f.entry[base + i, column] = f.entry[f.machine[m, BASE] + i, column]
        for column in range(f.machine.shape[1]):
            f.machine[kept, column] = f.machine[m, column]
        f.machine[kept, BASE] = base
        g.copies[kept] = g.copies[m]
        base += g.width[f.machine[kept, POOL]]
        kept += 1
    g.used[0] = kept


@kernel
def _sift(g: Classes, size: int, at: int) -> None:
    """Restore the heap below ``at``; equal keys go to the older class."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        a, b = g.heap[child], g.heap[min(child + 1, size - 1)]
        if g.key[b] < g.key[a] or (g.key[b] == g.key[a] and b < a):
            child, a = child + 1, b
        top = g.heap[at]
        if g.key[top] < g.key[a] or (g.key[top] == g.key[a] and top < a):
            return
        g.heap[at], g.heap[child] = a, top
        at = child


@kernel
def _push(g: Classes, size: int, m: int) -> None:
    """Add class m to a heap of ``size`` classes."""
    at = size
    g.heap[at] = m
    while at > 0:
        parent = (at - 1) // 2
        above = g.heap[parent]
        if g.key[above] < g.key[m] or (g.key[above] == g.key[m] and above < m):
            return
        g.heap[at], g.heap[parent] = above, m
        at = parent


@kernel
def fill(x: Terms, g: Classes, t: int, number: int, fresh: bool, rule: int, scarcest: int) -> int:
    """Place up to ``number`` replicas of t by the rule; return how many are left.

    With ``fresh``, only on machines that do not hold t. Returns early when the room for new classes
    is used up: grow and call again.
    """
    size = 0
    for m in range(g.used[0]):
        if g.copies[m] > 0 and not (fresh and holds(g.fleet, m, t) > 0):
            g.key[m] = _key(x, g, m, t, rule, scarcest)
            if g.key[m] != REFUSED:
                g.heap[size] = m
                size += 1
    for at in range(size // 2, -1, -1):
        _sift(g, size, at)
    while number > 0 and size > 0 and g.used[0] < g.copies.size:
        m = g.heap[0]
        new = _split(x, g, m, 1, t, 1)
        chain = 1
        g.key[new] = REFUSED if fresh else _key(x, g, new, t, rule, scarcest)
        while g.key[new] < g.key[m] and chain < number:
            change(x, g.fleet, new, NONE, t)
            chain += 1
            g.key[new] = _key(x, g, new, t, rule, scarcest)
        more = min(g.copies[m], number // chain - 1)
        g.copies[new] += more
        g.copies[m] -= more
        number -= (more + 1) * chain
        if more > 0 and holds(g.fleet, m, t) == 0:
            g.fleet.spread[t] += more
        if g.copies[m] == 0:
            size -= 1
            g.heap[0] = g.heap[size]
            _sift(g, size, 0)
        if g.key[new] != REFUSED:
            _push(g, size, new)
            size += 1
    return int(number)


def place(instance: Instance, run: Run, order: Ints, rule: int, *, scarcest: int = 0) -> Outcome:
    """Place every model's replicas by a rule, model after model in the given order.

    The first ``min_machines`` replicas of a model go to machines that do not hold it yet.

    Parameters
    ----------
    order
        The models, shape (T,).
    scarcest
        For ``BY_FIT``: the resource that decides; the number of resources stands for slots.
    """
    c = instance.compiled
    x = terms(c)
    left = free_replicas(c)
    g, crowded = pools_as_classes(c, x, capacity=1024), _FEW
    for t in order.tolist():
        if g.used[0] > crowded:
            _compact(g)
            crowded = max(_FEW, 2 * int(g.used[0]))
        spreading = min(max(int(c.min_machines[t] - g.fleet.spread[t]), 0), int(left[t]))
        for fresh, number in ((True, spreading), (False, int(left[t]) - spreading)):
            wanted = number
            while wanted > 0 and not run.report():
                rest = fill(x, g, t, wanted, fresh, rule, scarcest)
                left[t] -= wanted - rest
                if rest and int(g.used[0]) < g.copies.size:
                    break  # room for classes, none for replicas
                wanted = rest
                g = grown(g, 2 * g.copies.size) if rest else g
    if left.any():
        return unplaced(instance, left, run)
    plan = plan_of_classes(g)
    reasons = uncured(instance, plan)
    return Outcome(reasons=reasons) if reasons else Outcome(plan=plan)
