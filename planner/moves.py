"""How many replicas move between what runs today and a plan, machine by machine.

Machines are alike within a pool, so which of them becomes which is a choice: the one in which most replicas
stay. With s(a, b) = sum_t min(a_t, b_t) replicas that stay where pattern a becomes b, that is

    max  sum s(a, b) x(a, b)   s.t.   sum_b x(a, b) <= machines of a,   sum_a x(a, b) <= machines of b

a transportation problem whose vertices are integers. It is solved as a linear program (HiGHS), and where more
than :data:`_PAIRS` patterns have anything in common by taking the pairs that keep most first, after those
that are equal (for which that is optimal).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, vstack

from planner.current import Current, Holding, Turn
from planner.plan import Plan

Ints = NDArray[np.int64]

_PAIRS = 300_000


def turns(now: Current, plan: Plan) -> tuple[Turn, ...]:
    """Return what each machine becomes, so that as many replicas as possible stay."""
    found: list[Turn] = []
    for p in range(now.instance.compiled.machines.size):
        before = [h for h in now.holdings if h.pool == p]
        after = [Holding(q, machines, counts) for q, machines, counts in plan.patterns() if q == p]
        rest = sum(h.machines for h in before) - sum(h.machines for h in after)
        found += _matched(before, [*after, Holding(p, rest, {})] if rest else after)
    return tuple(found)


def moved(now: Current, became: Sequence[Turn]) -> int:
    """Return how many replicas leave their machine for another; new ones that are placed do not count."""
    return int(now.kept.sum()) - sum(turn.machines * turn.stays for turn in became)


def _matched(before: list[Holding], after: list[Holding]) -> Iterator[Turn]:
    """Yield pairs that use up the machines of both sides, which are as many."""
    left = np.array([h.machines for h in before], dtype=np.int64)
    wanted = np.array([h.machines for h in after], dtype=np.int64)
    for a, b, number in _kept_apart(before, after, left, wanted):
        left[a] -= number
        wanted[b] -= number
        yield Turn(before[a].pool, number, before[a].counts, after[b].counts)
    a = 0
    for b in np.flatnonzero(wanted).tolist():
        while wanted[b]:
            a += int(left[a] == 0)
            number = int(min(left[a], wanted[b]))
            if number:
                left[a] -= number
                wanted[b] -= number
                yield Turn(before[a].pool, number, before[a].counts, after[b].counts)


def _kept_apart(
    before: list[Holding], after: list[Holding], left: Ints, wanted: Ints
) -> Iterator[tuple[int, int, int]]:
    """Yield (a, b, machines) of pairs with replicas that stay."""
    left, wanted = left.copy(), wanted.copy()
    same = {frozenset(h.counts.items()): b for b, h in enumerate(after)}
    for a, held in enumerate(before):
        b = same.get(frozenset(held.counts.items()))
        if b is not None and held.counts and (number := int(min(left[a], wanted[b]))):
            left[a] -= number
            wanted[b] -= number
            yield a, b, number
    old, new = np.flatnonzero(left), np.flatnonzero(wanted)
    if not old.size or not new.size:
        return
    stays = _stays([before[i] for i in old], [after[i] for i in new])
    machines = (_transported if stays.nnz <= _PAIRS else _greedily)(stays, left[old], wanted[new])
    for at in np.flatnonzero(machines).tolist():
        yield int(old[stays.row[at]]), int(new[stays.col[at]]), int(machines[at])


def _stays(before: list[Holding], after: list[Holding]) -> coo_array:
    """Return (A, B), sparse: how many replicas stay where a becomes b."""
    most = max((n for h in (*before, *after) for n in h.counts.values()), default=0)
    models = max((t for h in (*before, *after) for t in h.counts), default=0) + 1

    def incidence(holdings: list[Holding]) -> csr_array:
        each = ((i, t, n) for i, h in enumerate(holdings) for t, n in h.counts.items())
        entries = [(i, t * most + j) for i, t, n in each for j in range(n)]
        row, column = np.array(entries, dtype=np.int64).reshape(-1, 2).T
        ones = np.ones(row.size, dtype=np.int64)
        return csr_array((ones, (row, column)), shape=(len(holdings), models * most + 1))

    return coo_array(incidence(before) @ incidence(after).T)


def _transported(stays: coo_array, left: Ints, wanted: Ints) -> Ints:
    """Return (E,): machines of each pair, by linear programming."""
    if not stays.nnz:
        return np.zeros(0, dtype=np.int64)
    at, one = np.arange(stays.nnz), np.ones(stays.nnz)
    rows = coo_array((one, (stays.row, at)), shape=(left.size, stays.nnz))
    columns = coo_array((one, (stays.col, at)), shape=(wanted.size, stays.nnz))
    limits = np.concatenate([left, wanted]).astype(float)
    solved = linprog(-stays.data.astype(float), vstack([rows, columns]), limits, method="highs-ds")
    number: Ints = np.rint(solved.x).astype(np.int64)
    return number


def _greedily(stays: coo_array, left: Ints, wanted: Ints) -> Ints:
    """Return (E,): machines of each pair, those that keep most first."""
    number = np.zeros(stays.nnz, dtype=np.int64)
    for at in np.argsort(-stays.data, kind="stable").tolist():
        a, b = stays.row[at], stays.col[at]
        number[at] = min(left[a], wanted[b])
        left[a] -= number[at]
        wanted[b] -= number[at]
    return number
