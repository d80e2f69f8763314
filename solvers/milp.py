"""Mixed-integer program in Pyomo, solved by HiGHS: over patterns if they are few, else over machines.

The formulations stand in :mod:`solvers.milp_by_pattern` and :mod:`solvers.milp_by_machine`. Patterns are
sifted first (:mod:`solvers.sifting`); the rows over machines include pair flow (:mod:`solvers.pairflow`).
So in both there is a useful bound from the first second.

Linearizations of the products, on ``instances/medium.yaml`` (200 replicas, 60 machines), in percent of the
optimum, HiGHS 1.16 on 2 cores, 10 s of branch and bound; ``python -m benchmarks.linearizations`` makes the
table, and more of it:

=======================================  =========  =========  ==========  ======  =====
formulation                              columns    rows       relaxation  bound   plan
=======================================  =========  =========  ==========  ======  =====
McCormick for each pair of replicas      1,040,330  1,046,773  0.0         none    none
McCormick for each pair of levels        91,305     91,013     0.8         1.4     259
the same with pair flow (RLT)            93,225     91,894     91.5        91.5    none
big-M for each level                     6,540      6,248      0.0         0.7     3,644
the same with pair flow: by_machine      8,460      7,129      91.5        91.5    145
patterns: by_pattern                     12,088     26         99.7        100     100
=======================================  =========  =========  ==========  ======  =====

HiGHS works in floating point. Its solutions are rounded to integers and judged by the checker. Its bound
is claimed less one part in a million; its proof of optimality only where the objective that it states
is, to within half a unit, the exact one of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.lp_writer import LPWriter

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.result import Stop
from solvers.bound import left_over, objective_bound
from solvers.compact import (
    MOST_PATTERNS,
    checked_objective,
    first_plan,
    impossible,
    instead,
    size,
    watched,
    why_too_large,
)
from solvers.enumeration import all_patterns
from solvers.highs import Engine
from solvers.milp_by_machine import by_machine
from solvers.milp_by_pattern import by_pattern
from solvers.pairflow import Flow
from solvers.relax import explain
from solvers.run import Outcome, Run
from solvers.sifting import BRIEF, Sifted, listed, sift, too_late, trial

Floats = NDArray[np.float64]

_LARGEST = 60_000
_LARGEST_FLOW = 20_000


class Formulation(Protocol):
    """What the formulations over machines and over patterns share."""

    @property
    def model(self) -> Any:
        """The Pyomo formulation."""

    @property
    def unit(self) -> int:
        """What one unit of its objective is in ppm."""

    def start(self, plan: Plan) -> Iterator[tuple[Any, float]]:
        """Yield integer variables and their values in a plan."""

    def plan(self, value: Any) -> Plan:
        """Return the plan of a solution."""


def formulate(instance: Instance, run: Run | None = None) -> Formulation | None:
    """Return the formulation that suits ``instance``; None if each is too large or ``run`` is stopping.

    Co-location factors depend on how many replicas a machine holds: only that over patterns states them.
    """
    c = instance.compiled
    patterns = all_patterns(c, MOST_PATTERNS)
    if patterns is not None:
        return by_pattern(c, patterns)
    if c.factored or size(c) > _LARGEST or (run is not None and run.stopping):
        return None
    flow = None if c.worst else Flow(instance, enumerate_up_to=0)
    if flow is not None and flow.program.columns > _LARGEST_FLOW:
        flow = None
    machines = by_machine(instance, flow, run)
    return None if run is not None and run.stopping else machines


def write_model(instance: Instance, path: Path) -> None:
    """Write the formulation to ``path``; its suffix, ``.lp`` or ``.mps``, says in which format.

    The objective is in units of :func:`solvers.compact.unit` parts per million.

    Raises
    ------
    InputError
        For another suffix, or an instance that is too large.
    """
    if path.suffix not in (".lp", ".mps"):
        raise InputError("must end in .lp or .mps", field="write_model", value=str(path))
    formulation = formulate(instance)
    if formulation is None:
        raise InputError(f"is too large to be written as a formulation: {why_too_large(instance.compiled)}")
    if path.suffix == ".mps":
        formulation.model.write(str(path), format="mps", io_options={"symbolic_solver_labels": True})
    else:
        with path.open("w") as stream:
            LPWriter().write(formulation.model, stream, symbolic_solver_labels=True)


def solve(instance: Instance, run: Run) -> Outcome:
    """Plan with HiGHS; optimal if it ends by itself."""
    c = instance.compiled
    if impossible(c):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    patterns = None if c.worst else listed(c, MOST_PATTERNS)
    if patterns is None:
        plan, sifted = first_plan(instance, run), None
        floor = objective_bound(instance, run)
    else:
        plan, sifted = first_plan(instance, run, share=BRIEF), sift(c, patterns, run)
        floor = sifted.bound
    if plan is None and left_over(instance, run):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if sifted is not None:
        plan = _tried(instance, run, sifted, plan)
    objective = None if plan is None else checked_objective(instance, plan)
    if run.stopping or objective == floor:
        return Outcome(plan, bound=floor, stop=run.stop)
    if sifted is None:
        f, note = formulate(instance, run), instead("HiGHS", c)
    else:
        left = sifted.within(objective)
        note = too_late(left, run)
        f = None if note else by_pattern(c, left)
    if f is None:
        return Outcome(plan, bound=floor, stop=run.stop, note="" if run.stopping else note)
    if sifted is None and floor:
        f.model.floor = pyo.Constraint(expr=f.model.objective.expr >= floor // f.unit)
    return solved(instance, run, f, plan, floor).outcome(plan)


def _tried(instance: Instance, run: Run, sifted: Sifted, plan: Plan | None) -> Plan | None:
    """Return the best plan of the patterns that good plans are likely to carry, or else ``plan``."""
    few = sifted.cheapest(plan)
    if run.stopping or not few:
        return plan
    inner = trial(run)
    tracker = solved(instance, inner, by_pattern(instance.compiled, few), plan, sifted.bound)
    tracker.finish()
    run.report(objective=tracker.objective)
    return tracker.plan or plan


def solved(instance: Instance, run: Run, f: Formulation, plan: Plan | None, floor: int) -> Tracker:
    """Let HiGHS solve a formulation, beginning from a plan if there is one."""
    engine = Engine(run.seed, run.remaining)
    tracker = Tracker(instance, f, _hand_over(f, engine), engine, run, floor)
    if plan is not None:
        tracker.begin(plan)
    ended = watched(run, engine.run, tracker.report, tracker.stop)
    if ended and plan is not None and tracker.withheld() and not run.stopping:
        engine.forget()
        watched(run, engine.run, tracker.report, tracker.stop)
    return tracker


def _hand_over(f: Formulation, engine: Engine) -> dict[int, int]:
    """Give the formulation to HiGHS; return the column of each variable, by its id."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "formulation.lp"
        with path.open("w") as stream:
            symbols = LPWriter().write(f.model, stream).symbol_map
        engine.highs.readModel(str(path))
    column = {name: i for i, name in enumerate(engine.highs.getLp().col_names_)}
    return {variable: column[name] for variable, name in symbols.byObject.items() if name in column}


@dataclass
class Tracker:
    """Turns what HiGHS finds into plans, exact objectives and safe bounds."""

    instance: Instance
    f: Formulation
    columns: dict[int, int]
    engine: Engine
    run: Run
    floor: int
    plan: Plan | None = None
    objective: int | None = None

    def begin(self, plan: Plan) -> None:
        """Give HiGHS a plan to begin from, and keep it; HiGHS works out the variables that follow from it."""
        self.plan, self.objective = plan, checked_objective(self.instance, plan)
        known = {self.columns[id(v)]: value for v, value in self.f.start(plan) if id(v) in self.columns}
        index = np.fromiter(known, dtype=np.int32, count=len(known))
        self.engine.highs.setSolution(len(known), index, np.array([*known.values()]))

    def report(self) -> None:
        """Report the incumbent and the bound so far."""
        values, self.engine.values = self.engine.values, None
        if values is not None:
            self.take(values)
        self.run.report(objective=self.objective, bound=self.bound())

    def take(self, values: Floats) -> None:
        """Keep HiGHS's solution if the checker accepts it and it is better."""
        plan = self.f.plan(lambda v: float(values[self.columns[id(v)]]) if id(v) in self.columns else 0.0)
        objective = checked_objective(self.instance, plan)
        if objective is not None and (self.objective is None or objective < self.objective):
            self.plan, self.objective = plan, objective

    def bound(self) -> int:
        """Return a bound in ppm: the relaxations', or what HiGHS's, which is not exact, allows to claim."""
        if self.engine.bound is None:
            return self.floor
        doubt = 1e-6 * max(1.0, abs(self.engine.bound))
        return max(self.floor, math.ceil(self.engine.bound - doubt) * self.f.unit)

    def stop(self) -> None:
        """Ask HiGHS to end."""
        self.engine.stopping = True

    def finish(self) -> Any:
        """Take and report what HiGHS ended with; return why it ended."""
        status = self.engine.status
        if status == highspy.HighsModelStatus.kOptimal:
            self.engine.values = self.engine.final()
        self.report()
        return status

    @property
    def stated(self) -> float:
        """The objective that HiGHS states, in ppm."""
        return float(self.engine.highs.getObjectiveValue()) * self.f.unit

    def withheld(self) -> bool:
        """Whether HiGHS states an optimum below what its solution costs.

        It does at times where it is given a plan to begin from: what it then returns is that plan.
        """
        optimal = self.finish() == highspy.HighsModelStatus.kOptimal
        return optimal and self.objective is not None and self.stated < self.objective - 0.5 * self.f.unit

    def outcome(self, start: Plan | None) -> Outcome:
        """Return what has been found; optimal where HiGHS's objective is the plan's exact one."""
        status = self.finish()
        if status == highspy.HighsModelStatus.kInfeasible and start is None:
            return Outcome(infeasible=True, reasons=explain(self.instance, self.run))
        bound = self.bound()
        optimal = status == highspy.HighsModelStatus.kOptimal
        if optimal and self.objective is not None and abs(self.stated - self.objective) <= 0.5 * self.f.unit:
            bound = self.objective
        failed = status in (highspy.HighsModelStatus.kMemoryLimit, highspy.HighsModelStatus.kSolveError)
        plan = start if self.plan is None else self.plan
        return Outcome(plan, bound=bound, stop=Stop.FAILED if failed else self.run.stop)
