"""Every solver against brute force on random tiny instances."""

from __future__ import annotations

import pytest

from planner.instance import Instance, Pinned
from planner.result import Result, Status
from solvers import SOLVERS, solve
from tests.random_instances import solved
from tests.solvers.checks import check
from tests.tiny import with_model, with_type

EXACT = ("milp", "cpsat", "patterns")
HEURISTIC = tuple(name for name, entry in SOLVERS.items() if not entry.proves)
HALVES = (range(10), range(10, 20))
REST, MORE = range(20, 2_000), [range(first, first + 1_000) for first in range(2_000, 10_000, 1_000)]


def _proven(solver: str, seed: int) -> Result:
    """Solve to the end and compare with brute force; ``check`` has seen that no bound fell on the way."""
    instance, answer = solved(seed)
    result = check(instance, solve(instance, solver, time_limit=60.0, seed=seed))
    assert result.objective == answer.objective, (solver, seed, result)
    assert result.status is (Status.OPTIMAL if answer.feasible else Status.INFEASIBLE), (solver, seed, result)
    return result


def _plausible(solver: str, seed: int, *, time_limit: float = 60.0) -> Result:
    """Solve, and check that nothing contradicts brute force."""
    instance, answer = solved(seed)
    result = check(instance, solve(instance, solver, time_limit=time_limit, seed=seed))
    if result.objective is not None:
        assert answer.objective is not None, (solver, seed, result)
        assert result.objective >= answer.objective, (solver, seed, result)
    if result.bound is not None and answer.objective is not None:
        assert result.bound <= answer.objective, (solver, seed, result)
    if answer.feasible:
        assert result.status is not Status.INFEASIBLE, (solver, seed, result)
    return result


@pytest.mark.parametrize(
    ("solver", "seeds"), [*((name, HALVES[0]) for name in EXACT), ("patterns", HALVES[1])]
)
def test_exact_solvers_find_the_optimum_of_brute_force(solver: str, seeds: range) -> None:
    statuses = {_proven(solver, seed).status for seed in seeds}
    assert statuses == {Status.OPTIMAL, Status.INFEASIBLE}


@pytest.mark.parametrize("solver", EXACT)
def test_an_optimum_that_highs_proves_but_withholds_is_found(solver: str) -> None:
    """It stated 0 and returned the plan that it began from, at 0.3."""
    _proven(solver, 2_623)


@pytest.mark.soak
@pytest.mark.parametrize("solver", EXACT)
def test_exact_solvers_find_the_optimum_of_brute_force_soak(solver: str) -> None:
    for seed in [*HALVES[1], *REST]:
        _proven(solver, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seeds", MORE, ids=str)
def test_patterns_find_the_optimum_of_brute_force_on_ten_thousand_soak(seeds: range) -> None:
    """These and the two thousand of the test before."""
    for seed in seeds:
        _proven("patterns", seed)


@pytest.mark.parametrize("solver", HEURISTIC)
def test_heuristics_are_valid_and_never_better_than_the_optimum(solver: str) -> None:
    """And they find a plan for most instances that have one."""
    results = [_plausible(solver, seed) for seed in HALVES[0]]
    possible = sum(solved(seed)[1].feasible for seed in HALVES[0])
    assert sum(r.plan is not None for r in results) > 0.7 * possible


@pytest.mark.soak
@pytest.mark.parametrize("solver", HEURISTIC)
def test_heuristics_are_valid_and_never_better_than_the_optimum_soak(solver: str) -> None:
    for seed in [*HALVES[1], *REST]:
        _plausible(solver, seed)


def test_auto_is_as_good_as_what_it_picks() -> None:
    for seed in range(12):
        _plausible("auto", seed)


@pytest.mark.parametrize("solver", SOLVERS)
def test_pins_that_only_two_others_together_cure(pair: Instance, solver: str) -> None:
    """Pinned replicas of a miss their SLO; one more makes it worse, two cure it: rules for one fail."""
    pinned = (Pinned(name="old", machine_type="gpu", models={"a": 2}),)
    cured = with_type(pair, "gpu", slots=4, resources={"memory": 16.0}, colocation_factor={3: 2.0, 4: 0.0})
    result = solve(with_model(cured, "a", slo_ms=10.5).replace(pinned=pinned), solver, time_limit=20.0)
    if solver in HEURISTIC:
        assert result.status is Status.NO_PLAN
        assert "pinned replicas still break the rule slo" in result.reasons[0]
    else:
        assert (result.status, result.objective) == (Status.OPTIMAL, 0)


@pytest.mark.parametrize("solver", HEURISTIC)
def test_pins_that_nothing_can_cure(solver: str) -> None:
    _plausible(solver, 815)


@pytest.mark.parametrize("solver", EXACT)
def test_a_bound_is_valid_whenever_the_search_is_cut_short(solver: str) -> None:
    """At every limit, the bound is below the optimum of brute force."""
    for seed, limit in zip(range(300, 324), (1e-3, 1e-2, 5e-2) * 8, strict=True):
        _plausible(solver, seed, time_limit=limit)
