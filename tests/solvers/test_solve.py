"""What ``solve`` makes of solvers that keep or break their contract."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

import solvers
from planner.errors import InputError, SolverError
from planner.instance import Instance, Rules
from planner.plan import Plan
from planner.result import Progress, Status, Stop
from solvers import SOLVERS, Entry, solve
from solvers.run import Outcome, Run, Solver
from tests.tiny import plan, with_model


def pretend(monkeypatch: pytest.MonkeyPatch, function: Solver) -> None:
    """Have "fake" name this solver."""
    monkeypatch.setitem(SOLVERS, "fake", Entry("nowhere", True, "a solver made up for a test"))
    monkeypatch.setitem(solvers._loaded, "fake", function)


def answering(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    """Have "fake" name a solver that always gives this outcome."""
    pretend(monkeypatch, lambda instance, run: outcome)


def test_the_objective_reported_is_the_checkers(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_about_itself(instance: Instance, run: Run) -> Outcome:
        run.report(objective=2_000_000)
        return Outcome(plan=separate, bound=900_000)

    pretend(monkeypatch, wrong_about_itself)
    result = solve(pair, "fake", seed=3)
    assert (result.status, result.stop) == (Status.FEASIBLE, Stop.FINISHED)
    assert (result.objective, result.bound, result.gap) == (1_000_000, 900_000, 0.1)
    assert (result.solver, result.seed, result.plan) == ("fake", 3, separate)


def test_a_bound_that_meets_the_objective_is_a_proof(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Outcome(plan=separate, bound=1_000_000))
    assert solve(pair, "fake").status is Status.OPTIMAL
    answering(monkeypatch, Outcome(plan=separate, bound=999_999))
    assert solve(pair, "fake").status is Status.FEASIBLE
    answering(monkeypatch, Outcome(plan=separate))
    result = solve(pair, "fake")
    assert (result.status, result.bound) == (Status.FEASIBLE, None)


def test_a_plan_that_costs_nothing_is_optimal(pair: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    free = with_model(with_model(pair, "a", weight=0.0), "b", weight=0.0)
    answering(monkeypatch, Outcome(plan=plan(free, "gpu: 2 a", "gpu: 2 b")))
    result = solve(free, "fake")
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 0, 0)


def test_a_plan_that_the_checker_refuses_is_the_solvers_fault(
    pair: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Outcome(plan=plan(pair, "gpu: 2 a", "gpu: 1 b")))
    with pytest.raises(SolverError, match="breaks the rule replicas: b: 1 replicas placed, has 2"):
        solve(pair, "fake")
    answering(monkeypatch, Outcome(plan=Plan.from_patterns([(7, 1, {0: 2, 1: 2})])))
    with pytest.raises(SolverError, match="pool number 7"):
        solve(pair, "fake")


def test_a_bound_above_the_objective_is_the_solvers_fault(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Outcome(plan=separate, bound=1_000_001))
    with pytest.raises(SolverError, match="bound 1000001 above the objective 1000000"):
        solve(pair, "fake")


def test_claiming_infeasible_with_a_plan_is_the_solvers_fault(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Outcome(plan=separate, infeasible=True))
    with pytest.raises(SolverError, match="infeasible"):
        solve(pair, "fake")
    answering(monkeypatch, Outcome(infeasible=True))
    with pytest.raises(SolverError, match="infeasible"):
        solve(pair, "fake", start=separate)


def test_without_a_plan_it_says_so(pair: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Outcome(stop=Stop.TIME_LIMIT, reasons=("out of ideas",)))
    result = solve(pair, "fake")
    assert (result.status, result.stop, result.reasons) == (
        Status.NO_PLAN,
        Stop.TIME_LIMIT,
        ("out of ideas",),
    )
    assert (result.plan, result.objective, result.bound) == (None, None, None)
    answering(monkeypatch, Outcome(infeasible=True))
    assert solve(pair, "fake").status is Status.INFEASIBLE


def test_a_start_is_never_lost(
    pair: Instance, separate: Plan, mixed: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Outcome(plan=mixed))
    result = solve(pair, "fake", start=separate)
    assert (result.plan, result.objective) == (separate, 1_000_000)
    answering(monkeypatch, Outcome(stop=Stop.TIME_LIMIT))
    result = solve(pair, "fake", start=mixed)
    assert (result.plan, result.objective, result.stop) == (mixed, 1_100_000, Stop.TIME_LIMIT)
    answering(monkeypatch, Outcome(plan=separate))
    assert solve(pair, "fake", start=mixed).plan == separate


def test_what_can_be_proven_at_once_needs_no_solver(pair: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(instance: Instance, run: Run) -> Outcome:
        raise AssertionError

    pretend(monkeypatch, never)
    result = solve(pair.replace(rules=Rules(min_machines={"a": 3})), "fake")
    assert (result.status, result.stop) == (Status.INFEASIBLE, Stop.FINISHED)
    assert "min_machines wants a on 3 machines" in result.reasons[0]


def test_errors_of_a_solver_come_through(pair: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(instance: Instance, run: Run) -> Outcome:
        raise ZeroDivisionError("oops")

    pretend(monkeypatch, breaks)
    with pytest.raises(ZeroDivisionError, match="oops"):
        solve(pair, "fake")


def test_a_solver_works_beside_the_main_thread(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that Ctrl-C reaches the main thread, whatever the solver's library does."""
    seen: list[threading.Thread] = []

    def watched(instance: Instance, run: Run) -> Outcome:
        seen.append(threading.current_thread())
        return Outcome(plan=separate)

    pretend(monkeypatch, watched)
    solve(pair, "fake")
    assert seen[0] is not threading.main_thread()


def test_ctrl_c_ends_a_solve_with_its_plan(
    pair: Instance, separate: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(instance: Instance, run: Run) -> Outcome:
        time.sleep(0.2)  # until the main thread waits
        _thread.interrupt_main()
        while not run.stopping:
            time.sleep(0.001)
        return Outcome(plan=separate, stop=run.stop)

    pretend(monkeypatch, endless)
    result = solve(pair, "fake", time_limit=60.0)
    assert (result.stop, result.plan) == (Stop.INTERRUPTED, separate)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_time_limits_out_of_range_are_refused(pair: Instance, limit: float) -> None:
    with pytest.raises(InputError, match="time_limit: must be a positive number of seconds"):
        solve(pair, "greedy", time_limit=limit)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_out_of_range_are_refused(pair: Instance, seed: int) -> None:
    with pytest.raises(InputError, match="seed: must be from 0"):
        solve(pair, "greedy", seed=seed)


def test_unknown_solvers_are_refused_with_the_known_ones(pair: Instance) -> None:
    with pytest.raises(InputError) as caught:
        solve(pair, "oracle")
    assert str(caught.value) == f"solver: must be one of {', '.join(SOLVERS)}, found 'oracle'"


def test_a_run_keeps_the_best_it_was_told() -> None:
    shown: list[Progress] = []
    run = Run(time_limit=60.0, on_progress=shown.append)
    for objective, bound in ((None, 3), (90, None), (95, 2), (80, 10), (80, 10)):
        assert not run.report(objective=objective, bound=bound)
    assert [(p.objective, p.bound) for p in run.history] == [(None, 3), (90, 3), (80, 10)]
    assert [(p.objective, p.bound) for p in shown] == [(None, 3), (90, 3), (90, 3), (80, 10), (80, 10)]


def test_a_run_stops_when_asked_or_out_of_time() -> None:
    run = Run(time_limit=60.0, on_progress=lambda progress: progress.objective == 5)
    assert not run.report(objective=6)
    assert run.stop is Stop.FINISHED
    assert run.report(objective=5)
    assert (run.stopping, run.stop) == (True, Stop.INTERRUPTED)
    late = Run(time_limit=1e-9)
    time.sleep(1e-3)
    assert late.report()
    assert (late.stop, late.remaining) == (Stop.TIME_LIMIT, 0.0)
