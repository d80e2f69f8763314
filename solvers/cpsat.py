"""Constraint program, solved by OR-Tools CP-SAT: over patterns if they are few, else over machines.

The programs stand in :mod:`solvers.cpsat_by_pattern` and :mod:`solvers.cpsat_by_machine`. Patterns are sifted
first (:mod:`solvers.sifting`). The best plan so far is a complete hint. The bound of sifting, or of pair
flow (:mod:`solvers.pairflow`), which CP-SAT would not find by itself, is one of the constraints.
All coefficients are the instance's integers: nothing is rounded.
"""

from __future__ import annotations

import math

from ortools.sat.python import cp_model

from planner.instance import Instance
from planner.plan import Plan
from planner.result import Stop
from solvers.bound import left_over, objective_bound
from solvers.compact import (
    LARGEST,
    MOST_PATTERNS,
    checked_objective,
    first_plan,
    impossible,
    instead,
    size,
    watched,
)
from solvers.cpsat_by_machine import ByMachine
from solvers.cpsat_by_pattern import ByPattern
from solvers.enumeration import Pattern
from solvers.relax import explain
from solvers.run import Outcome, Run
from solvers.sifting import BRIEF, listed, sift, too_late, trial

#: One worker is deterministic, and as fast as two on the instances we measured.
_WORKERS = 1
_EXACT = 2.0**53


class Watcher(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]
    """Keeps the latest plan, objective and bound for the thread that reports them."""

    def __init__(self, program: ByMachine | ByPattern) -> None:
        super().__init__()
        self.program = program
        self.plan: Plan | None = None
        self.objective: int | None = None
        self.bound: int | None = None

    def on_solution_callback(self) -> None:
        """Take note of a solution."""
        self.plan = self.program.plan(self.value)
        self.objective = round(self.objective_value)

    def on_bound(self, bound: float) -> None:
        """Take note of a bound."""
        self.bound = safe(bound)


def safe(bound: float) -> int | None:
    """Return an integer that a bound given in floating point proves; None where it proves nothing."""
    if not math.isfinite(bound):
        return None
    return math.ceil(bound - 1e-6) if abs(bound) < _EXACT else math.floor(bound * (1 - 1e-15))


def solve(instance: Instance, run: Run) -> Outcome:
    """Plan with CP-SAT; optimal if it ends by itself."""
    c = instance.compiled
    if impossible(c):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    patterns = listed(c, MOST_PATTERNS)
    if patterns is None or c.worst:
        plan, sifted = first_plan(instance, run), None
        floor = objective_bound(instance, run)
    else:
        plan, sifted = first_plan(instance, run, share=BRIEF), sift(c, patterns, run)
        floor = sifted.bound
    if plan is None and left_over(instance, run):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if sifted is not None and not run.stopping and (few := sifted.cheapest(plan)):
        watcher, _ = _solved(trial(run), ByPattern(c, few, plan, floor))
        plan = watcher.plan or plan
        run.report(objective=watcher.objective)
    objective = None if plan is None else checked_objective(instance, plan)
    if run.stopping or objective == floor:
        return Outcome(plan, bound=floor, stop=run.stop)
    if sifted is not None:
        patterns = sifted.within(objective)
        if note := too_late(patterns, run):
            return Outcome(plan, bound=floor, stop=run.stop, note=note)
    program = _program(instance, patterns, plan, floor)
    if program is None:
        return Outcome(plan, bound=floor, note=instead("CP-SAT", c), stop=run.stop)
    return _outcome(instance, run, plan, floor, *_solved(run, program))


def _program(
    instance: Instance, patterns: list[Pattern] | None, start: Plan | None, floor: int
) -> ByMachine | ByPattern | None:
    """Return the program that suits ``instance``; None if each is too large."""
    c = instance.compiled
    if patterns is not None:
        return ByPattern(c, patterns, start, floor)
    if c.factored or size(c) > LARGEST:  # factors depend on how many replicas a machine holds
        return None
    return ByMachine(instance, start, floor)


def _solved(run: Run, program: ByMachine | ByPattern) -> tuple[Watcher, int]:
    """Let CP-SAT solve a program; return what it found and its status."""
    watcher, solver = Watcher(program), _solver(run)
    solver.best_bound_callback = watcher.on_bound
    status = cp_model.UNKNOWN

    def work() -> None:
        nonlocal status
        status = solver.solve(program.model, watcher)

    def news() -> None:
        run.report(objective=watcher.objective, bound=watcher.bound)

    watched(run, work, news, solver.stop_search)
    return watcher, status


def _solver(run: Run) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(run.remaining, 0.01)
    solver.parameters.random_seed = run.seed
    solver.parameters.num_workers = _WORKERS
    solver.parameters.catch_sigint_signal = False
    return solver


def _outcome(
    instance: Instance, run: Run, plan: Plan | None, floor: int, watcher: Watcher, status: int
) -> Outcome:
    """Turn what CP-SAT says into a plan and a bound that are proven."""
    if status == cp_model.INFEASIBLE:
        return Outcome(infeasible=True, reasons=explain(instance, run))
    plan = watcher.plan or plan
    if status == cp_model.OPTIMAL and plan is not None:
        return Outcome(plan, bound=checked_objective(instance, plan))
    stop = Stop.FAILED if status == cp_model.MODEL_INVALID else run.stop
    return Outcome(plan, bound=max(floor, watcher.bound or 0), stop=stop)
