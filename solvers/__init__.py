"""Solvers: each a function from an instance and a :class:`~solvers.run.Run` to an outcome.

:data:`SOLVERS` is the one list of them; the command line, the tests and the error messages derive
from it. :func:`solve` is the way in: it proves what can be proven at once, runs the solver, has its
plan checked by :mod:`planner.evaluate`, and reports the checker's objective, not the solver's.
"""

from __future__ import annotations

import importlib
import math
import threading
from dataclasses import dataclass
from functools import cache

from planner.errors import InputError, SolverError
from planner.evaluate import verdict
from planner.infeasible import obstacles
from planner.instance import Instance
from planner.plan import Plan
from planner.result import OnProgress, Result, Status, Stop
from solvers.run import Helpers, Outcome, Run, Solver


@dataclass(frozen=True)
class Entry:
    """A solver: the module whose ``solve`` it is, whether it can prove, and what it does in a line.

    ``picks`` are solvers it may hand an instance to, loaded with it so that no limit pays for compiling them.
    """

    module: str
    proves: bool
    about: str
    picks: tuple[str, ...] = ()


SOLVERS: dict[str, Entry] = {
    "auto": Entry(
        "solvers.auto",
        True,
        "picks a solver by the instance's size and says which and why",
        picks=("patterns", "local_search"),
    ),
    "milp": Entry("solvers.milp", True, "mixed-integer program of linearized pairs, solved by HiGHS"),
    "cpsat": Entry(
        "solvers.cpsat", True, "constraint program with a complete hint, solved by OR-Tools CP-SAT"
    ),
    "patterns": Entry(
        "solvers.patterns",
        True,
        "column generation over patterns: a plan and a bound at any number of replicas",
    ),
    "local_search": Entry(
        "solvers.local_search", False, "simulated annealing by relocating and swapping replicas"
    ),
    "greedy": Entry("solvers.greedy", False, "each replica to where it adds least to the objective"),
    "least_loaded": Entry(
        "solvers.least_loaded", False, "each replica, as it arrives, to the least-loaded machine"
    ),
    "first_fit": Entry("solvers.first_fit", False, "best-fit decreasing on the scarcest resource"),
    "kubernetes": Entry("solvers.kubernetes", False, "the default Kubernetes scheduler's scoring"),
}


def solve(
    instance: Instance,
    solver: str = "auto",
    *,
    time_limit: float = 60.0,
    seed: int = 0,
    start: Plan | None = None,
    on_progress: OnProgress | None = None,
    helpers: Helpers | None = None,
) -> Result:
    """Plan ``instance`` with the named solver.

    The time limit counts from when the solver is loaded and compiled (seconds, on the first use on
    a machine). Ctrl-C ends the solve with what it has.

    Parameters
    ----------
    time_limit
        Seconds; the solve ends at most one second later.
    seed
        The same instance, seed and version give the same plan where the solver ends by itself.
    start
        A valid plan to begin from; the result is never worse.
    on_progress
        Called with each :class:`~planner.result.Progress`; a true return value ends the solve.
    helpers
        Where ``patterns``, and ``auto`` if it picks them, may price patterns besides this process.

    Raises
    ------
    InputError
        For an unknown solver, a time limit that is not positive, a negative seed, or a start that
        the checker refuses.
    SolverError
        If the solver breaks its contract.
    """
    function = load(solver)
    if not (time_limit > 0 and math.isfinite(time_limit)):
        raise InputError("must be a positive number of seconds", field="time_limit", value=time_limit)
    if not 0 <= seed < 2**31:
        raise InputError("must be from 0 to 2^31 - 1", field="seed", value=seed)
    run = Run(time_limit=time_limit, seed=seed, start=start, on_progress=on_progress, helpers=helpers)
    started = None if start is None else _checked(instance, start, InputError)
    if started is None and (reasons := obstacles(instance)):
        return Result(Status.INFEASIBLE, Stop.FINISHED, solver, seed, seconds=run.elapsed, reasons=reasons)
    run.report(objective=started)
    return _result(instance, solver, run, started, _attended(function, instance, run))


_loaded: dict[str, Solver] = {}


def load(solver: str) -> Solver:
    """Return the named solver, imported and compiled.

    Raises
    ------
    InputError
        If there is no such solver.
    """
    if solver not in SOLVERS:
        raise InputError(f"must be one of {', '.join(SOLVERS)}", field="solver", value=solver)
    if solver not in _loaded:
        for picked in SOLVERS[solver].picks:
            load(picked)
        function: Solver = importlib.import_module(SOLVERS[solver].module).solve
        for replicas in (3, 40):  # few and many on a machine are searched differently
            function(_alike(replicas), Run(time_limit=60.0))
        if SOLVERS[solver].proves:
            _load_bounds()
        _loaded[solver] = function
    return _loaded[solver]


@cache
def _load_bounds() -> None:
    """Compile what bounds an objective: the instances that solvers are tried on are proven without it."""
    importlib.import_module("solvers.bound").proven(_alike(3), Run(time_limit=60.0))


def _alike(replicas: int) -> Instance:
    """Return an instance on which a solver is tried once, so that compilation is not timed.

    Some of them must share a machine, so there is something to search for, and machines to re-match.
    """
    import numpy as np

    from planner.instance import InferenceModel, MachineType

    half = -(-replicas // 2)
    return Instance(
        name=f"{replicas} replicas",
        machine_types=(MachineType(name="machine", count=2, slots=half, resources={"memory": half}),),
        models=(
            InferenceModel(
                name="model", replicas=replicas, latency_ms={"machine": 1.0}, demand={"memory": 1}
            ),
        ),
        degradation=np.full((1, 1, 1), 0.5),
    )


def _attended(function: Solver, instance: Instance, run: Run) -> Outcome:
    """Run a solver so that Ctrl-C in the main thread ends it with what it has."""
    if threading.current_thread() is not threading.main_thread():
        return function(instance, run)
    answer: list[Outcome | BaseException] = []
    done = threading.Event()  # an interrupted Thread.join takes a living thread for dead (CPython 3.11)

    def work() -> None:
        try:
            answer.append(function(instance, run))
        except BaseException as error:  # handed to the main thread, which raises it
            answer.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="solve", daemon=True).start()
    while not done.is_set():
        try:
            done.wait(0.05)
        except KeyboardInterrupt:
            if run.interrupted:
                raise
            run.interrupt()
    if isinstance(answer[0], BaseException):
        raise answer[0]
    return answer[0]


def _checked(instance: Instance, plan: Plan, error: type[Exception]) -> int:
    """Return the checker's objective of ``plan``; raise ``error`` if it refuses the plan."""
    found = verdict(instance, plan)
    objective, broken = found.objective, found.violations
    if broken or objective is None:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise error(f"the plan breaks the rule {broken[0].rule}: {broken[0].message}{more}")
    return objective


def _result(instance: Instance, solver: str, run: Run, started: int | None, outcome: Outcome) -> Result:
    """Have the outcome checked and turn it into a result."""
    plan, objective = outcome.plan, None
    if plan is not None:
        objective = _checked(instance, plan, SolverError)
    if started is not None and (objective is None or started < objective):
        plan, objective = run.start, started
    if outcome.infeasible and plan is not None:
        raise SolverError(f"{solver} claims that an instance with a plan is infeasible")
    reported = run.history[-1].bound if run.history else None
    known = [value for value in (outcome.bound, reported) if value is not None]
    bound = 0 if objective == 0 else max(known, default=None)  # no objective is ever negative
    if objective is not None and bound is not None and bound > objective:
        raise SolverError(f"{solver} claims the bound {bound} above the objective {objective} of its plan")
    if objective is not None:
        status = Status.OPTIMAL if bound == objective else Status.FEASIBLE
    else:
        status = Status.INFEASIBLE if outcome.infeasible else Status.NO_PLAN
    run.report(objective=objective, bound=bound)
    return Result(
        status=status,
        stop=outcome.stop,
        solver=solver,
        seed=run.seed,
        plan=plan,
        objective=objective,
        bound=bound,
        seconds=run.elapsed,
        history=tuple(run.history),
        reasons=outcome.reasons or _default_reasons(status, outcome),
        note=outcome.note,
    )


def _default_reasons(status: Status, outcome: Outcome) -> tuple[str, ...]:
    """Say why there is no plan where the solver did not."""
    if status is not Status.NO_PLAN or outcome.note:
        return ()
    return ("the time limit was reached before a plan was found",)
