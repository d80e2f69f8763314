"""What must hold of every result of every solver."""

from __future__ import annotations

from itertools import pairwise

from planner.evaluate import evaluate
from planner.instance import Instance
from planner.result import Result, Status, Stop


def check(instance: Instance, result: Result) -> Result:
    """Assert the contract of a result and return it."""
    assert (result.plan is None) == (result.objective is None)
    if result.plan is not None:
        found = evaluate(instance, result.plan)
        assert not found.violations
        assert found.objective == result.objective
    _check_status(result)
    _check_history(result)
    return result


def _check_status(result: Result) -> None:
    proven = result.objective is not None and result.bound == result.objective
    assert (result.status is Status.OPTIMAL) == proven
    assert (result.status is Status.FEASIBLE) == (result.plan is not None and not proven)
    if result.bound is not None:
        assert result.bound >= 0
        assert result.objective is None or result.bound <= result.objective
    if result.status is Status.INFEASIBLE:
        assert result.reasons
        assert result.stop is Stop.FINISHED
    if result.status is Status.NO_PLAN:
        assert result.reasons or result.note
    assert all(isinstance(v, int | None) for v in (result.objective, result.bound))
    assert result.seconds > 0


def _check_history(result: Result) -> None:
    """Only improvements enter the history, in time order, and the last is the result."""
    for before, after in pairwise(result.history):
        assert before.seconds <= after.seconds
        assert (before.objective, before.bound) != (after.objective, after.bound)
        if before.objective is not None:
            assert after.objective is not None
            assert after.objective <= before.objective
        if before.bound is not None:
            assert after.bound is not None
            assert after.bound >= before.bound
    if result.plan is not None:
        last = result.history[-1]
        assert last.seconds <= result.seconds
        assert (last.objective, last.bound) == (result.objective, result.bound)
