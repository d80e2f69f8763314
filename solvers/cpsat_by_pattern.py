"""The constraint program over patterns, in OR-Tools CP-SAT: for when all feasible patterns are few.

P[i]   how many machines of pool p_i carry pattern i, which holds c_it replicas of model t

minimise       sum_i cost_i P[i]
placement      sum_i c_it P[i] = replicas_t
machines       sum_{i of p} P[i] <= machines_p   (= where replicas are pinned)
min_machines   sum_{i with t} P[i] >= min_machines_t
floor          sum_i cost_i P[i] >= the bound of pair flow

``worst``: with v_1 < v_2 < ... the distinct worst degradations of patterns, y[l] says that some machine
carries a pattern whose own is at least v_l:

minimise       v_1 + sum_{l > 1} (v_l - v_(l-1)) y[l]
reached        P[i] = 0 unless y[l] where v_l is the worst degradation of i;   y[l + 1] => y[l]
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from ortools.sat.python import cp_model

from planner.compiled import Compiled
from planner.plan import Plan
from solvers.enumeration import Pattern, carried, levels, most_machines, plan_of
from solvers.needs import machines_needed


class ByPattern:
    """The constraint program over ``patterns``, which must be all that are feasible.

    Parameters
    ----------
    start
        A valid plan to begin from, or None; it becomes a complete hint.
    floor
        A proven lower bound on the objective, in ppm.
    """

    def __init__(self, c: Compiled, patterns: list[Pattern], start: Plan | None, floor: int) -> None:
        self.c, self.patterns = c, patterns
        self.model = cp_model.CpModel()
        self.carry = [self.model.new_int_var(0, most_machines(c, pattern), "") for pattern in patterns]
        self.start = None if start is None else carried(patterns, start)
        for carry, number in zip(self.carry, self.start or (), strict=self.start is not None):
            self.model.add_hint(carry, number)
        self.add_placement()
        self.add_machines()
        self.add_min_machines()
        self.minimize(floor)

    def minimize(self, floor: int) -> None:
        """Minimise the objective; it cannot be below the proven ``floor``."""
        costs = [pattern.cost for pattern in self.patterns]
        objective = self.reached() if self.c.worst else cp_model.LinearExpr.weighted_sum(self.carry, costs)
        if any(costs):
            self.model.add(objective >= floor)
            self.model.minimize(objective)

    def reached(self) -> cp_model.LinearExprT:
        """Return the worst degradation, from levels that must be reached before a pattern is carried."""
        values, level = levels(self.patterns)
        reached = [self.model.new_bool_var("") for _ in values]
        if self.start is not None:
            highest = max((own for own, n in zip(level, self.start, strict=True) if n), default=-1)
            for at, variable in enumerate(reached):
                self.model.add_hint(variable, int(at <= highest))
        for low, high in pairwise(reached):
            self.model.add_implication(high, low)
        for own, carry in zip(level, self.carry, strict=True):
            self.model.add(carry == 0).only_enforce_if(~reached[own])
        return cp_model.LinearExpr.weighted_sum(reached, np.diff(values, prepend=0).tolist())

    def add_placement(self) -> None:
        """Every replica is placed exactly once."""
        carriers: list[list[tuple[cp_model.IntVar, int]]] = [[] for _ in self.c.replicas]
        for pattern, carry in zip(self.patterns, self.carry, strict=True):
            for t, number in pattern.counts.items():
                carriers[t].append((carry, number))
        for terms, n in zip(carriers, self.c.replicas.tolist(), strict=True):
            self.model.add(cp_model.LinearExpr.weighted_sum(*zip(*terms, strict=True)) == n)

    def add_machines(self) -> None:
        """No pool gives more machines than it has, and those with pins all appear."""
        for p, n in enumerate(machines_needed(self.c).tolist()):
            standing = cp_model.LinearExpr.sum(self.carriers([q.pool == p for q in self.patterns]))
            self.model.add(standing <= n)
            if self.c.pinned[p].any():
                self.model.add(standing == n)

    def add_min_machines(self) -> None:
        """A model's replicas spread over at least ``min_machines`` machines."""
        for t in np.flatnonzero(self.c.min_machines > 1).tolist():
            holders = self.carriers([t in pattern.counts for pattern in self.patterns])
            self.model.add(cp_model.LinearExpr.sum(holders) >= int(self.c.min_machines[t]))

    def carriers(self, chosen: list[bool]) -> list[cp_model.IntVar]:
        """Return the variables of the chosen patterns."""
        return [carry for carry, yes in zip(self.carry, chosen, strict=True) if yes]

    def plan(self, value: Callable[[cp_model.IntVar], int]) -> Plan:
        """Return the plan of a solution."""
        return plan_of(self.patterns, [value(carry) for carry in self.carry])
