"""Integer plans over the patterns that are known: settle most machines, plan the others anew.

A few machines are *open*; what the settled ones leave is covered by a small integer program over patterns
that are likely to be in good plans, replicas that find no machine at a penalty.

* From a fractional solution, machines that it fills with whole numbers of a pattern are settled; as many
  as there are rows are open. If replicas stay short, more are opened: where memory is scarce the last
  machines alone cannot hold the last replicas.
* From a plan, some random machines are opened, over and over, for as long as there is time (large
  neighbourhood search, Shaw 1998), those more often whose patterns look dear at the prices of the bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from planner.plan import Plan
from solvers.compact import watched
from solvers.covering import Covering
from solvers.enumeration import Pattern
from solvers.fleet import holders
from solvers.pricer import Prices
from solvers.run import Run
from solvers.terms import Ints

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_WHOLE = 1e-6
_PER_ROW = 20
_GAP = 1e-5
_FIRST = 16


@dataclass(frozen=True)
class Choice:
    """Patterns to choose from.

    Attributes
    ----------
    patterns
        N of them.
    reduced (N,)
        Cost less what its replicas are paid, in ppm: how much dearer than the bound it makes a plan.
    machines (P,)
        Of each pool.
    """

    c: Compiled
    patterns: Sequence[Pattern]
    reduced: Floats
    machines: Ints

    @classmethod
    def of(cls, c: Compiled, patterns: Sequence[Pattern], prices: Prices, machines: Ints) -> Choice:
        """Return the choice of these patterns at these prices."""
        holder = prices.holder * (holders(c) > 0)
        paid = [
            sum(n * int(prices.replica[t]) + int(holder[t]) for t, n in p.counts.items()) for p in patterns
        ]
        cost = np.array([p.cost for p in patterns], dtype=float)
        return cls(c, patterns, cost - np.array(paid, dtype=float) / 2.0**prices.shift, machines)

    def left(self, settled: Ints) -> tuple[Ints, Ints, Ints]:
        """Return replicas (T,), holders (T,) and machines (P,) that settled machines (N,) leave."""
        replicas, spread, free = self.c.replicas.copy(), holders(self.c), self.machines.copy()
        for i in np.flatnonzero(settled).tolist():
            pattern, number = self.patterns[i], int(settled[i])
            free[pattern.pool] -= number
            for t, n in pattern.counts.items():
                replicas[t] -= n * number
                spread[t] -= number
        return np.maximum(replicas, 0), np.maximum(spread, 0), free

    def covered(self, settled: Ints, first: Bools, run: Run, seconds: float) -> tuple[Ints, Floats] | None:
        """Cover what ``settled`` (N,) leaves; return machines with each pattern (N,), and who is short (T,).

        Of the patterns, those come into question that fit what is left, the ones of ``first`` (N,), a
        Boolean, and those of least reduced cost.
        """
        replicas, spread, free = self.left(settled)
        open_ = int(np.count_nonzero(replicas)) + int(np.count_nonzero(free))
        order = np.lexsort((self.reduced, ~first))
        pinned: Bools = np.any(self.c.pinned, axis=1)
        fits = [
            i
            for i in order.tolist()
            if free[self.patterns[i].pool]
            and (pinned[self.patterns[i].pool] or any(replicas[t] for t in self.patterns[i].counts))
        ][: max(_PER_ROW * open_, 200)]
        dearest = max((self.patterns[i].cost for i in fits), default=0)
        program = Covering(self.c, replicas, spread, free, penalty=3.0 * dearest / 1e6 + 1.0)
        program.add([self.patterns[i] for i in fits])
        program.whole(_GAP)

        def solving() -> None:
            program.solve(seconds)

        if not watched(run, solving, run.report, program.stop) or not program.feasible:
            return None
        number = settled.copy()
        number[fits] += np.rint(program.values()).astype(np.int64)
        return number, np.rint(program.short())


def rounded(choice: Choice, values: Floats, run: Run, until: float) -> Plan | None:
    """Return a plan near a fractional solution (N,); None if time is up before all have one."""
    settled = np.floor(values + _WHOLE).astype(np.int64)
    likely = values > settled + _WHOLE
    rng = np.random.default_rng(run.seed)
    number = _FIRST
    while not run.stopping and run.elapsed < until:
        found = choice.covered(settled, likely, run, min(0.5 * (until - run.elapsed) + 0.2, run.remaining))
        if found is None:
            return None
        machines, short = found
        if not short.any():
            return trimmed(choice, machines)
        if not settled.any():
            return None
        settled = opened(choice, settled, number, rng, short)
        number *= 2
    return None


def opened(choice: Choice, settled: Ints, number: int, rng: np.random.Generator, wanted: Floats) -> Ints:
    """Return ``settled`` with up to ``number`` machines fewer, drawn at random.

    Machines with models that are ``wanted`` (T,), and patterns of high reduced cost, are drawn first.
    """
    kinds = np.flatnonzero(settled)
    holds = np.array([any(wanted[t] > 0 for t in choice.patterns[i].counts) for i in kinds.tolist()])
    dear = np.maximum(choice.reduced[kinds], 0.0)
    weight = settled[kinds] * (0.1 + dear / (1.0 + dear.max()))
    weight = weight * np.where(holds, 10.0, 1.0)
    drawn = rng.choice(kinds, size=number, p=weight / weight.sum())
    result = settled.copy()
    np.subtract.at(result, drawn, 1)
    return np.maximum(result, 0)


def trimmed(choice: Choice, machines: Ints) -> Plan:
    """Return the plan of ``machines`` (N,) with each pattern, less the replicas that are placed too often.

    Each is taken from a machine where, of those that hold its model, leaving saves most.
    """
    c = choice.c
    over = -c.replicas
    groups: list[tuple[int, int, Counter[int]]] = []
    for i in np.flatnonzero(machines).tolist():
        pattern, number = choice.patterns[i], int(machines[i])
        groups.append((pattern.pool, number, Counter(pattern.counts)))
        for t, n in pattern.counts.items():
            over[t] += n * number
    for t in np.repeat(np.arange(over.size), np.maximum(over, 0)).tolist():
        holding = [g for g, (p, _, counts) in enumerate(groups) if counts[t] > c.pinned[p, t]]
        if sum(n for _, n, counts in groups if counts[t]) <= holders(c)[t]:
            holding = [g for g in holding if groups[g][2][t] > 1] or holding
        best = max(holding, key=lambda g: _saved(c, groups[g][0], groups[g][2], t))
        pool, number, counts = groups[best]
        less = counts.copy()
        less[t] -= 1
        groups[best : best + 1] = [(pool, number - 1, counts)] if number > 1 else []
        groups.append((pool, 1, +less))
    return Plan.from_patterns(groups)


def _saved(c: Compiled, p: int, counts: Counter[int], t: int) -> int:
    """Return what a replica of t costs beside the others, without factor."""
    k = int(c.type_of[p])
    both = sum(n * int(c.cost[k, t, u] + c.cost[k, u, t]) for u, n in counts.items())
    alone = int(c.price[p]) if counts.total() == 1 else 0
    return both - 2 * int(c.cost[k, t, t]) + int(c.background_cost[p, t]) + alone
