"""Simulated annealing over single replicas: the compiled inner loop of ``local_search``.

A state is where each free replica is; NONE is nowhere, at a penalty, so that a start that places only
some replicas is repaired by the same moves. A move takes a random replica and relocates it to a random
machine, or exchanges it with a random replica of another model, or turns a ring of three: each of three
replicas goes to the machine of the next. Its cost change d comes from two or three calls of
:func:`solvers.fleet.trial`; it is accepted if d <= -T ln(u), u uniform on (0, 1) (Metropolis et al.,
1953; Kirkpatrick et al., 1983). A model on fewer machines than ``min_machines`` pays the penalty for
each that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from solvers.fleet import NONE, POOL, Fleet, change, holds, trial
from solvers.terms import Ints, Terms, inlined, kernel

SPREAD = np.uint64(2685821657736338717)
_RELOCATE, _RING = 0.4, 0.05  # shares of the moves; the rest are exchanges
_TRIES, _STUCK = 30, 3  # temperatures that are tried; doublings without a move after which nothing can


class Search(NamedTuple):
    """What the loop works on besides the fleet. N free replicas, T models."""

    who: Ints  # (N,) model of each replica
    where: Ints  # (N,) its machine, or NONE
    seat: Ints  # (seats,) replicas by machine
    room: Ints  # (M + 1,) the seats of machine m are room[m] : room[m + 1]
    taken: Ints  # (M,) how many of them are taken, from the first on
    place: Ints  # (N,) the seat of each replica
    min_machines: Ints  # (T,)
    cost: Ints  # (1,) cost of the state beyond that of the start, penalties included
    penalised: Ints  # (1,) penalties in the state: replicas nowhere and machines missing
    random: NDArray[np.uint64]  # (1,) state of the generator


def start_search(c: Compiled, fleet: Fleet, who: Ints, where: Ints, seed: int) -> Search:
    """Return the search state of free replicas of models ``who`` on machines ``where`` (or NONE)."""
    missing = int(np.maximum(c.min_machines - fleet.spread, 0).sum() + (where == NONE).sum())
    pool = fleet.machine[:, POOL]
    most = np.minimum(np.minimum(c.most_per_machine().sum(axis=1), c.slots), who.size)
    room = np.concatenate([[0], np.cumsum(np.maximum(most, 0)[pool])])
    s = Search(
        who=who,
        where=where,
        seat=np.zeros(int(room[-1]), dtype=np.int64),
        room=room,
        taken=np.zeros(pool.size, dtype=np.int64),
        place=np.zeros(who.size, dtype=np.int64),
        min_machines=c.min_machines.copy(),  # one type for the compiler, whatever the level
        cost=np.zeros(1, dtype=np.int64),
        penalised=np.array([missing]),
        random=np.random.default_rng(seed).integers(1, 2**63, 1).astype(np.uint64),
    )
    _sit_all(s)
    return s


def restless(moved: Callable[[float], float], share: float, scale: float, within: float) -> float | None:
    """Return a temperature at which more than this share of the moves is made; None if nothing can move.

    Parameters
    ----------
    moved
        Makes moves at a temperature; returns the share that was made.
    scale
        The first temperature to try; it is doubled or halved until two enclose the share.
    within
        How many times the lower of the two the higher may be, at most 2; it is returned.
    """
    low, high, temperature, most = 0.0, np.inf, scale, 0.0
    for tries in range(_TRIES):
        made = moved(temperature)
        most = max(most, made)
        if most == 0.0 and tries == _STUCK:
            return None
        if made > share:
            high = temperature
        else:
            low = temperature
        if high <= within * low:
            break
        temperature = (
            2.0 * low if high == np.inf else 0.5 * high if low == 0.0 else float(np.sqrt(low * high))
        )
    return temperature if high == np.inf else float(high)


@kernel
def _sit_all(s: Search) -> None:
    for r in range(s.who.size):
        sit(s, r, s.where[r])


@kernel
def sit(s: Search, r: int, m: int) -> None:
    """Give replica r the next seat of machine m."""
    s.where[r] = m
    if m != NONE:
        s.place[r] = s.room[m] + s.taken[m]
        s.seat[s.place[r]] = r
        s.taken[m] += 1


@kernel
def rise(s: Search, r: int) -> None:
    """Take replica r from its seat; the last one of its machine moves up."""
    m = s.where[r]
    if m != NONE:
        s.taken[m] -= 1
        last = s.seat[s.room[m] + s.taken[m]]
        s.seat[s.place[r]] = last
        s.place[last] = s.place[r]


@inlined
def stirred(z: np.uint64) -> np.uint64:
    """Return the next state of the generator (xorshift64*, Vigna 2016); times ``SPREAD``, it is random."""
    z ^= z >> np.uint64(12)
    z ^= z << np.uint64(25)
    z ^= z >> np.uint64(27)
    return z


@kernel
def draw(s: Search) -> float:
    """Return a random number in (0, 1)."""
    z = stirred(s.random[0])
    s.random[0] = z
    return float(((z * SPREAD) >> np.uint64(11)) + np.uint64(1)) / 9007199254740994.0


@kernel
def _missing(f: Fleet, s: Search, t: int, gained: int) -> int:
    """Return how the machines missing for ``min_machines`` change if t gains this many."""
    least = s.min_machines[t]
    if least == 0 or gained == 0:
        return 0
    return int(max(least - f.spread[t] - gained, 0) - max(least - f.spread[t], 0))


@kernel
def _gain(f: Fleet, m: int, out: int, inn: int, t: int) -> int:
    """Return by how many machines (-1, 0 or 1) model t spreads as m gives ``out`` and gets ``inn``."""
    if m == NONE or out == inn:
        return 0
    if inn == t:
        return 1 if holds(f, m, t) == 0 else 0
    if out == t:
        return -1 if holds(f, m, t) == 1 else 0
    return 0


@kernel
def _short(f: Fleet, s: Search, t: int, m: int, n: int, u: int) -> int:
    """Return how the machines missing for t change as it goes from m to n and u comes back."""
    if s.min_machines[t] == 0:
        return 0
    return _missing(f, s, t, _gain(f, m, t, u, t) + _gain(f, n, u, t, t))


@kernel
def _swap_in(
    x: Terms, f: Fleet, m: int, out: int, inn: int, threshold: int, penalty: int
) -> tuple[bool, int]:
    """Like ``trial``, where m may be NONE: there a replica costs the penalty."""
    if m == NONE:
        return True, (penalty if inn != NONE else 0) - (penalty if out != NONE else 0)
    return trial(x, f, m, out, inn, threshold)


@kernel
def attempt(
    x: Terms, f: Fleet, s: Search, a: int, b: int, to: int, limit: float, threshold: int, penalty: int
) -> bool:
    """Exchange replicas a and b, or move a to machine ``to`` if b is NONE, if it costs at most limit."""
    t, m = s.who[a], s.where[a]
    u = s.who[b] if b != NONE else NONE
    n = s.where[b] if b != NONE else to
    if m == n or t == u:
        return False
    allowed, d = _swap_in(x, f, n, u, t, threshold, penalty)
    if not allowed:
        return False
    allowed, back = _swap_in(x, f, m, t, u, threshold, penalty)
    d += back
    if not allowed or d > limit + penalty:
        return False
    short = _short(f, s, t, m, n, u)
    if u != NONE:
        short += _short(f, s, u, n, m, t)
    d += short * penalty
    if d > limit:
        return False
    if m != NONE:
        change(x, f, m, t, u)
    if n != NONE:
        change(x, f, n, u, t)
    rise(s, a)
    if b != NONE:
        rise(s, b)
        sit(s, b, m)
    sit(s, a, n)
    s.cost[0] += d
    s.penalised[0] += short - (1 if m == NONE and b == NONE else 0)
    return True


@kernel
def _ring(x: Terms, f: Fleet, s: Search, a: int, b: int, c: int, limit: float, threshold: int) -> bool:
    """Move a to b's machine, b to c's and c to a's, if it costs at most limit."""
    i, j, k = s.where[a], s.where[b], s.where[c]
    t, u, v = s.who[a], s.who[b], s.who[c]
    if i in (j, k, NONE) or j in (k, NONE) or k == NONE or t in (u, v) or u == v:
        return False
    if s.min_machines[t] + s.min_machines[u] + s.min_machines[v] > 0:
        return False
    allowed, d = trial(x, f, j, u, t, threshold)
    if not allowed:
        return False
    allowed, more = trial(x, f, k, v, u, threshold)
    if not allowed:
        return False
    d += more
    allowed, more = trial(x, f, i, t, v, threshold)
    d += more
    if not allowed or d > limit:
        return False
    change(x, f, j, u, t)
    change(x, f, k, v, u)
    change(x, f, i, t, v)
    for r in (a, b, c):
        rise(s, r)
    sit(s, a, j)
    sit(s, b, k)
    sit(s, c, i)
    s.cost[0] += d
    return True


@kernel
def settle(x: Terms, f: Fleet, s: Search, a: int, threshold: int, penalty: int) -> bool:
    """Put replica a, which is nowhere, on the machine where it costs least; False if none takes it."""
    t, best, least = s.who[a], NONE, 0
    for m in range(f.machine.shape[0]):
        allowed, d = trial(x, f, m, NONE, t, threshold)
        if allowed:
            d += _missing(f, s, t, _gain(f, m, NONE, t, t)) * penalty
            if best == NONE or d < least:
                best, least = m, d
    limit = float(least) + 1.0
    return best != NONE and attempt(x, f, s, a, NONE, best, limit, threshold, penalty)


@kernel
def anneal(
    x: Terms, f: Fleet, s: Search, steps: int, hot: float, cold: float, threshold: int, penalty: int
) -> None:
    """Try ``steps`` random moves from hot to cold."""
    replicas, machines = s.who.size, f.machine.shape[0]
    falling = (cold / hot) ** (1.0 / steps)
    temperature = hot
    for _ in range(steps):
        temperature *= falling
        limit = -temperature * np.log(draw(s))
        kind = draw(s)
        a = int(draw(s) * replicas)
        if kind < _RELOCATE:
            attempt(x, f, s, a, NONE, int(draw(s) * machines), limit, threshold, penalty)
        elif kind < 1.0 - _RING:
            attempt(x, f, s, a, int(draw(s) * replicas), NONE, limit, threshold, penalty)
        else:
            b, c = int(draw(s) * replicas), int(draw(s) * replicas)
            _ring(x, f, s, a, b, c, limit, threshold)
