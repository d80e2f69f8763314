"""What a result has and why it stopped are two things, and what is absent is None."""

from __future__ import annotations

import pytest

from planner.result import Result, Status, Stop


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(200, 150, 0.25), (200, 200, 0.0), (200, 0, 1.0), (0, 0, 0.0), (200, None, None), (None, 150, None)],
)
def test_gap(objective: int | None, bound: int | None, gap: float | None) -> None:
    result = Result(Status.FEASIBLE, Stop.TIME_LIMIT, "any", 0, objective=objective, bound=bound)
    assert result.gap == gap


def test_what_is_not_given_is_absent() -> None:
    result = Result(Status.NO_PLAN, Stop.TIME_LIMIT, "any", 0)
    assert (result.plan, result.objective, result.bound, result.gap) == (None, None, None, None)
    assert (result.history, result.reasons, result.note) == ((), (), "")


def test_the_words_that_files_hold() -> None:
    """Plan files of earlier versions hold these words; none may change."""
    assert [*Status] == ["optimal", "feasible", "infeasible", "no_plan"]
    assert [*Stop] == ["finished", "time_limit", "interrupted", "failed"]
