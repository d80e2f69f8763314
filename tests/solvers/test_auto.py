"""What ``auto`` picks, and that it says why."""

from __future__ import annotations

import pytest

from planner.generate import generate
from planner.instance import Instance
from solvers import solve
from tests.solvers.checks import check


def _note(instance: Instance, time_limit: float = 0.5) -> str:
    return check(instance, solve(instance, "auto", time_limit=time_limit)).note


def test_few_patterns_are_planned_with_all_of_them() -> None:
    many_replicas = generate(models=3, replicas=600, types=1, slots=(2, 2), slo_fraction=0.0, tightness=0.5)
    assert "picked cpsat: 7 patterns are few enough" in _note(many_replicas)


def test_few_replicas_on_big_machines_are_planned_by_machine() -> None:
    few = generate(models=40, replicas=40, types=1, machines=3, slots=(20, 20), slo_fraction=0.0)
    assert _note(few).startswith("picked cpsat: 40 replicas are few enough")


@pytest.mark.parametrize("replicas", [200, 2_000])
def test_the_rest_is_searched(replicas: int) -> None:
    rest = generate(models=100, replicas=replicas, types=2, slots=(8, 8), slo_fraction=0.0, tightness=0.5)
    assert _note(rest).startswith(f"picked local_search: {replicas:,} replicas are too many")
