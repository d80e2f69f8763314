"""The mixed-integer formulation over patterns, in Pyomo: for when all feasible patterns are few.

    P[i]   how many machines of pool p_i carry pattern i, which holds c_it replicas of model t

    minimise       sum_i cost_i P[i]
    placement      sum_i c_it P[i] = replicas_t
    machines       sum_{i of p} P[i] <= machines_p   (= where replicas are pinned)
    min_machines   sum_{i with t} P[i] >= min_machines_t

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
from planner.instance import Instance
from planner.plan import Plan
from solvers.by_machine import Row, Terms, weighted
from solvers.compact import unit as unit_of
from solvers.enumeration import few_patterns
from solvers.fleet import machines_needed
from solvers.run import Run


@dataclass(frozen=True)
class ByPattern:
    """The Pyomo formulation, and pool, members and cost of each pattern."""

    c: Compiled
    model: pyo.ConcreteModel
    unit: int
    patterns: list[tuple[int, dict[int, int], int]]

    def start(self, plan: Plan) -> Iterator[tuple[Any, float]]:
        """Yield how many machines of a plan carry each pattern."""
        carried = {(p, tuple(sorted(c.items()))): n for p, n, c in plan.patterns()}
        for i, (p, pattern, _) in enumerate(self.patterns):
            yield self.model.carry[i], float(carried.get((p, tuple(sorted(pattern.items()))), 0))

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """Return the plan of a solution, rounded to integers."""
        carried = [round(value(self.model.carry[i])) for i in range(len(self.patterns))]
        found = zip(self.patterns, carried, strict=True)
        return Plan.from_patterns((p, n, pattern) for (p, pattern, _), n in found)


def placement(f: ByPattern) -> Iterator[Row]:
    """Every replica is placed exactly once."""
    carriers: list[Terms] = [[] for _ in f.c.replicas]
    for i, (_, pattern, _) in enumerate(f.patterns):
        for t, n in pattern.items():
            carriers[t].append((n, f.model.carry[i]))
    for terms, n in zip(carriers, f.c.replicas.tolist(), strict=True):
        yield n, weighted(terms), n


def machines(f: ByPattern) -> Iterator[Row]:
    """No pool gives more machines than it has, and those with pins all appear."""
    needed = machines_needed(f.c)
    for p, n in enumerate(needed.tolist()):
        terms: Terms = [(1, f.model.carry[i]) for i, (q, _, _) in enumerate(f.patterns) if q == p]
        if terms:
            yield n if f.c.pinned[p].any() else None, weighted(terms), n


def min_machines(f: ByPattern) -> Iterator[Row]:
    """A model's replicas spread over at least ``min_machines`` machines."""
    for t in np.flatnonzero(f.c.min_machines > 1).tolist():
        terms: Terms = [(1, f.model.carry[i]) for i, (_, pattern, _) in enumerate(f.patterns) if t in pattern]
        yield int(f.c.min_machines[t]), weighted(terms), None


FAMILIES: tuple[Callable[[ByPattern], Iterator[Row]], ...] = (placement, machines, min_machines)


def by_pattern(instance: Instance, at_most: int, run: Run | None = None) -> ByPattern | None:
    """Return the formulation; None if there are more than ``at_most`` patterns or if time is up.

    The objective ``worst`` is no sum over patterns, so None for it too; and where the rules of single
    machines alone leave a model or a pinned machine without any pattern.
    """
    c = instance.compiled
    pools = np.flatnonzero(machines_needed(c)).tolist()
    f = ByPattern(c, pyo.ConcreteModel(), unit_of(c), [])
    for p in pools if not c.worst else []:
        found, complete = few_patterns(c, p, at_most - len(f.patterns))
        if not complete or (c.pinned[p].any() and not found):
            return None
        for patterns in found:
            for members, cost in zip(patterns.members, patterns.cost.tolist(), strict=True):
                models, counts = np.unique(members, return_counts=True)
                pattern = dict(zip(models.tolist(), counts.tolist(), strict=True))
                f.patterns.append((p, pattern, cost))
    if {t for _, pattern, _ in f.patterns for t in pattern} != set(range(c.replicas.size)):
        return None
    f.model.carry = pyo.Var(range(len(f.patterns)), domain=pyo.NonNegativeIntegers)
    costs: Terms = [(cost // f.unit, f.model.carry[i]) for i, (_, _, cost) in enumerate(f.patterns)]
    f.model.objective = pyo.Objective(expr=weighted(costs))
    for family in FAMILIES:
        rows = pyo.ConstraintList()
        f.model.add_component(f"{family.__name__}_rule", rows)
        for row in family(f):
            rows.add(row)
    return None if run is not None and run.stopping else f
