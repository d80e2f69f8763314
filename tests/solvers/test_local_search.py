"""Local search where it once failed, in the regimes that it is for."""

from __future__ import annotations

from planner.generate import generate
from planner.instance import Instance
from solvers import solve
from tests.solvers.checks import check


def _objective(instance: Instance, solver: str, time_limit: float) -> int:
    objective = check(instance, solve(instance, solver, time_limit=time_limit)).objective
    assert objective is not None
    return objective


def test_levels_end_with_every_replica_at_home() -> None:
    """Memory is so tight that coarse levels leave replicas over; the plan was greedy's then."""
    tight = generate(
        models=20, replicas=4_000, machines=1_200, slots=(4, 4), rules=3, feasible=True, tightness=0.8, seed=1
    )
    assert _objective(tight, "local_search", 4.0) < 0.8 * _objective(tight, "greedy", 60.0)


def test_few_big_machines_are_improved() -> None:
    """Hundreds of distinct models on each of three machines."""
    big = generate(models=600, types=2, replicas=600, machines=3, slots=(200, 300), feasible=True)
    assert _objective(big, "local_search", 4.0) < 0.99 * _objective(big, "greedy", 60.0)
