"""The linear program that covers replicas with patterns, in HiGHS.

    minimise  sum_i cost_i x_i + penalty (sum_t short_t + sum_t lacking_t)
    placed    sum_i c_it x_i + short_t >= replicas_t
    spread    sum_{i with t} x_i + lacking_t >= holders_t
    machines  sum_{i of p} x_i <= machines_p      (= where replicas are pinned)

x_i machines carry pattern i. Costs are in units of the objective (1,000,000 ppm).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from planner.compiled import PPM, Compiled
from solvers.enumeration import Pattern
from solvers.highs import THREADS, Quiet
from solvers.terms import Ints

Floats = NDArray[np.float64]


class Covering:
    """A covering program that grows by patterns.

    Parameters
    ----------
    replicas, holders, machines
        Right-hand sides, shapes (T,), (T,) and (P,).
    penalty
        Of each replica or holder that is short.
    free
        Patterns cost nothing: what remains is what cannot be placed.
    """

    def __init__(
        self,
        c: Compiled,
        replicas: Ints,
        holders: Ints,
        machines: Ints,
        *,
        penalty: float,
        free: bool = False,
    ) -> None:
        self.highs, self.models, self._free = Quiet(), replicas.size, free
        self._spread = holders > 0
        self._stopping = False
        self.highs.setOptionValue("threads", THREADS)
        for event in (self.highs.cbMipInterrupt, self.highs.cbSimplexInterrupt, self.highs.cbIpmInterrupt):
            event.subscribe(self._may_go_on)
        size, inf = 2 * self.models, highspy.kHighsInf
        lower = np.concatenate([replicas, holders, np.where(c.pinned.any(axis=1), machines, -inf)])
        upper = np.concatenate([np.full(size, inf), machines])
        empty = np.zeros(0, np.int32)
        self.highs.addRows(lower.size, lower, upper, 0, np.zeros(lower.size, np.int32), empty, np.zeros(0))
        each = np.arange(size, dtype=np.int32)
        ones = np.ones(size)
        self.highs.addCols(size, penalty * ones, np.zeros(size), inf * ones, size, each, each, ones)

    def _may_go_on(self, event: Any) -> None:
        event.interrupt(self._stopping)

    def stop(self) -> None:
        """End a solve that runs in another thread."""
        self._stopping = True

    def add(self, patterns: Sequence[Pattern]) -> None:
        """Append columns."""
        start: list[int] = []
        index: list[int] = []
        value: list[float] = []
        for pattern in patterns:
            start.append(len(index))
            entries = [(t, float(n)) for t, n in pattern.counts.items()]
            entries += [(self.models + t, 1.0) for t in pattern.counts if self._spread[t]]
            entries.append((2 * self.models + pattern.pool, 1.0))
            index += [i for i, _ in entries]
            value += [v for _, v in entries]
        number = len(patterns)
        cost = np.array([0.0 if self._free else pattern.cost / PPM for pattern in patterns])
        self.highs.addCols(
            number,
            cost,
            np.zeros(number),
            np.full(number, highspy.kHighsInf),
            len(index),
            np.array(start, dtype=np.int32),
            np.array(index, dtype=np.int32),
            np.array(value),
        )

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
        """Return how many machines carry each pattern, in the last solution."""
        found: Floats = np.maximum(np.array(self.highs.getSolution().col_value), 0.0)
        return found[2 * self.models :]

    def short(self) -> Floats:
        """Return how many replicas and holders of each model the last solution leaves out, shape (T,)."""
        found: Floats = np.array(self.highs.getSolution().col_value)
        missing: Floats = found[: self.models] + found[self.models : 2 * self.models]
        return missing

    def prices(self) -> tuple[Floats, Floats]:
        """Return the prices of replicas and of holders in ppm, shape (T,), not negative."""
        dual = np.maximum(np.array(self.highs.getSolution().row_dual), 0.0) * PPM
        result: tuple[Floats, Floats] = (dual[: self.models], dual[self.models : 2 * self.models])
        return result
