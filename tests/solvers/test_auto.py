"""What ``auto`` picks, and that it says why."""

from __future__ import annotations

import pytest

import solvers
from benchmarks.distinct import crowded
from planner.generate import generate
from planner.instance import Instance
from solvers import auto, classes, greedy, local_search, solve
from solvers.run import Run
from tests.solvers.checks import check


def _note(instance: Instance, time_limit: float = 0.5) -> str:
    return check(instance, solve(instance, "auto", time_limit=time_limit)).note


def test_small_machines_are_planned_by_patterns() -> None:
    many_replicas = generate(models=3, replicas=600, types=1, slots=(2, 2), slo_fraction=0.0, tightness=0.5)
    assert _note(many_replicas) == "picked patterns: no machine holds more than 2 replicas"


def test_few_replicas_on_big_machines_are_planned_by_patterns_too() -> None:
    few = generate(models=40, replicas=40, types=1, machines=3, slots=(20, 20), slo_fraction=0.0)
    assert _note(few).startswith("picked patterns")


def test_few_patterns_of_big_machines_are_planned_with_all_of_them() -> None:
    few = generate(models=2, replicas=200, types=1, slots=(30, 30), slo_fraction=0.0)
    assert "patterns are few enough to plan with all of them" in _note(few)


@pytest.mark.parametrize("objective", ["degradation", "worst"])
def test_the_rest_is_searched_and_bounded(objective: str) -> None:
    rest = generate(
        models=30, replicas=300, types=2, slots=(20, 20), slo_fraction=0.0, tightness=0.5, objective=objective
    )
    result = check(rest, solve(rest, "auto", time_limit=2.5))
    assert result.note.startswith("picked local_search")
    assert result.note.endswith(("the bound is from pair flow", "the bound is from cliques"))
    assert result.bound is not None


def test_what_it_may_pick_is_compiled_before_the_clock_starts() -> None:
    solvers.load("auto")
    assert {"patterns", "local_search"} <= solvers._loaded.keys()


def test_where_a_search_cannot_begin_in_time_the_first_plan_is_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto, "_SETTING_UP_S", 1.0)
    instance = crowded(120, 4, "random", slots=True)
    result = check(instance, solve(instance, "auto", time_limit=5.0))
    assert result.note.endswith("too little time to search or to bound")
    assert result.objective == solve(instance, "greedy").objective


def test_a_first_plan_may_be_a_little_late() -> None:
    instance = crowded(120, 4, "random", slots=True)
    run = Run(time_limit=1e-9)
    assert local_search.constructed(instance, run) is not None
    run.interrupt()
    assert local_search.constructed(instance, run) is None


def test_dropping_classes_without_copies_changes_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = generate(models=40, types=2, replicas=400, machines=60, slots=(10, 14), slo_fraction=0.0, seed=3)
    kept = greedy.solve(rest, Run(time_limit=60.0)).plan
    used: list[int] = []
    compact = classes._compact

    def counting(g: classes.Classes) -> None:
        compact(g)
        used.append(int(g.used[0]))

    monkeypatch.setattr(classes, "_FEW", 1)
    monkeypatch.setattr(classes, "_compact", counting)
    assert greedy.solve(rest, Run(time_limit=60.0)).plan == kept is not None
    assert 0 < max(used) <= 60
