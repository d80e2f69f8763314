"""Integer plans over patterns: settle most machines, plan the few others anew, over and over.

What settled machines leave is a small instance of its own, a *part*. Column generation for the part alone
finds the patterns that suit the odd numbers that are left.

*Diving*, from a fractional solution: settle the machines that it gives whole to a pattern (all but about as
many as there are models), solve the part, settle again, and where nothing is whole the pattern that is
nearest to it; the last few machines are an integer program. If replicas find no place, more machines are
opened, and more are left to the integer program: where memory is scarce, the last ones alone cannot hold the
last replicas, and diving again would leave the same ones to it.

*Large neighbourhood search* (Shaw 1998), from a plan: open some machines, solve the integer program of the
part, again and again. What makes a plan dearer than the bound are the machines whose patterns have a reduced
cost; they are opened together with one machine each of some patterns that have none. As many are opened as
the integer program bears.

Covering asks for enough; what is placed too often, or not at all, is mended (:mod:`solvers.mending`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.integers import PPM
from planner.plan import Plan
from solvers.columns import Need
from solvers.compact import watched
from solvers.covering import Covering
from solvers.master import Master
from solvers.mending import mended
from solvers.pricer import Prices
from solvers.run import Run
from solvers.supply import Supply
from solvers.terms import Ints

Floats = NDArray[np.float64]

_WHOLE, _NEARLY, _HALF = 1e-6, 0.8, 0.5
_AT_ONCE, _STEP = 40, 0.1  # machines of which one is settled at once; share of the time for it
_PACE = 0.6  # of the time of a dive, at which as good as all should be settled: if not, more at once
_AT_LEAST = 0.3  # of the time left, for the integer program at the end of a dive
_GAP = 1e-5
_LAST = 8  # machines that diving leaves to the integer program, at first
_PER_ROW = 20  # columns of a part
_PRICING = 0.3  # of the time for a part
_OPEN, _FEWEST, _MOST = 24, 4, 400  # machines in a neighbourhood
_PATIENCE, _QUICK = 2.0, 0.3
_DEAR = 1.0  # ppm of reduced cost
_COPIES = 4


class Rounding:
    """Turns solutions of the master into plans, and plans into better ones.

    Parameters
    ----------
    prices
        Those of the bound.
    """

    def __init__(self, supply: Supply, prices: Prices, run: Run) -> None:
        self.supply, self.columns, self.run = supply, supply.columns, run
        self._prices = prices
        self._rng = np.random.default_rng(run.seed)
        self._reduced = np.zeros(0)
        replica = prices.replica / 2.0**prices.shift / PPM
        self._penalty = 2.0 * replica + replica.mean() + 1e-3
        self._open = float(_OPEN)

    def dive(self, master: Master, until: float) -> Plan | None:
        """Return a plan near the master's fractional solution; None if time is up before there is one."""
        values = np.zeros(len(self.columns))
        values[master.inside[: master.values.size]] = master.values
        need = master.need
        settled = np.floor(values + _WHOLE).astype(np.int64)
        likely, number, last = np.flatnonzero(values > settled + _WHOLE), _OPEN, _LAST
        while not self.run.stopping and self.run.elapsed < until:
            plan = self._dived(need, settled, likely, last, until)
            if plan is not None or not settled.any():
                return plan
            settled = self._opened(settled, number)
            number, last = 2 * number, 2 * last
        return None

    def _dived(self, need: Need, settled: Ints, likely: Ints, last: int, until: float) -> Plan | None:
        """Return a plan; the ``last`` machines are an integer program."""
        run, began = self.run, self.run.elapsed
        part = self._part(need, settled, likely)
        most = 0.0
        while run.elapsed < until and not run.stopping and part.need.machines.sum() > last:
            part.generate(run, run.elapsed + _STEP * (until - run.elapsed))
            here = float(part.values.sum())
            most = max(most, here)
            passed = min((run.elapsed - began) / (_PACE * (until - began)), 1.0)
            late = int(here - most ** (1 - passed))
            whole = _whole(part.values, max(1 + int(part.need.machines.sum()) // _AT_ONCE, late))
            more = self._settle(settled, part, whole)
            left = need.less(self.columns, more).at_least_nothing()
            if (left.machines < 0).any() or left.most < 0 or not whole.any():
                break
            settled = more
            part.require(left)
        return self._finished(
            settled, part, min(_PATIENCE, max(until - run.elapsed, _AT_LEAST * run.remaining))
        )

    def better(self, plan: Plan) -> Plan | None:
        """Return a plan that differs from ``plan`` on some machines and need not be better; None if none."""
        now = self.columns.of(plan)
        settled = self._opened(now, round(self._open))
        seconds = min(_PATIENCE, self.run.remaining)
        part = self._part(self.supply.need, settled, np.flatnonzero(now > settled))
        part.generate(self.run, self.run.elapsed + _PRICING * seconds)
        began = self.run.elapsed
        found = self._finished(settled, part, (1 - _PRICING) * seconds)
        took = self.run.elapsed - began
        pace = 1.1 if took < _QUICK else 0.8 if took > (1 - _PRICING) * seconds else 1.0
        self._open = float(np.clip(self._open * pace, _FEWEST, _MOST))
        return found

    def _finished(self, settled: Ints, part: Master, seconds: float) -> Plan | None:
        """Return a plan with ``settled`` (N,) and what an integer program makes of the rest."""
        if self.run.stopping:
            return None
        program = Covering(self.columns, part.need, self._penalty)
        program.add(part.inside)
        program.whole(_GAP)

        def solving() -> None:
            program.solve(min(seconds, self.run.remaining))

        if not watched(self.run, solving, self.run.report, program.stop) or not program.feasible:
            return None
        whole = np.rint(program.values()).astype(np.int64)
        machines = self._settle(settled, part, whole)
        return mended(self.columns, self.supply.need, machines, self.run, self.supply.limit)

    def _settle(self, settled: Ints, part: Master, whole: Ints) -> Ints:
        """Return (N,): ``settled`` and so many machines of each column in ``part``."""
        result = np.zeros(len(self.columns), dtype=np.int64)
        result[: settled.size] = settled
        result[part.inside[: whole.size]] += whole
        return result

    def _part(self, need: Need, settled: Ints, first: Ints) -> Master:
        """Return a master for what ``settled`` (N,) leaves of ``need``; ``first`` and good columns inside."""
        need = need.less(self.columns, settled).at_least_nothing()
        rank = self._reduced_costs().copy()
        rank[first] = -np.inf
        pool = self.columns.pool
        useful = self.columns.holding(need.replicas > 0) | (need.least > 0)[pool]
        here = np.flatnonzero(useful & (need.machines[pool] > 0))
        most = max(_PER_ROW * int(np.count_nonzero(need.replicas) + np.count_nonzero(need.machines)), 200)
        part = Master(self.supply, need)
        part.add(here[np.argsort(rank[here], kind="stable")[:most]])
        return part

    def _reduced_costs(self) -> Floats:
        """Return (N,): cost less what the replicas are paid, in ppm: how much dearer it makes a plan."""
        if self._reduced.size < len(self.columns):
            holder = self._prices.holder * (self.supply.need.holders > 0)
            paid = self.columns.paid(self._prices.replica, holder) / 2.0**self._prices.shift
            gains = np.zeros(self.supply.need.machines.size)
            np.maximum.at(gains, self.columns.pool, paid - self.columns.cost)
            self._reduced = self.columns.cost - paid + gains[self.columns.pool]
        return self._reduced

    def _opened(self, settled: Ints, number: int) -> Ints:
        """Return ``settled`` with up to ``number`` machines fewer: half dear ones, half of any kind."""
        kinds = np.flatnonzero(settled)
        dear = self._reduced_costs()[kinds] > _DEAR
        copies = np.repeat(kinds[dear], np.minimum(settled[kinds[dear]], _COPIES))
        chosen = self._rng.permutation(copies)[: number // 2]
        others = self._rng.permutation(kinds[~dear] if (~dear).any() else kinds)[: number - chosen.size]
        result = settled.copy()
        np.subtract.at(result, np.concatenate([chosen, others]), 1)
        return np.maximum(result, 0)


def _whole(values: Floats, number: int) -> Ints:
    """Return (N,): the whole machines in a solution (N,); if there is none, up to ``number`` nearly whole."""
    whole = np.floor(values + _WHOLE).astype(np.int64)
    if not whole.any() and values.any():
        nearest = np.argsort(-values, kind="stable")[:number]
        whole[nearest[values[nearest] >= min(float(values.max()), _HALF)]] = 1
        whole[values >= _NEARLY] = 1
    return whole
