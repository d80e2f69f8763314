"""Textbook mixed-integer program: one binary for each replica and machine, a product for each pair.

For machine m of type k, and replicas i, j of models t(i), t(j):

    x[i,m]      1 if replica i is on machine m
    y[i,j,m]    x[i,m] x[j,m] for i < j, continuous

    minimise     sum_m sum_{i<j} (cost[k,t(i),t(j)] + cost[k,t(j),t(i)]) y[i,j,m]
    placement    sum_m x[i,m] = 1
    McCormick    y[i,j,m] >= x[i,m] + x[j,m] - 1
    slots        sum_i x[i,m] <= slots
    resources    sum_i a[k,t(i),r] x[i,m] <= C[k,r]
    SLO          sum_{j != i} d[k,t(i),t(j)] x[j,m] <= slack[k,t(i)] + G (1 - x[i,m])
    keep_apart   x[i,m] + x[j,m] <= 1 for i, j of two models of a group
    at most      sum_{i of t} x[i,m] <= max_per_machine_t
    spread       sum_m v[t,m] >= min_machines_t,   v[t,m] <= sum_{i of t} x[i,m]

McCormick's other rows, ``y <= x``, never bind where costs are not negative, and are left out: HiGHS has
the easier time. G is ``n max_u d - slack``, n the slots or the replicas
if fewer: the least that never binds where i is not.
Replicas that may not run on a machine have no x there. No start, no symmetry breaking.
"""

from __future__ import annotations

import time
from itertools import combinations

import highspy
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answer import Found, main
from planner.compiled import UNLIMITED
from planner.instance import Instance
from planner.plan import Plan

_THREADS = 2
_STATUS = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
}
Ints = NDArray[np.int64]
_INF = highspy.kHighsInf


class Program:
    """Columns and rows of the program, collected machine by machine."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.c = instance, instance.compiled
        self.model = np.repeat(np.arange(self.c.replicas.size), self.c.replicas)  # t(i)
        self.kinds = np.repeat(self.c.type_of, self.c.machines)
        self.costs: list[Ints] = []
        self.integer: list[Ints] = []
        self.columns = self.rows = 0
        self.entries: list[tuple[Ints, Ints, Ints]] = []
        self.lower: list[NDArray[np.float64]] = []
        self.upper: list[NDArray[np.float64]] = []
        self.x = np.full((self.model.size, self.kinds.size), -1)  # column of x[i, m]
        self.spread: list[list[int]] = [[] for _ in self.c.replicas]
        for m, k in enumerate(self.kinds.tolist()):
            self.x[self.c.allowed[k, self.model], m] = self.add(self.c.allowed[k, self.model].sum(), 1)
        for m, k in enumerate(self.kinds.tolist()):
            self.add_machine(m, k, np.flatnonzero(self.x[:, m] >= 0))
        for t, least in enumerate(self.c.min_machines.tolist()):
            if least > 1:
                self.row(np.array(self.spread[t], dtype=np.int64), np.array(1), least, _INF)
        for columns in self.x:
            self.row(columns[columns >= 0], np.array(1), 1, 1)

    def add(self, number: int, integer: int, cost: Ints | None = None) -> Ints:
        """Append columns from 0 to 1 and return their numbers."""
        first, self.columns = self.columns, self.columns + int(number)
        self.costs.append(np.zeros(number, dtype=np.int64) if cost is None else cost)
        self.integer.append(np.full(number, integer))
        return np.arange(first, self.columns)

    def row(self, column: Ints, value: Ints, lower: float, upper: float) -> None:
        """Append one row."""
        zeros = np.zeros(column.size, dtype=np.int64)
        self.block(zeros, column, np.broadcast_to(value, column.shape), 1, lower, upper)

    def block(self, row: Ints, column: Ints, value: Ints, number: int, lower: float, upper: float) -> None:
        """Append ``number`` rows with the same limits."""
        self.entries.append((row + self.rows, column, value))
        self.lower.append(np.full(number, float(lower)))
        self.upper.append(np.full(number, float(upper)))
        self.rows += number

    def add_machine(self, m: int, k: int, here: Ints) -> None:
        """Append products and rows of machine m of type k, which may hold the replicas ``here``."""
        c, x, t = self.c, self.x[here, m], self.model[here]
        i, j = np.triu_indices(here.size, 1)
        y = self.add(i.size, 0, c.cost[k, t[i], t[j]] + c.cost[k, t[j], t[i]])
        rows, one = np.arange(i.size), np.ones_like(i)
        column = np.concatenate([x[i], x[j], y])
        self.block(np.tile(rows, 3), column, np.concatenate([one, one, -one]), i.size, -_INF, 1)
        if c.slots[k] < UNLIMITED:
            self.row(x, np.array(1), -_INF, int(c.slots[k]))
        for r in range(len(c.resources)):
            self.row(x, c.demand[k, t, r], -_INF, int(c.capacity[k, r]))
        self.add_slos(k, x, t)
        for names in self.instance.rules.keep_apart:
            for a, b in combinations([self.instance.model_index[name] for name in names], 2):
                for one_of_a in x[t == a].tolist():
                    for one_of_b in x[t == b].tolist():
                        self.row(np.array([one_of_a, one_of_b]), np.array(1), -_INF, 1)
        for u in np.unique(t).tolist():
            if c.max_per_machine[u] < UNLIMITED:
                self.row(x[t == u], np.array(1), -_INF, int(c.max_per_machine[u]))
            if c.min_machines[u] > 1:
                v = self.add(1, 1)
                self.spread[u].append(int(v[0]))
                value = np.append(np.ones_like(x[t == u]), -1)
                self.row(np.append(x[t == u], v), value, 0, _INF)

    def add_slos(self, k: int, x: Ints, t: Ints) -> None:
        """Append the SLO of each replica that may be on a machine of type k."""
        for i, model in enumerate(t.tolist()):
            slack = int(self.c.slack[k, model])
            if slack < UNLIMITED:
                value = self.c.degradation[k, model, t].copy()
                value[i] = 0
                crowd = int(min(self.c.slots[k], t.size))
                value[i] = most = max(crowd * int(value.max()) - slack, 0)
                self.row(x, value, -_INF, slack + most)

    def highs(self, seconds: float) -> highspy.Highs:
        """Return the program in HiGHS."""
        row, column, value = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        order = np.argsort(row, kind="stable")
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, self.rows
        lp.col_cost_ = np.concatenate(self.costs).astype(float)
        lp.col_lower_, lp.col_upper_ = np.zeros(self.columns), np.ones(self.columns)
        lp.row_lower_, lp.row_upper_ = np.concatenate(self.lower), np.concatenate(self.upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.searchsorted(row[order], np.arange(self.rows + 1))
        lp.a_matrix_.index_ = column[order]
        lp.a_matrix_.value_ = value[order].astype(float)
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[flag] for flag in np.concatenate(self.integer).tolist()]
        highs = highspy.Highs()
        options = {"output_flag": False, "threads": _THREADS, "time_limit": seconds, "mip_rel_gap": 0.0}
        for name, option in options.items():
            highs.setOptionValue(name, option)
        highs.passModel(lp)
        return highs

    def plan(self, values: NDArray[np.float64]) -> Plan:
        """Return the plan of a solution."""
        replica, machine = np.nonzero((self.x >= 0) & (values[self.x] > 0.5))
        return Plan.from_assignment(self.kinds, machine, self.model[replica])


def solve(instance: Instance, time_limit: float) -> Found:
    """Build the program, give it to HiGHS, and read the plan."""
    began = time.monotonic()
    program = Program(instance)
    highs = program.highs(0.01)
    building = time.monotonic() - began
    highs.setOptionValue("time_limit", max(time_limit - building, 0.01))
    highs.run()
    info = highs.getInfo()
    has_plan = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    status = _STATUS.get(highs.getModelStatus(), "feasible" if has_plan else "no plan")
    plan = program.plan(np.array(highs.getSolution().col_value)) if has_plan else None
    bound = info.mip_dual_bound if np.isfinite(info.mip_dual_bound) else None
    return Found(status, plan, bound, program.columns, program.rows, building)


if __name__ == "__main__":
    main(solve, "milp_pairwise")
