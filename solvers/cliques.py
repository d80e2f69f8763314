"""Inequalities for few big machines: which replicas cannot all avoid each other.

The *pairs* of an instance are those of replicas that cost something beside each other on whatever machine;
``cost[e]`` is the least that pair e may cost. With z_e = 1 where both are on one machine, every plan costs
at least ``sum_e cost_e z_e``, and on M machines satisfies

    cliques    sum_{e in Q} z_e >= least(|Q|)                       all pairs of Q cost something
    stars      sum_{t in T} z_at - sum_{t < u in T} z_tu <= 1       and so with {a} + T

where least(q) is how many pairs share a machine if q replicas are spread evenly over M. A star holds because
the j replicas of T beside a are beside each other: j - j (j - 1) / 2 <= 1. Cliques force pairs onto machines;
stars keep each replica from paying for many cliques at once with its cheapest pairs.

Sources: S. Chopra, M. R. Rao, "The partition problem", Mathematical Programming 59, 1993; M. Groetschel,
Y. Wakabayashi, "A cutting plane algorithm for a clustering problem", Mathematical Programming 45, 1989.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from solvers.loads import lessened
from solvers.terms import Ints, kernel

MOST_PAIRS = 500_000
_LARGEST = 120  # replicas of a clique
# How much a row must be broken by to count: a clique by this for each root of its pairs, a star in all.
_CLIQUE, _STAR = 0.02, 0.05
_LEAST_SHARE = 1e-3  # of a pair, below which a star is not extended by it
_ROOM = 2_000_000  # entries of the rows that one search can find

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


class Pairs(NamedTuple):
    """The pairs of N replicas that cost something, E in number, as lists of neighbours."""

    first: Ints  # (N + 1,) neighbours of a are near[first[a] : first[a + 1]], in order
    near: Ints  # (2 E,)
    number: Ints  # (2 E,) of that pair
    cost: Ints  # (E,)
    least: Ints  # (_LARGEST + 1,) how many pairs of q replicas share a machine at least


class Rows(NamedTuple):
    """Inequalities ``sum z[plus] - sum z[minus] >= at_least``: cliques, and stars with their signs turned."""

    start: Ints  # (R + 1,) entries of row r are pair[start[r] : start[r + 1]]
    middle: Ints  # (R,) those from middle[r] on are minus
    at_least: Ints  # (R,)
    name: Words  # (R,) equal for equal rows
    pair: Ints


class Desk(NamedTuple):
    """Room to search in, and what was found."""

    found: Rows
    rows: Ints  # (1,) how many were found
    open: Ints  # (N,) replicas that have a pair with all that are in
    share: Floats  # (N,) what these pairs of each come to
    inside: Ints  # (_LARGEST,) replicas that are in


def pairs(c: Compiled) -> Pairs | None:
    """Return the pairs of the replicas of an instance; None if there is none or they are too many.

    What two models cost each other is the least over machine types, co-location factors included.
    """
    least = _least(c)
    t, u = (models.astype(np.int64) for models in np.nonzero(least))
    t, u = t[t <= u], u[t <= u]
    each = c.replicas[t].astype(float) * c.replicas[u]
    if not 0 < each.sum() <= 2 * MOST_PAIRS:
        return None
    which = np.repeat(np.arange(t.size), each.astype(np.int64))
    nth = np.arange(which.size) - np.searchsorted(which, which)
    begin, t, u, cost = np.cumsum(c.replicas) - c.replicas, t[which], u[which], least[t, u][which]
    a, b = begin[t] + nth // c.replicas[u], begin[u] + nth % c.replicas[u]
    once = a < b
    return listed(a[once], b[once], cost[once], int(c.replicas.sum()), int(c.machines.sum()))


def listed(a: Ints, b: Ints, cost: Ints, replicas: int, machines: int) -> Pairs | None:
    """Return pairs ``a[e] < b[e]`` as lists of neighbours; None if there is none or they are too many."""
    if not 0 < a.size <= MOST_PAIRS:
        return None
    one, other, number = np.concatenate([a, b]), np.concatenate([b, a]), np.tile(np.arange(a.size), 2)
    order = np.lexsort((other, one))
    first = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=replicas))])
    full, rest = np.divmod(np.arange(_LARGEST + 1), machines)
    least = machines * (full * (full - 1) // 2) + rest * full
    return Pairs(first, other[order], number[order], cost, least)


def _least(c: Compiled) -> Ints:
    """Return (T, T): the least that a replica of each of two models cost each other on any machine."""
    kinds = np.unique(c.type_of).tolist()
    costs = (lessened(c, c.cost, k, 2) for k in kinds)
    result: Ints = reduce(np.minimum, (x + x.T for x in costs) if c.factored else (c.both[k] for k in kinds))
    return result


def desk(p: Pairs) -> Desk:
    """Return room to search in the pairs."""
    n = p.first.size - 1
    found = Rows(
        start=np.zeros(2 * n + 1, dtype=np.int64),
        middle=np.zeros(2 * n, dtype=np.int64),
        at_least=np.zeros(2 * n, dtype=np.int64),
        name=np.zeros(2 * n, dtype=np.uint64),
        pair=np.zeros(_ROOM, dtype=np.int64),
    )
    only = np.zeros(1, dtype=np.int64)
    return Desk(found, only, np.zeros(n, np.int64), np.zeros(n), np.zeros(_LARGEST, np.int64))


@kernel
def _number(p: Pairs, a: int, b: int) -> int:
    """Return the number of the pair of a and b."""
    low, high = p.first[a], p.first[a + 1]
    while high - low > 1:
        middle = (low + high) // 2
        if p.near[middle] <= b:
            low = middle
        else:
            high = middle
    return int(p.number[low])


@kernel
def _narrow(p: Pairs, d: Desk, many: int, b: int, z: Floats, sign: float) -> int:
    """Keep open only neighbours of b, whose pairs with it count too; return how many are open."""
    i, kept = p.first[b], 0
    for j in range(many):
        a = d.open[j]
        while i < p.first[b + 1] and p.near[i] < a:
            i += 1
        if i < p.first[b + 1] and p.near[i] == a:
            d.open[kept] = a
            d.share[kept] = d.share[j] + sign * z[p.number[i]]
            kept += 1
    return kept


@kernel
def _open(p: Pairs, d: Desk, a: int, z: Floats) -> int:
    """Open the neighbours of a; return how many."""
    many = int(p.first[a + 1] - p.first[a])
    for j in range(many):
        d.open[j] = p.near[p.first[a] + j]
        d.share[j] = z[p.number[p.first[a] + j]]
    return many


@kernel
def _write(d: Desk, end: int, pair: int, minus: int) -> int:
    """Append a pair to the row that is being written, and to its name."""
    mixed = (np.uint64(2 * pair + minus) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    d.found.name[d.rows[0]] += mixed ^ (mixed >> np.uint64(32))
    d.found.pair[end] = pair
    return end + 1


@kernel
def _among(p: Pairs, d: Desk, inside: int) -> int:
    """Begin a row with the pairs of those that are in; return where it ends so far."""
    end = d.found.start[d.rows[0]]
    d.found.name[d.rows[0]] = 0
    for i in range(inside):
        for j in range(i):
            end = _write(d, end, _number(p, d.inside[i], d.inside[j]), 0)
    return int(end)


@kernel
def _close(d: Desk, middle: int, end: int, at_least: int) -> None:
    """End the row that is being written."""
    row = d.rows[0]
    d.found.middle[row], d.found.start[row + 1], d.found.at_least[row] = middle, end, at_least
    d.rows[0] = row + 1


@kernel
def _clique(p: Pairs, d: Desk, a: int, z: Floats, noise: Floats) -> None:
    """Grow a clique from replica a by those that add least; write what of it is broken most, if it is."""
    many, inside, total, best, broken = _open(p, d, a, z), 1, 0.0, 0, _CLIQUE
    d.inside[0] = a
    while many > 0 and inside < d.inside.size:
        i = 0
        for j in range(many):
            if d.share[j] + noise[d.open[j]] < d.share[i] + noise[d.open[i]]:
                i = j
        b = d.open[i]
        d.inside[inside] = b
        inside += 1
        total += d.share[i]
        by = (p.least[inside] - total) / np.sqrt(inside * (inside - 1) / 2)
        if by > broken:
            best, broken = inside, by
        many = _narrow(p, d, many, b, z, 1.0)
    if best > 0:
        end = _among(p, d, best)
        _close(d, end, end, p.least[best])


@kernel
def _star(p: Pairs, d: Desk, a: int, z: Floats) -> None:
    """Choose neighbours of replica a one by one, always the one that helps most; write the star if broken."""
    many, inside, total = _open(p, d, a, z), 0, 0.0
    while many > 0 and inside < d.inside.size:
        i = 0
        for j in range(many):
            if d.share[j] > d.share[i]:
                i = j
        if d.share[i] < _LEAST_SHARE:
            break
        b = d.open[i]
        d.inside[inside] = b
        inside += 1
        total += d.share[i]
        many = _narrow(p, d, many, b, z, -1.0)
    if total > 1.0 + _STAR:
        middle = end = _among(p, d, inside)
        for i in range(inside):
            end = _write(d, end, _number(p, a, d.inside[i]), 1)
        _close(d, middle, end, -1)


@kernel
def search(p: Pairs, d: Desk, z: Floats, noise: Floats, first: int) -> None:
    """Write rows that z breaks, from each replica at most one of each kind, the replica ``first`` first.

    It ends early where the largest row may no longer find room.
    """
    d.rows[0], n = 0, p.first.size - 1
    for i in range(n):
        if d.found.start[d.rows[0]] + 2 * d.inside.size**2 > d.found.pair.size:
            break
        a = (first + i) % n
        _clique(p, d, a, z, noise)
        _star(p, d, a, z)
