"""Many instances at once: performance profiles and shifted geometric means.

The profile of a solver s over instances p is the share of instances on which it is within a factor of the
best, ``rho_s(tau) = |{p: t_ps / min_s t_ps <= tau}| / |{p}|``, and a failure is never within any factor
(Dolan and More, "Benchmarking optimization software with performance profiles", Mathematical Programming 91,
2002). The shifted geometric mean ``(prod_p (t_p + s))^(1/n) - s`` keeps very small and very large values from
ruling (Achterberg, "Constraint Integer Programming", 2007, appendix: s = 10 s for times).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.report.cases import Case, Entry
from planner.result import Status

LEAST_CASES = 3
TIME_SHIFT = 10.0  # seconds
GAP_SHIFT = 0.01
LEAST_TIME = 0.01  # seconds; differences below are the clock's

Measures = Mapping[str, Sequence[float]]  #: solver -> its value on each instance, infinite where it failed


@dataclass(frozen=True)
class Average:
    """One solver over all instances.

    Attributes
    ----------
    seconds, gap
        Shifted geometric means of the runtime (shift 10 s) and of the gap to the best bound known (shift 1 %;
        100 % where there is no plan or no bound).
    plans, proofs, best
        Instances with a plan, with a plan proven optimal, and with the best plan of all.
    """

    solver: str
    seconds: float
    gap: float
    plans: int
    proofs: int
    best: int


@dataclass(frozen=True)
class Many:
    """Solvers that ran on every instance, and those that did not."""

    instances: int
    table: list[list[Entry]]  # an entry for each solver on each instance
    cases: list[Case]
    solvers: list[str]
    left_out: list[str]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Many | None:
        """Return what can be compared over several instances; None if it is too little."""
        compared = [case for case in cases if len(case.entries) > 1]
        every = list(dict.fromkeys(e.solver for case in compared for e in case.entries))
        ran = {s: sum(e.solver == s for case in compared for e in case.entries) for s in every}
        solvers = [s for s in every if ran[s] == len(compared)]
        if len(compared) < LEAST_CASES or len(solvers) < 2:
            return None
        by_name = [{e.solver: e for e in case.entries} for case in compared]
        table = [[there[s] for s in solvers] for there in by_name]
        return cls(len(compared), table, compared, solvers, [s for s in every if s not in solvers])

    def averages(self) -> list[Average]:
        """Return the means of each solver, the least gap first."""
        found = []
        for i, solver in enumerate(self.solvers):
            mine = [(case, row[i].row) for case, row in zip(self.cases, self.table, strict=True)]
            gaps = [case.gap(row.objective) for case, row in mine]
            found.append(
                Average(
                    solver,
                    shifted_mean([row.runtime_s for _, row in mine], TIME_SHIFT),
                    shifted_mean([1.0 if gap is None else gap for gap in gaps], GAP_SHIFT),
                    sum(row.objective is not None for _, row in mine),
                    sum(row.status is Status.OPTIMAL for _, row in mine),
                    sum(row.objective is not None and row.objective == case.best for case, row in mine),
                )
            )
        return sorted(found, key=lambda a: (a.gap, a.seconds))

    def objectives(self) -> Measures:
        """Return the objective of each plan over the best one's."""
        return {
            s: [_ratio(case, row[i]) for case, row in zip(self.cases, self.table, strict=True)]
            for i, s in enumerate(self.solvers)
        }

    def times(self) -> Measures:
        """Return the seconds to a proven optimum, on the instances and of the solvers that have any."""
        solved = [row for row in self.table if any(e.row.status is Status.OPTIMAL for e in row)]
        times = {
            s: [
                max(row[i].row.runtime_s, LEAST_TIME) if row[i].row.status is Status.OPTIMAL else math.inf
                for row in solved
            ]
            for i, s in enumerate(self.solvers)
        }
        return {s: values for s, values in times.items() if any(map(math.isfinite, values))}


def _ratio(case: Case, entry: Entry) -> float:
    objective, best = entry.row.objective, case.best
    if objective is None or best is None:
        return math.inf
    if not best:
        return math.inf if objective else 1.0
    return float(objective / best)


def shifted_mean(values: Sequence[float], shift: float) -> float:
    """Return the shifted geometric mean of values that are not negative."""
    return shift * math.expm1(sum(math.log1p(value / shift) for value in values) / len(values))


def profile(measures: Measures) -> dict[str, list[tuple[float, float]]]:
    """Return the steps ``(tau, rho)`` of each solver's profile: it reaches rho at tau."""
    instances = range(len(next(iter(measures.values()), ())))
    best = [min(values[p] for values in measures.values()) for p in instances]
    steps = {}
    for solver, values in measures.items():
        ratios = sorted(v / b for v, b in zip(values, best, strict=True) if math.isfinite(v))
        share = [(ratio, (i + 1) / len(best)) for i, ratio in enumerate(ratios)]
        steps[solver] = [
            (r, s) for i, (r, s) in enumerate(share) if i + 1 == len(share) or share[i + 1][0] > r
        ]
    return steps
