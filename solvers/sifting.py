"""Patterns sifted by what a plan that carries them costs at least.

The linear relaxation of the formulation over patterns (:mod:`solvers.milp_by_pattern`) gives multipliers y
of its rows, and with them a bound L and reduced costs. A plan that carries pattern i costs at least L plus
the reduced cost of i: once a plan of objective U is known, patterns for which that is above U can be left
out, and every plan that is not dearer is still there ("reduced cost fixing": Dantzig, Fulkerson, Johnson,
"Solution of a Large-Scale Traveling-Salesman Problem", 1954). The relaxation is so tight that a few
hundred patterns of many thousands remain, if U is good; and a good U comes from solving with the
patterns of lowest reduced cost first. Bounds are exact whatever the floating-point solution is worth
(:mod:`solvers.lagrange`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from planner.plan import Plan
from solvers.compact import unit, watched
from solvers.enumeration import Pattern, all_patterns, carried, most_machines
from solvers.lagrange import FREE, Program, Relaxation, lagrangian
from solvers.needs import machines_needed
from solvers.run import Run
from solvers.terms import Ints

#: Patterns for a first plan, for each row of the formulation; a basis has one.
_PER_ROW = 8
#: Share of the time for local search where patterns are sifted: they will give a better plan.
BRIEF = 0.05
_TRIAL = 0.25
#: Sifting bears so many times the patterns that a formulation over all of them bears.
_MORE = 5
#: Seconds that it takes to build a formulation, for each pattern in it; more than we measured.
_BUILDING = 1e-4


@dataclass(frozen=True)
class Sifted:
    """All patterns of an instance and what a plan costs at least.

    Attributes
    ----------
    patterns
        All that are feasible.
    bound
        A proven lower bound on the objective, in ppm.
    least (N,)
        A proven lower bound on the objective of plans that carry each pattern, in ppm.
    rows
        Rows of the formulation.
    """

    patterns: list[Pattern]
    bound: int
    least: Ints
    rows: int

    def cheapest(self, plan: Plan | None) -> list[Pattern]:
        """Return the patterns that good plans are likely to carry, and those that ``plan`` carries.

        Empty if that would be all of them.
        """
        if self.least.size <= _PER_ROW * self.rows:
            return []
        chosen = np.zeros(self.least.size, dtype=bool)
        chosen[np.argsort(self.least, kind="stable")[: _PER_ROW * self.rows]] = True
        if plan is not None:
            chosen |= np.array(carried(self.patterns, plan)) > 0
        return self._those(chosen)

    def within(self, objective: int | None) -> list[Pattern]:
        """Return the patterns that a plan with at most this objective can carry; all if it is None."""
        return self.patterns if objective is None else self._those(self.least <= objective)

    def _those(self, chosen: NDArray[np.bool_]) -> list[Pattern]:
        return [self.patterns[i] for i in np.flatnonzero(chosen).tolist()]


def listed(c: Compiled, most: int) -> list[Pattern] | None:
    """Return all feasible patterns; None if there are too many where a formulation bears ``most`` of them."""
    return all_patterns(c, most if c.worst else _MORE * most)


def too_late(patterns: list[Pattern], run: Run) -> str:
    """Say that there is no time to build a formulation over ``patterns``; empty if there is.

    Nothing can interrupt the building.
    """
    if not run.stopping and len(patterns) * _BUILDING < run.remaining:
        return ""
    return f"no time to go through the {len(patterns):,} patterns that may improve the plan"


def sift(c: Compiled, patterns: list[Pattern], run: Run, share: float = 0.3) -> Sifted:
    """Return all ``patterns`` with their bounds, which are worth little if time runs out.

    Parameters
    ----------
    patterns
        All feasible patterns; the objective must not be ``worst``.
    share
        Share of the time left that may be spent.
    """
    program = relaxed(c, patterns)
    relaxation = Relaxation(program)
    seconds = share * run.remaining
    ended = watched(run, lambda: relaxation.solve(seconds), run.report, relaxation.stop)
    multipliers = relaxation.multipliers() if ended else np.zeros(program.rows)
    bound, adds = lagrangian(program, multipliers)
    step = unit(c)
    floor = max(-(-bound // step) * step, 0)
    run.report(bound=floor)
    return Sifted(patterns, floor, bound + adds, program.rows)


def relaxed(c: Compiled, patterns: list[Pattern]) -> Program:
    """Return the linear relaxation of the formulation over patterns, in ppm."""
    program = Program()
    cost = np.array([pattern.cost for pattern in patterns])
    carry = program.add_columns(cost, np.array([most_machines(c, pattern) for pattern in patterns]))
    holder, model, number = np.array(
        [(i, t, n) for i, pattern in enumerate(patterns) for t, n in pattern.counts.items()]
    ).T
    program.add_rows(model, holder, number, c.replicas, c.replicas)
    needed = machines_needed(c)
    lower = np.where(c.pinned.any(axis=1), needed, 0)
    program.add_rows(np.array([p.pool for p in patterns]), carry, np.array([1]), lower, needed)
    for t in np.flatnonzero(c.min_machines > 1).tolist():
        holders = holder[model == t]
        program.add_rows(
            np.zeros_like(holders), holders, np.array([1]), c.min_machines[[t]], np.array([FREE])
        )
    return program


def trial(run: Run) -> Run:
    """Return a part of ``run`` for the patterns that good plans are likely to carry.

    Its plans are reported; its bounds are not, because a bound over some patterns is no bound.
    """
    seconds = max(_TRIAL * run.remaining, 0.01)
    return Run(time_limit=seconds, seed=run.seed, on_progress=lambda now: run.report(now.objective))
