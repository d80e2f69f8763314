"""The mixed-integer formulation over patterns, in Pyomo: for when all feasible patterns are few.

    P[i]   how many machines of pool p_i carry pattern i, which holds c_it replicas of model t

    minimise       sum_i cost_i P[i]
    placement      sum_i c_it P[i] = replicas_t
    machines       sum_{i of p} P[i] <= machines_p   (= where replicas are pinned)
    min_machines   sum_{i with t} P[i] >= min_machines_t

``worst``: with v_1 < v_2 < ... the distinct worst degradations of patterns, y[l] says that some machine
carries a pattern whose own is at least v_l:

    minimise       v_1 y[1] + sum_{l > 1} (v_l - v_(l-1)) y[l]
    reached        P[i] <= most_i y[l] where v_l is the worst degradation of i;   y[l + 1] <= y[l]

All other rules concern single machines, and only patterns that keep them are there. Nothing names a
machine, so nothing is symmetric, and the relaxation is the tightest that looks at single machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo

from planner.compiled import Compiled
from planner.plan import Plan
from solvers.compact import unit as unit_of
from solvers.enumeration import Pattern, carried, levels, most_machines, plan_of
from solvers.milp_by_machine import Row, Terms, weighted
from solvers.needs import machines_needed


@dataclass(frozen=True)
class ByPattern:
    """The Pyomo formulation and its patterns."""

    c: Compiled
    model: pyo.ConcreteModel
    unit: int
    patterns: list[Pattern]

    def start(self, plan: Plan) -> Iterator[tuple[Any, float]]:
        """Yield how many machines of a plan carry each pattern."""
        yield from zip(self.model.carry.values(), map(float, carried(self.patterns, plan)), strict=True)

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """Return the plan of a solution, rounded to integers."""
        return plan_of(self.patterns, [round(value(carry)) for carry in self.model.carry.values()])

    def terms(self) -> Iterator[tuple[Pattern, Any]]:
        """Yield each pattern and its variable."""
        yield from zip(self.patterns, self.model.carry.values(), strict=True)


def placement(f: ByPattern) -> Iterator[Row]:
    """Every replica is placed exactly once."""
    carriers: list[Terms] = [[] for _ in f.c.replicas]
    for pattern, carry in f.terms():
        for t, n in pattern.counts.items():
            carriers[t].append((n, carry))
    for terms, n in zip(carriers, f.c.replicas.tolist(), strict=True):
        yield n, weighted(terms), n


def machines(f: ByPattern) -> Iterator[Row]:
    """No pool gives more machines than it has, and those with pins all appear."""
    for p, n in enumerate(machines_needed(f.c).tolist()):
        if terms := [(1, carry) for pattern, carry in f.terms() if pattern.pool == p]:
            yield n if f.c.pinned[p].any() else None, weighted(terms), n


def min_machines(f: ByPattern) -> Iterator[Row]:
    """A model's replicas spread over at least ``min_machines`` machines."""
    for t in np.flatnonzero(f.c.min_machines > 1).tolist():
        holders = [(1, carry) for pattern, carry in f.terms() if t in pattern.counts]
        yield int(f.c.min_machines[t]), weighted(holders), None


def reached(f: ByPattern) -> Iterator[Row]:
    """Under ``worst``, a pattern is carried only if its level is reached, and with it all lower ones."""
    if f.c.worst:
        level = f.model.level
        for (pattern, carry), own in zip(f.terms(), levels(f.patterns)[1], strict=True):
            yield None, weighted([(1, carry), (-most_machines(f.c, pattern), level[own])]), 0
        for own in range(1, len(level)):
            yield None, weighted([(1, level[own]), (-1, level[own - 1])]), 0


FAMILIES: tuple[Callable[[ByPattern], Iterator[Row]], ...] = (placement, machines, min_machines, reached)


def by_pattern(c: Compiled, patterns: list[Pattern]) -> ByPattern:
    """Return the formulation over ``patterns``: all that are feasible, or all that may be needed."""
    f = ByPattern(c, pyo.ConcreteModel(), unit_of(c), patterns)
    f.model.carry = pyo.Var(range(len(patterns)), domain=pyo.NonNegativeIntegers)
    for pattern, carry in f.terms():
        carry.setub(most_machines(c, pattern))
    values = levels(patterns)[0] if c.worst else []
    f.model.level = pyo.Var(range(len(values)), domain=pyo.Binary)
    costs = [(pattern.cost // f.unit, carry) for pattern, carry in f.terms()]
    if c.worst:
        rises = (np.diff(values, prepend=0) // f.unit).tolist()
        costs = list(zip(rises, f.model.level.values(), strict=True))
    f.model.objective = pyo.Objective(expr=weighted(costs))
    for family in FAMILIES:
        rows = pyo.ConstraintList()
        f.model.add_component(f"{family.__name__}_rule", rows)
        for row in family(f):
            rows.add(row)
    return f
