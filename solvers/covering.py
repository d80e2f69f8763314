"""The linear program that covers replicas with patterns, in HiGHS.

    minimise  sum_i cost_i x_i + sum_t penalty_t (short_t + lacking_t)
    placed    sum_i c_it x_i + short_t >= replicas_t
    spread    sum_{i with t} x_i + lacking_t >= holders_t
    machines  least_p <= sum_{i of p} x_i <= machines_p
    total     fewest <= sum_i x_i <= most

x_i machines carry pattern i. Costs are in units of the objective (1,000,000 ppm).
"""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack

from planner.integers import PPM
from solvers.columns import Columns, Need
from solvers.highs import THREADS, Quiet
from solvers.terms import Ints

Floats = NDArray[np.float64]


class Covering:
    """A covering program that grows by patterns.

    Parameters
    ----------
    columns, need
        The patterns that are known, of which :meth:`add` takes some; and what is to be covered.
    penalty (T,)
        Of each replica or holder that is short.
    free
        Patterns cost nothing: what remains is what cannot be placed.
    """

    def __init__(self, columns: Columns, need: Need, penalty: Floats, *, free: bool = False) -> None:
        self.highs, self._columns, self._free = Quiet(), columns, free
        self._models, self._pools = columns.models, need.machines.size
        self._spread = need.holders > 0
        self._stopping = False
        self.highs.setOptionValue("threads", THREADS)
        for event in (self.highs.cbMipInterrupt, self.highs.cbSimplexInterrupt, self.highs.cbIpmInterrupt):
            event.subscribe(self._may_go_on)
        lower, upper = self._sides(need)
        empty = np.zeros(0, np.int32)
        self.highs.addRows(lower.size, lower, upper, 0, np.zeros(lower.size, np.int32), empty, np.zeros(0))
        each = np.concatenate([np.arange(self._models), self._models + np.flatnonzero(self._spread)])
        self._slack = each.size
        self._missing = each % self._models
        self._append(csr_array((np.ones(each.size), each, np.arange(each.size + 1))), penalty[self._missing])

    def _may_go_on(self, event: Any) -> None:
        event.interrupt(self._stopping)

    def stop(self) -> None:
        """End a solve that runs in another thread."""
        self._stopping = True

    def _sides(self, need: Need) -> tuple[Floats, Floats]:
        lower = np.concatenate([need.replicas, need.holders, need.least, [need.fewest]])
        infinite = np.full(2 * self._models, highspy.kHighsInf)
        most = need.most if need.most < need.machines.sum() else highspy.kHighsInf
        return lower.astype(float), np.concatenate([infinite, need.machines, [most]])

    def require(self, need: Need) -> None:
        """Cover this instead; the same models must be spread."""
        lower, upper = self._sides(need)
        self.highs.changeRowsBounds(lower.size, np.arange(lower.size, dtype=np.int32), lower, upper)

    def penalise(self, penalty: Floats) -> None:
        """Change the penalties (T,)."""
        each = np.arange(self._slack, dtype=np.int32)
        self.highs.changeColsCost(self._slack, each, penalty[self._missing])

    def add(self, which: Ints) -> None:
        """Append some of the patterns."""
        if not which.size:
            return
        counts = self._columns.counts(which).astype(float)
        holds = counts.copy()
        holds.data = self._spread[counts.indices].astype(float)
        pool = self._columns.pool[which]
        each, ones = np.arange(pool.size), np.ones(pool.size)
        here = coo_array((ones, (each, pool)), shape=(pool.size, self._pools))
        total = coo_array((ones, (each, np.zeros(pool.size, dtype=np.int64))))
        matrix = csr_array(hstack([counts, holds, here, total], format="csr"))
        self._append(matrix, np.zeros(pool.size) if self._free else self._columns.cost[which] / PPM)

    def _append(self, matrix: csr_array, cost: Floats) -> None:
        number, inf = cost.size, np.full(cost.size, highspy.kHighsInf)
        start, index = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
        self.highs.addCols(number, cost, np.zeros(number), inf, matrix.nnz, start, index, matrix.data)

    def solve(self, seconds: float) -> bool:
        """Solve for at most so long; return whether to the end."""
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + max(seconds, 0.01))
        self.highs.run()
        return bool(self.highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    def whole(self, gap: float) -> None:
        """Ask for whole numbers, to a relative gap."""
        self.highs.setOptionValue("mip_rel_gap", gap)
        number = self.highs.getNumCol()
        kinds = np.full(number, int(highspy.HighsVarType.kInteger), dtype=np.uint8)
        self.highs.changeColsIntegrality(number, np.arange(number, dtype=np.int32), kinds)

    @property
    def feasible(self) -> bool:
        """Whether there is a solution, which need not be the best."""
        status = self.highs.getInfo().primal_solution_status
        return bool(status == highspy.SolutionStatus.kSolutionStatusFeasible)

    @property
    def objective(self) -> float:
        """The last solution's, in ppm, penalties included."""
        return float(self.highs.getObjectiveValue()) * PPM

    def values(self) -> Floats:
        """Return how many machines carry each pattern that was added, in the last solution."""
        found: Floats = np.maximum(np.array(self.highs.getSolution().col_value), 0.0)
        return found[self._slack :]

    def short(self) -> Floats:
        """Return how many replicas and holders of each model the last solution leaves out, shape (T,)."""
        found: Floats = np.array(self.highs.getSolution().col_value)
        missing = np.zeros(self._models)
        np.add.at(missing, self._missing, found[: self._slack])
        return missing

    def prices(self) -> Floats:
        """Return prices in ppm, (2 T + 1,): of replicas, of holders, both not negative, of any machine."""
        dual = np.array(self.highs.getSolution().row_dual) * PPM
        paid: Floats = np.append(np.maximum(dual[: 2 * self._models], 0.0), dual[-1])
        return paid
