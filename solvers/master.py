"""Column generation: the linear program over all patterns, with a proven bound at every iteration.

The master (:mod:`solvers.covering`) knows some patterns. Its prices of replicas go to pricing
(:mod:`solvers.pricing`), which finds the patterns that gain most at them; these become columns; until none
gains. Placing a replica twice is never cheaper, so the master's ``>=`` loses nothing and keeps prices from
falling below 0.

Bound: for any prices y >= 0, and G_p at least the largest gain of any pattern of pool p,

    income(y) - sum_p machines_p G_p        (G_p >= 0 where a machine may stay empty)

is at most the optimum (Lagrange; Farley, *Operations Research* 38, 1990, is a scaled form of it). It needs no
linear program to be right, only exact pricing or a proven bound on it. Prices swing wildly while few columns
are known, so patterns are priced between the prices of the best bound and those of the master (Wentges,
*International Transactions in Operational Research* 4, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import PPM, Compiled
from solvers.compact import unit, watched
from solvers.covering import Covering
from solvers.enumeration import Pattern
from solvers.fleet import holders, machines_needed
from solvers.pricer import Pricer, Prices, deepest
from solvers.run import Run

Floats = NDArray[np.float64]

_NODES, _NODES_PER_SECOND = 2_000_000, 50_000
_GROWN = 64
_CLOSE = 1e-9
_SMOOTH = 0.6


@dataclass(frozen=True)
class Proof:
    """Prices, and what they prove.

    Attributes
    ----------
    prices
        Of replicas and holders.
    gains
        Pool -> at least the largest gain of any of its patterns, in the prices' units.
    bound
        On the objective: in ppm, a multiple of what every objective is a multiple of.
    exact
        The same in the prices' units, not rounded.
    """

    prices: Prices
    gains: dict[int, int]
    bound: int
    exact: int

    def floors(self, objective: int) -> dict[int, int]:
        """Return for each pool a gain that every pattern of a plan with at most this objective exceeds."""
        gap = (objective << self.prices.shift) - self.exact
        return {p: gain - gap - 1 for p, gain in self.gains.items()}


class Master:
    """The restricted master and what it has proven.

    Parameters
    ----------
    free
        Patterns cost nothing: a bound above 0 proves that there is no plan.

    Attributes
    ----------
    patterns
        Those that are known, in the order of the columns.
    proof
        The best; None before the first pricing.
    """

    def __init__(self, c: Compiled, *, free: bool = False) -> None:
        self._c, self._free = c, free
        self.machines = machines_needed(c)
        self._pricers = {p: Pricer(c, p, free=free) for p in np.flatnonzero(self.machines).tolist()}
        largest = max(int(c.cost.max(initial=0)), int(c.miss_price.max(initial=0)))
        deep = max((deepest(c, p) for p in self._pricers), default=1)
        each = 2.0 * deep * largest * max(float(c.factor.max()) / PPM, 1.0) + float(
            c.background_cost.max(initial=0)
        )
        penalty = 1.0 if free else 2.0 * (deep * each + float(c.price.max(initial=0))) / PPM + 1.0
        self.covering = Covering(c, c.replicas, holders(c), self.machines, penalty=penalty, free=free)
        self.patterns: list[Pattern] = []
        self.proof: Proof | None = None
        self.values = np.zeros(0)
        self._known: set[tuple[int, tuple[tuple[int, int], ...]]] = set()
        self._centre: tuple[Floats, Floats] | None = None
        self._step = 1 if free else unit(c)
        zero = np.zeros(c.replicas.size)
        self.impossible = False
        for p in np.flatnonzero(c.pinned.any(axis=1) & (self.machines > 0)).tolist():
            pricer = self._pricers[p]
            found, _ = pricer.best(pricer.market(Prices.rounded(c, zero, zero)), _NODES)
            self.impossible |= not found
            self.add(found)

    def add(self, patterns: Sequence[Pattern]) -> int:
        """Add the patterns that are new; return how many."""
        new = []
        for pattern in patterns:
            key = (pattern.pool, tuple(sorted(pattern.counts.items())))
            if key not in self._known:
                self._known.add(key)
                new.append(pattern)
        if new:
            self.covering.add(new)
            self.patterns += new
        return len(new)

    def generate(self, run: Run, until: float) -> bool:
        """Add patterns until none gains or the bound is reached; return whether the solution is optimal.

        Ends at ``until`` seconds on the clock of ``run``.
        """
        while not self.impossible and self._solve(run, until):
            self.values = self.covering.values()
            best = self.covering.objective
            if self.proof is not None and self.proof.bound >= best * (1 - _CLOSE):
                return True
            if not self._price(run):
                return not run.stopping
            if run.elapsed >= until or run.stopping:
                return False
        return False

    def _solve(self, run: Run, until: float) -> bool:
        solved: list[bool] = []
        seconds = until - run.elapsed
        ended = watched(
            run, lambda: solved.append(self.covering.solve(seconds)), run.report, self.covering.stop
        )
        return ended and solved[0]

    def _price(self, run: Run) -> int:
        """Price every pool; add what gains; return how many patterns were new."""
        here = self.covering.prices()
        new = 0
        if self._centre is not None:
            between = [_SMOOTH * a + (1 - _SMOOTH) * b for a, b in zip(self._centre, here, strict=True)]
            new = self._priced(between[0], between[1], run)
        if not new and not run.stopping:
            new = self._priced(*here, run)
        return new

    def _priced(self, replica: Floats, holder: Floats, run: Run) -> int:
        prices = Prices.rounded(self._c, replica, holder)
        nodes = int(np.clip(_NODES_PER_SECOND * run.remaining / len(self._pricers), 1_000, _NODES))
        gains, new = {}, 0
        for p, pricer in self._pricers.items():
            if run.report():
                return new
            market = pricer.market(prices)
            found, gains[p] = pricer.best(market, nodes)
            new += self.add(found) + self.add(pricer.grown(market, _GROWN))
        exact = prices.income(self._c) - sum(int(self.machines[p]) * gain for p, gain in gains.items())
        bound = max(-(-exact // (self._step << prices.shift)) * self._step, 0)
        if self.proof is None or bound > self.proof.bound:
            self.proof, self._centre = Proof(prices, gains, bound, exact), (replica, holder)
            run.report(bound=None if self._free else bound)
        return new

    def within(self, objective: int, most: int, run: Run) -> list[Pattern] | None:
        """Return every pattern that a plan with at most this objective can carry; None if too many."""
        if self.proof is None:
            return None
        found: list[Pattern] = []
        for p, floor in self.proof.floors(objective).items():
            nodes = int(np.clip(_NODES_PER_SECOND * run.remaining / len(self._pricers), 1_000, _NODES))
            pricer = self._pricers[p]
            some = pricer.above(pricer.market(self.proof.prices), floor, most - len(found), nodes)
            if some is None or run.stopping:
                return None
            found += some
        return found
