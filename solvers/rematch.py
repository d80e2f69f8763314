"""Re-matching: an exact search of a very large neighbourhood, for many small machines.

Take n machines and lift some replicas from each: its *part*; what stays is its *stub*. With a_ij the cost
of part j on stub i (infinite where a rule forbids it), the best way to give each stub one part is an
assignment problem,

    minimise  sum_ij a_ij z_ij    subject to  sum_j z_ij = 1,  sum_i z_ij = 1,  z_ij in {0, 1},

one of whose n! solutions is what was there before: the cost never rises, and all n machines change at
once where no move of two or three replicas would pay. The sizes of the parts are random, so machines can
also end up with more or fewer replicas. A replica that is nowhere is a part too, beside a stub that is
no machine and takes any part at a penalty: so replicas come home by chains of any length.

Source: R. K. Ahuja, O. Ergun, J. B. Orlin, A. P. Punnen, "A Survey of Very Large-Scale Neighborhood
Search Techniques", 2002; the assignment by D. F. Crouse, "On Implementing 2D Rectangular Assignment
Algorithms", 2016, in scipy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from solvers.anneal import Search, draw, rise, sit
from solvers.fleet import NONE, Fleet, change, trial
from solvers.terms import Ints, Terms, kernel

Floats = NDArray[np.float64]


@kernel
def _lift(x: Terms, f: Fleet, s: Search, stub: Ints, part: Ints) -> None:
    """Take a random part of free replicas from each machine; every second time a smaller one.

    ``stub`` (n,) names the machines; row i of ``part`` (n, size) is filled with replicas, then NONE. Replicas
    of a model that could end up on fewer machines than ``min_machines`` stay where they are.
    """
    for i in range(stub.size):
        m, lifted = stub[i], 0
        if m == NONE:
            continue
        most = int(draw(s) * (part.shape[1] + 1.0)) if draw(s) < 0.5 else part.shape[1]
        for j in range(s.taken[m]):
            at, other = s.room[m] + j, s.room[m] + j + int(draw(s) * (s.taken[m] - j))
            r, moved = s.seat[other], s.seat[at]
            s.seat[at], s.seat[other] = r, moved
            s.place[r], s.place[moved] = at, other
            least = s.min_machines[s.who[r]]
            if lifted < most and (least == 0 or f.spread[s.who[r]] - stub.size >= least):
                part[i, lifted] = r
                lifted += 1
        for r in part[i, :lifted]:
            change(x, f, m, s.who[r], NONE)


@kernel
def _price(x: Terms, f: Fleet, stub: Ints, kinds: Ints, penalty: int, cost: Floats) -> None:
    """Fill ``cost`` (n, U) with what parts of the models ``kinds`` (U, size) cost on each stub."""
    for i in range(stub.size):
        m = stub[i]
        for j in range(kinds.shape[0]):
            total, come = 0.0, 0
            for t in kinds[j]:
                if t == NONE:
                    break
                if m == NONE:
                    total += penalty
                    continue
                allowed, added = trial(x, f, m, NONE, t, 0)
                if not allowed:
                    total = np.inf
                    break
                total += added
                change(x, f, m, NONE, t)
                come += 1
            for b in range(come):
                change(x, f, m, kinds[j, b], NONE)
            cost[i, j] = total


@kernel
def _put(x: Terms, f: Fleet, s: Search, stub: Ints, part: Ints, match: Ints) -> None:
    """Give stub i the part that ``match[i]`` says."""
    for i in range(stub.size):
        for r in part[i]:
            if r != NONE:
                rise(s, r)
    for i in range(stub.size):
        for r in part[match[i]]:
            if r != NONE:
                sit(s, r, stub[i])
                if stub[i] != NONE:
                    change(x, f, stub[i], NONE, s.who[r])


def rematch(x: Terms, f: Fleet, s: Search, machines: Ints, size: int, penalty: int) -> int:
    """Lift parts of up to ``size`` replicas from ``machines`` and give them back at least cost.

    Replicas that are nowhere take part. Returns the change of the cost, penalties included: never above 0.

    Parameters
    ----------
    machines
        Distinct machines, shape (n,); the time grows a little faster than n squared.
    penalty
        The cost of a replica that is nowhere.
    """
    nowhere = np.flatnonzero(s.where == NONE)[: machines.size]
    stub = np.concatenate([machines, np.full(nowhere.size, NONE)])
    part = np.full((stub.size, size), NONE, dtype=np.int64)
    part[machines.size :, 0] = nowhere
    _lift(x, f, s, stub, part)
    models = np.where(part == NONE, NONE, s.who[part])
    kinds, kind = np.unique(-np.sort(-models, axis=1), axis=0, return_inverse=True)
    by_kind = np.empty((stub.size, kinds.shape[0]))
    _price(x, f, stub, kinds, penalty, by_kind)
    cost = by_kind[:, kind.ravel()]
    stuck = np.flatnonzero(np.isinf(np.diag(cost)))  # a falling factor: on the way back some SLO is missed
    cost[stuck, :] = cost[:, stuck] = np.inf
    cost[stuck, stuck] = 0.0
    match: Ints = linear_sum_assignment(cost)[1].astype(np.int64)
    same = np.arange(stub.size)
    gain = int(cost[same, match].sum() - cost[same, same].sum())
    _put(x, f, s, stub, part, match)
    s.cost[0] += gain
    s.penalised[0] += np.count_nonzero(s.where[part[part != NONE]] == NONE) - nowhere.size
    return gain
