"""HiGHS as the exact solvers use it: fixed options, progress, and an end when asked."""

from __future__ import annotations

import math
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: One value in the whole process: after a change of it, later solves return nothing.
THREADS = 2

_OPTIONS: dict[str, Any] = {
    "output_flag": False,
    "threads": THREADS,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 0.5,  # objectives are integers
    "mip_feasibility_tolerance": 1e-6,  # tighter ones cut good plans off: rows have large coefficients
    "primal_feasibility_tolerance": 1e-6,
}


class Quiet(highspy.Highs):  # type: ignore[misc]
    """HiGHS without the banner that its constructor would print."""

    def enableCallbacks(self) -> None:  # noqa: N802  the library's name, called by its constructor
        """Silence HiGHS before the first thing that prints."""
        self.silent()
        super().enableCallbacks()


class Engine:
    """One HiGHS solve.

    Parameters
    ----------
    seed
        Seed of HiGHS's random choices.
    seconds
        Time limit.

    Attributes
    ----------
    values
        The best integer solution so far, by column; None if there is none.
    bound
        The best dual bound so far, as HiGHS states it; None if there is none.
    stopping
        Set to end the solve.
    """

    def __init__(self, seed: int, seconds: float) -> None:
        self.highs = Quiet()
        for name, value in _OPTIONS.items():
            self.highs.setOptionValue(name, value)
        self.highs.setOptionValue("random_seed", seed)
        self.highs.setOptionValue("time_limit", max(seconds, 0.01))
        self.values: Floats | None = None
        self.bound: float | None = None
        self.stopping = False
        for event in (self.highs.cbMipInterrupt, self.highs.cbSimplexInterrupt, self.highs.cbIpmInterrupt):
            event.subscribe(self._may_go_on)
        self.highs.cbMipImprovingSolution.subscribe(self._improved)

    def _may_go_on(self, event: Any) -> None:
        if event.callback_type == highspy.cb.HighsCallbackType.kCallbackMipInterrupt:
            self._take_bound(event.data_out.mip_dual_bound)
        event.interrupt(self.stopping)

    def _improved(self, event: Any) -> None:
        self.values = np.array(event.data_out.mip_solution)

    def _take_bound(self, bound: float) -> None:
        if math.isfinite(bound):
            self.bound = bound if self.bound is None else max(bound, self.bound)

    def run(self) -> None:
        """Solve; returns when HiGHS ends."""
        self.highs.run()

    def forget(self) -> None:
        """Forget the solution to begin from, and what has been found."""
        self.highs.clearSolver()

    def final(self) -> Floats | None:
        """Return the solution HiGHS ended with; it need not have told of it before."""
        info = self.highs.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        return np.array(self.highs.getSolution().col_value) if feasible else None

    @property
    def status(self) -> Any:
        """Why HiGHS ended."""
        return self.highs.getModelStatus()
