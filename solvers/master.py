"""Column generation: the linear program over all patterns, with a proven bound at every iteration.

The master (:mod:`solvers.covering`) knows some patterns. Its prices of replicas go to pricing
(:mod:`solvers.pricing`), which finds the patterns that gain most at them; these become columns; until none
gains. Placing a replica twice is never cheaper, so the master's ``>=`` loses nothing and keeps prices from
falling below 0.

Bound: for any prices y >= 0, and G_p at least the largest gain of any pattern of pool p,

    sum_t y_t replicas_t - sum_p machines_p G_p        (G_p >= 0 where a machine may stay empty)

is at most the optimum, where y are the prices of replicas; those of holders and of machines, whose number
:mod:`solvers.branching` limits, enter in the same way (Lagrange; Farley, *Operations Research* 38, 1990, is
a scaled form of it). It needs no linear program to be right, only exact pricing or a proven bound on it.
Prices swing wildly while few columns are known, so patterns are priced between the prices of the best bound
and those of the master (Wentges, *International Transactions in Operational Research* 4, 1997).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED
from solvers.columns import Need
from solvers.compact import unit, watched
from solvers.covering import Covering
from solvers.market import NOTHING
from solvers.pricer import Prices
from solvers.run import Run
from solvers.supply import Supply
from solvers.terms import Ints

Floats = NDArray[np.float64]

_NODES = 2_000_000
_CLOSE = 1e-9
_SMOOTH = 0.6
_RAISED, _SHORT = 10.0, 1e-6


@dataclass(frozen=True)
class Proof:
    """Prices, and what they prove.

    Attributes
    ----------
    prices
        Of replicas, holders and machines.
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
        return {p: max(gain - gap - 1, NOTHING) for p, gain in self.gains.items()}


class Master:
    """The restricted master and what it has proven.

    Parameters
    ----------
    supply
        Pricers and columns.
    part
        What is to be covered, if it is not all: then no bound is claimed.

    Attributes
    ----------
    inside
        Columns that it knows; its ``values`` are in their order.
    proof
        The best; None before the first pricing.
    """

    def __init__(self, supply: Supply, part: Need | None = None) -> None:
        self.supply, self._part = supply, part is not None
        self.need = supply.need if part is None else part
        self._left = part.replicas if part is not None else None
        self._penalty = supply.penalty[0]
        penalty = np.full(supply.columns.models, self._penalty)
        self.covering = Covering(supply.columns, self.need, penalty, free=supply.free)
        self.inside = np.zeros(0, dtype=np.int64)
        self.proof: Proof | None = None
        self.values = np.zeros(0)
        self._centre: Floats | None = None
        self._step = 1 if supply.free else unit(supply.c)
        self.impossible = False
        if part is None:
            self._pinned()

    def _pinned(self) -> None:
        """Know one pattern of each pool with pinned replicas: all its machines must carry one."""
        c = self.supply.c
        zero = np.zeros(2 * c.replicas.size + 1)
        for p in np.flatnonzero(self.need.least).tolist():
            pricer = self.supply.pricers[p]
            found, most = pricer.best(pricer.market(Prices.rounded(c, zero)), _NODES)
            self.impossible |= most == NOTHING
            self.add(np.array(self.supply.add(p, found), dtype=np.int64))

    def add(self, which: Ints) -> int:
        """Know more columns; return how many are new."""
        new = np.setdiff1d(which, self.inside)
        if new.size:
            self.covering.add(new)
            self.inside = np.concatenate([self.inside, new])
        return int(new.size)

    def require(self, need: Need) -> None:
        """Cover this instead."""
        self.need, self.proof, self._centre = need, None, None
        self._left = need.replicas if self._part else None
        self.values = np.zeros(0)
        self.covering.require(need)

    def generate(self, run: Run, until: float, enough: int = UNLIMITED) -> bool:
        """Add patterns until none gains or the bound is reached; return whether the solution is optimal.

        Ends at ``until`` seconds on the clock of ``run``, and where the bound is ``enough``.
        """
        while not self.impossible and self._solve(run, until):
            self.values = self.covering.values()
            best = self.covering.objective
            reached = self.proof is not None and self.proof.bound >= best * (1 - _CLOSE)
            if (reached or not self._price(run, until)) and not run.stopping and not self._penalised():
                return True
            ended = run.elapsed >= until or run.stopping
            if ended or (self.proof is not None and self.proof.bound >= enough):
                return False
        return False

    def _penalised(self) -> bool:
        """Raise the penalty if some replicas are short; return whether that was possible."""
        most = self.supply.penalty[1]
        if self._penalty >= most or self.covering.short().sum() < _SHORT:
            return False
        self._penalty = min(_RAISED * self._penalty, most)
        self.covering.penalise(np.full(self.supply.columns.models, self._penalty))
        return True

    def _solve(self, run: Run, until: float) -> bool:
        solved: list[bool] = []
        seconds = until - run.elapsed
        ended = watched(
            run, lambda: solved.append(self.covering.solve(seconds)), run.report, self.covering.stop
        )
        return ended and solved[0]

    def _price(self, run: Run, until: float) -> int:
        """Price every pool; add what gains; return how many patterns were new."""
        here = self.covering.prices()
        new = 0
        if self._centre is not None:
            new = self._priced(_SMOOTH * self._centre + (1 - _SMOOTH) * here, run, until)
        if not new and not run.stopping:
            new = self._priced(here, run, until)
        return new

    def _priced(self, paid: Floats, run: Run, until: float) -> int:
        need = self.need
        prices = Prices.rounded(self.supply.c, paid)
        if run.report(note=f"{self.inside.size:,} columns"):
            return 0
        priced = self.supply.price(prices, run, until, need.least, self._left)
        found = [self.supply.add(p, rows) for p, r in priced.items() for rows in (r.best, r.grown)]
        new = self.add(np.array([*chain(*found)], dtype=np.int64))
        exact = sum(map(operator.mul, prices.replica.tolist(), need.replicas.tolist()))
        exact += sum(map(operator.mul, prices.holder.tolist(), need.holders.tolist()))
        exact += prices.machine * (need.fewest if prices.machine > 0 else need.most)
        exact -= sum(
            r.gain * int((need.machines if r.gain > 0 else need.least)[p]) for p, r in priced.items()
        )
        bound = max(-(-exact // (self._step << prices.shift)) * self._step, 0)
        old = self.proof
        if old is None or exact << old.prices.shift > old.exact << prices.shift:
            gains = {p: r.gain for p, r in priced.items()}
            self.proof, self._centre = Proof(prices, gains, bound, exact), paid
            if need is self.supply.need and not self.supply.free:
                run.report(bound=bound)
        return new
