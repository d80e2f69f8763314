"""Pricing: the pattern of a pool that gains most at given prices of the replicas, found exactly.

    gain(c)  =  sum_t (price_t c_t + bonus_t [c_t > 0])  -  cost(c)

is searched depth first, one replica more at each level. A node's *candidates* are the models that may still
be added, by falling gain; the child of candidate i excludes the candidates before it, so each multiset is
seen once. What a candidate gains only falls as the pattern grows, because costs of pairs are not negative;
so does what is allowed, because every rule about one machine is monotone. At each node three bounds cut:

* the r largest gains of candidates, r the slots left;
* of a completion Q with r replicas, the pairs inside cost half of what each of them pays to the r - 1 others,
  at least the r - 1 smallest costs in its row: sum over Q of gain - rowsum(r - 1) / 2, largest for each r;
* the same with resources priced (Lagrange): gain - toll of what it takes + toll of what is free.

Integers all along: the gain that comes out is exact and may enter a proof. Where the search is cut off,
the largest bound of an open node is a proven upper bound instead. A co-location factor multiplies costs:
bounds take the least factor, values the true one. Soft SLOs are in values only.
"""

from __future__ import annotations

from planner.integers import PPM
from solvers.market import NOTHING, Desk, Market
from solvers.terms import kernel


@kernel
def _suffers(x: Market, t: int, reach: int, factor: int) -> int:
    return int(x.background[t] + (reach if factor == PPM else (reach * factor + PPM // 2) // PPM))


@kernel
def _bears(x: Market, w: Desk, d: int, u: int) -> bool:
    """Whether one more replica of u keeps every hard limit at level d."""
    factor = x.least[min(x.pin + d + 1, x.least.size - 1)]
    if _suffers(x, u, w.reach[d, u], factor) > x.limit[u]:
        return False
    for m in range(x.limit.size):
        if w.number[m] > 0 and x.limit[m] < -NOTHING:
            reach = w.reach[d, m] - x.hurt[m, m] + x.hurt[u, m]
            if _suffers(x, m, reach, factor) > x.limit[m]:
                return False
    return True


@kernel
def _room_for(x: Market, w: Desk, d: int, u: int) -> bool:
    for r in range(x.room.size):
        if w.used[d, r] + x.demand[u, r] > x.room[r]:
            return False
    return bool(w.number[u] - x.pinned[u] < x.most[u])


@kernel
def _join(w: Desk, d: int, u: int, gain: int) -> None:
    """Insert a candidate at level d, by falling gain."""
    at = w.size[d]
    while at > 0 and w.gains[d, at - 1] < gain:
        w.models[d, at], w.gains[d, at] = w.models[d, at - 1], w.gains[d, at - 1]
        at -= 1
    w.models[d, at], w.gains[d, at] = u, gain
    w.size[d] += 1


@kernel
def _open(x: Market, w: Desk, keep: bool) -> None:
    """Set up level 0."""
    w.value[0], w.toll[0], w.size[0], w.cursor[0] = x.base, 0, 0, 0
    for r in range(x.room.size):
        w.used[0, r] = 0
    for u in range(x.gain.size):
        w.reach[0, u], w.number[u] = x.reach[u], x.pinned[u]
    for u in range(x.gain.size):
        gain = x.gain[u] + (x.bonus[u] if x.pinned[u] == 0 else 0)
        if (gain > 0 or keep) and _room_for(x, w, 0, u) and (not x.watched or _bears(x, w, 0, u)):
            _join(w, 0, u, gain)


@kernel
def _enter(x: Market, w: Desk, d: int, i: int, first: int, keep: bool) -> None:
    """Add candidate i of level d; level d + 1 then has those from ``first`` on that still fit and gain."""
    t = w.models[d, i]
    w.member[d] = t
    w.number[t] += 1
    w.value[d + 1] = w.value[d] + w.gains[d, i]
    w.toll[d + 1] = w.toll[d] + x.toll[t]
    w.size[d + 1] = w.cursor[d + 1] = 0
    for r in range(x.room.size):
        w.used[d + 1, r] = w.used[d, r] + x.demand[t, r]
    if x.watched or not x.exact:
        for u in range(x.gain.size):
            w.reach[d + 1, u] = w.reach[d, u] + x.hurt[t, u]
    for j in range(first, w.size[d]):
        u = w.models[d, j]
        gain = w.gains[d, j] - x.both[t, u]
        if u == t and w.number[t] == 1:
            gain -= x.bonus[t]
        if u == t and w.number[t] == x.here[t]:
            gain -= x.dear[t]
        if (gain <= 0 and not keep) or x.apart[t, u] or not _room_for(x, w, d + 1, u):
            continue
        if not x.watched or _bears(x, w, d + 1, u):
            _join(w, d + 1, u, gain)


@kernel
def _worth(x: Market, w: Desk, d: int) -> int:
    """Return the exact gain of the pattern at level d; NOTHING if it breaks a limit."""
    if x.exact:
        return int(w.value[d])
    factor = x.factor[min(x.pin + d, x.factor.size - 1)]
    total = -x.price
    for m in range(x.gain.size):
        n = w.number[m]
        if n == 0:
            continue
        suffered = _suffers(x, m, w.reach[d, m] - x.hurt[m, m], factor)
        if suffered > x.limit[m]:
            return NOTHING
        beside = -x.cost[m, m]
        for u in range(x.gain.size):
            beside += x.cost[m, u] * w.number[u]
        if factor != PPM:
            beside = (beside * factor + PPM // 2) // PPM
        each = x.value[m] - (beside << x.shift) - (x.miss[m] if suffered > x.soft[m] else 0)
        total += n * each + x.bonus[m] - max(0, n - x.here[m]) * x.dear[m]
    return int(total)


@kernel
def _bound(x: Market, w: Desk, d: int, first: int, tolled: bool) -> int:
    """Return at least the gain of level d with any candidates from ``first`` on, one or more."""
    best = NOTHING
    for r in range(1, x.slots - d + 1):
        filled = 0
        for i in range(first, w.size[d]):
            t = w.models[d, i]
            score = 2 * w.gains[d, i] - x.row[t, r - 1]
            if tolled:
                score -= 2 * x.toll[t]
            if filled == r and score <= w.top[r - 1]:
                continue
            for copy in range(min(r, x.most[t] + x.pinned[t] - w.number[t])):
                mine = score - (2 * x.bonus[t] if copy > 0 and w.number[t] == 0 else 0)
                if w.number[t] < x.here[t] <= w.number[t] + copy:
                    mine -= 2 * x.dear[t]
                if filled == r and mine <= w.top[r - 1]:
                    break
                at = filled if filled < r else r - 1
                filled = min(filled + 1, r)
                while at > 0 and w.top[at - 1] < mine:
                    w.top[at] = w.top[at - 1]
                    at -= 1
                w.top[at] = mine
        if filled < r:
            break
        total = 1  # rounds the half up
        for i in range(r):
            total += w.top[i]
        total = w.value[d] + (total >> 1) + (x.free - w.toll[d] if tolled else 0)
        best = max(best, total)
        if w.top[r - 1] <= 0:
            break
    return int(best)


@kernel
def _promises(x: Market, w: Desk, d: int, first: int, best: int) -> bool:
    """Whether level d with some candidates from ``first`` on may gain more than ``best``."""
    total, left = w.value[d], x.slots - d
    for i in range(first, w.size[d]):
        if left == 0 or w.gains[d, i] <= 0:
            break
        t = w.models[d, i]
        copies = min(left, x.most[t] + x.pinned[t] - w.number[t])
        total += copies * w.gains[d, i]
        left -= copies
    if first < w.size[d]:
        total += min(0, w.gains[d, first])
    if total <= best:
        return False
    if x.free > 0 and _bound(x, w, d, first, True) <= best:
        return False
    return _bound(x, w, d, first, False) > best


@kernel
def _store(w: Desk, stored: int, d: int, worth: int) -> None:
    for i in range(w.found.shape[1]):
        w.found[stored, i] = w.member[i] if i < d else -1
    w.worth[stored] = worth


@kernel
def search(x: Market, w: Desk, best: int, every: bool, nodes: int) -> tuple[int, int]:
    """Find the pattern that gains most, or every one that gains more than ``best``; the empty one is none.

    Returns how many patterns are in ``w.found``, and a proven upper bound on the gain of all patterns
    (on that of those left out, if ``every``), never below ``best`` as given.

    Parameters
    ----------
    every
        Find all; else each is better than the one before.
    nodes
        The search is cut off after so many, where ``w.found`` is full, and when ``w.stop`` is set.
    """
    keep = every or x.factored
    _open(x, w, keep or x.base > 0 or best < 0)  # one replica may have to do, though none gains
    d, stored, seen = 0, 0, 0
    if x.pin > 0:
        worth = _worth(x, w, 0)
        if worth > best:
            _store(w, stored, 0, worth)
            stored += 1
            best = best if every else worth
    while d >= 0:
        i = w.cursor[d]
        if d >= x.slots or i >= w.size[d] or not _promises(x, w, d, i, best):
            d -= 1
            if d >= 0:
                w.number[w.member[d]] -= 1
            continue
        if seen >= nodes or stored == w.worth.size or w.stop[0] != 0:
            break
        seen += 1
        w.cursor[d] += 1
        _enter(x, w, d, i, i, keep)
        worth = _worth(x, w, d + 1)
        if worth > best:
            _store(w, stored, d + 1, worth)
            stored += 1
            best = best if every else worth
        d += 1
    upper = best
    while d >= 0:
        if w.cursor[d] < w.size[d]:
            open_ = _bound(x, w, d, w.cursor[d], False)
            upper = max(upper, min(open_, _bound(x, w, d, w.cursor[d], True)) if x.free > 0 else open_)
        d -= 1
        if d >= 0:
            w.number[w.member[d]] -= 1
    return stored, int(upper)


@kernel
def grow(x: Market, w: Desk, least: int) -> int:
    """Grow a pattern from each model, always by what gains most; keep those that gain more than ``least``.

    Returns how many patterns are in ``w.found``.
    """
    stored = 0
    if x.slots == 0:
        return stored
    _open(x, w, False)
    for i in range(w.size[0]):
        if stored == w.worth.size:
            break
        _enter(x, w, 0, i, 0, False)
        d, best, depth = 1, _worth(x, w, 1), 1
        while d < x.slots and w.size[d] > 0:
            _enter(x, w, d, 0, 0, False)
            d += 1
            worth = _worth(x, w, d)
            if worth > best:
                best, depth = worth, d
        if best > least:
            _store(w, stored, depth, best)
            stored += 1
        while d > 0:
            d -= 1
            w.number[w.member[d]] -= 1
    return stored
