"""Heat bath: local search's moves where machines hold many replicas.

There almost every random exchange is refused: for 800 models on 8 machines, annealing tries some thousand
for each that it makes once the plan is good. So a step takes one replica, looks at what it costs to exchange
it with each other and to move it to each machine, and chooses among all of them and staying with
the probabilities of their equilibrium, ``exp(-cost / T) / Z``: the heat bath, or Glauber dynamics. The costs
come from the sums that the fleet keeps per machine and model (``pull``), a few memory reads a candidate.

Those sums know pair costs, background and prices; rules, resources, SLOs and ``min_machines`` they do not
know. The choice is tried with :func:`solvers.anneal.attempt`, which does, and accepted as Metropolis would
if it costs more than was thought; if it is not allowed, another is chosen.

The first temperature is found, not given: it is doubled or halved until the share of steps that move is near
``_RESTLESS``.

Source: R. J. Glauber, "Time-dependent statistics of the Ising model", J. Math. Phys. 4, 1963.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers import anneal
from solvers.anneal import Search, attempt, draw
from solvers.fleet import CROWD, NONE, POOL, Fleet, fits
from solvers.terms import BACKGROUND_COST, BOTH, KIND, PRICE, Ints, Terms, kernel

_NEVER = 2**60  # more than any cost change
_REACH = 16.0  # candidates that cost more temperatures than this above the best are never chosen
_CHOICES = 8  # candidates that are chosen one after the other if they are not allowed
_RESTLESS, _SAMPLE = 0.6, 2_000


class Desk(NamedTuple):
    """Sums that are kept, and room for the candidates of one step.

    N replicas, M machines, K types, T models, C = N + M candidates.
    """

    kind: Ints  # (M,) machine types
    itself: Ints  # (K, T) pair cost of two replicas of one model
    own: Ints  # (N,) what each replica costs where it is: pairs and background
    into: Ints  # (M,) what the replica that is moved would cost on each machine
    onto: Ints  # (T,) what each model would cost in its place
    change: Ints  # (N,) cost change of exchanging it with each other
    partner: Ints  # (C,) the replica to exchange with, or NONE
    place: Ints  # (C,) the machine to go to
    cost: Ints  # (C,) cost change as far as the kept sums know it
    weight: NDArray[np.float64]  # (C,)


def desk(x: Terms, fleet: Fleet, search: Search) -> Desk:
    """Return the desk of a search in the state that it is in."""
    models, machines = fleet.pull.shape
    candidates = search.who.size + machines
    made = Desk(
        kind=x.pool[fleet.machine[:, POOL], KIND].copy(),
        itself=np.diagonal(x.pair[:, :, :, BOTH], axis1=1, axis2=2).copy(),
        own=np.zeros(search.who.size, dtype=np.int64),
        into=np.zeros(machines, dtype=np.int64),
        onto=np.zeros(models, dtype=np.int64),
        change=np.zeros(search.who.size, dtype=np.int64),
        partner=np.zeros(candidates, dtype=np.int64),
        place=np.zeros(candidates, dtype=np.int64),
        cost=np.zeros(candidates, dtype=np.int64),
        weight=np.zeros(candidates),
    )
    for m in range(machines):
        _sum_up(x, fleet, search, made, m)
    return made


def step_ns(fleet: Fleet, search: Search) -> float:
    """Return about how many nanoseconds a step takes."""
    models, machines = fleet.pull.shape
    return 600.0 + 1.6 * int(search.who.size) + 1.5 * int(models) + 4.0 * int(machines)


def restless(x: Terms, f: Fleet, s: Search, d: Desk, scale: float, penalty: int) -> float | None:
    """Return a temperature at which most steps move, found by trying from ``scale`` on; None if none does."""

    def moved(temperature: float) -> float:
        return bathe(x, f, s, d, _SAMPLE, temperature, temperature, penalty) / _SAMPLE

    return anneal.restless(moved, _RESTLESS, scale, within=2.0)


@kernel
def _sum_up(x: Terms, f: Fleet, s: Search, d: Desk, m: int) -> None:
    """Write down what each replica on machine m costs."""
    p = f.machine[m, POOL]
    for i in range(s.room[m], s.room[m] + s.taken[m]):
        r = s.seat[i]
        t = s.who[r]
        d.own[r] = f.pull[t, m] - d.itself[d.kind[m], t] + x.place[p, t, BACKGROUND_COST]


@kernel
def look(x: Terms, f: Fleet, s: Search, d: Desk, a: int, reach: float, penalty: int) -> tuple[int, int]:
    """Write what moving replica a could cost onto the desk; return how many candidates, and the best cost."""
    t, m = s.who[a], s.where[a]
    mine = d.own[a] if m != NONE else penalty
    alone = 0 if m == NONE or f.machine[m, CROWD] > 1 else x.pool[f.machine[m, POOL], PRICE]
    top = int(min(reach, 2.0**59))
    found = best = 0
    for n in range(d.into.size):
        p = f.machine[n, POOL]
        d.into[n] = f.pull[t, n] + x.place[p, t, BACKGROUND_COST] - mine
        if n != m and fits(x, f, n, NONE, t):
            cost = d.into[n] - alone + (x.pool[p, PRICE] if f.machine[n, CROWD] == 0 else 0)
            if cost < top:
                d.partner[found], d.place[found], d.cost[found] = NONE, n, cost
                found += 1
                best = min(best, cost)
    if m == NONE:
        return found, best
    d.into[m] = _NEVER
    _exchange(x, f, s, d, a)
    for b in range(d.change.size):
        if d.change[b] < top and s.where[b] != NONE and s.who[b] != t:
            d.partner[found], d.place[found], d.cost[found] = b, s.where[b], d.change[b]
            found += 1
            best = min(best, d.change[b])
    return found, best


@kernel
def _exchange(x: Terms, f: Fleet, s: Search, d: Desk, a: int) -> None:
    """Write down what exchanging a with each other replica costs."""
    t, m = s.who[a], s.where[a]
    p, k = f.machine[m, POOL], d.kind[m]
    for u in range(d.onto.size):
        d.onto[u] = f.pull[u, m] + x.place[p, u, BACKGROUND_COST] - x.pair[k, t, u, BOTH]
    if d.itself.shape[0] == 1:
        for u in range(d.onto.size):
            d.onto[u] -= x.pair[0, t, u, BOTH]
        for b in range(d.change.size):
            d.change[b] = d.into[s.where[b]] + d.onto[s.who[b]] - d.own[b]
    else:
        for b in range(d.change.size):
            n, u = s.where[b], s.who[b]
            d.change[b] = d.into[n] + d.onto[u] - d.own[b] - x.pair[d.kind[n], t, u, BOTH]


@kernel
def _weigh(d: Desk, found: int, best: int, temperature: float) -> float:
    """Write the weight of each candidate; return their sum and that of staying."""
    total = np.exp(best / temperature)
    for c in range(found):
        above = (d.cost[c] - best) / temperature
        d.weight[c] = np.exp(-above) if above < _REACH else 0.0
        total += d.weight[c]
    return float(total)


@kernel
def _move(
    x: Terms, f: Fleet, s: Search, d: Desk, a: int, found: int, total: float, temperature: float, penalty: int
) -> bool:
    """Choose among the candidates and staying until something is allowed; return whether a moved."""
    for _ in range(_CHOICES):
        left, chosen = draw(s) * total, NONE
        for c in range(found):
            if d.weight[c] > 0.0:
                left -= d.weight[c]
                if left < 0.0:
                    chosen = c
                    break
        if chosen == NONE:
            return False
        limit = d.cost[chosen] - temperature * np.log(draw(s))
        m = s.where[a]
        if attempt(x, f, s, a, d.partner[chosen], d.place[chosen], limit, 0, penalty):
            _sum_up(x, f, s, d, s.where[a])
            if m != NONE:
                _sum_up(x, f, s, d, m)
            return True
        total -= d.weight[chosen]
        d.weight[chosen] = 0.0
    return False


@kernel
def bathe(x: Terms, f: Fleet, s: Search, d: Desk, steps: int, hot: float, cold: float, penalty: int) -> int:
    """Make ``steps`` steps from hot to cold; return how many moved a replica."""
    falling = (cold / hot) ** (1.0 / steps)
    temperature, moved = hot, 0
    for _ in range(steps):
        temperature *= falling
        a = int(draw(s) * s.who.size)
        found, best = look(x, f, s, d, a, _REACH * temperature, penalty)
        if found > 0:
            total = _weigh(d, found, best, temperature)
            if _move(x, f, s, d, a, found, total, temperature, penalty):
                moved += 1
    return moved
