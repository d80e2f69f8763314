"""All patterns against brute force, and what sifting proves about each of them."""

from __future__ import annotations

import pytest

from planner.generate import generate
from planner.plan import Plan
from planner.result import Status
from solvers import solve
from solvers.enumeration import all_patterns, carried, plan_of
from solvers.run import Run
from solvers.sifting import sift, too_late
from tests import oracle
from tests.random_instances import solved
from tests.solvers import bites
from tests.solvers.bites import Case
from tests.tiny import pair

MANY = 10**6
SEEDS = range(120)


def brute_force(seed: int) -> dict[tuple[int, tuple[int, ...]], int]:
    """Return cost by pool and replicas of each model, of all feasible patterns of pools with machines."""
    judge = oracle.Oracle(solved(seed)[0])
    return {
        (p, counts): judge.cost(place, counts)
        for p, place in enumerate(judge.places)
        if place.machines
        for counts in judge._feasible(p)
        if any(counts)
    }


def test_all_patterns_are_those_of_brute_force() -> None:
    """With their costs; where there is no formulation over them, a model or a pinned pool has none."""
    listed = 0
    for seed in SEEDS:
        instance = solved(seed)[0]
        expected = brute_force(seed)
        found = all_patterns(instance.compiled, MANY)
        if found is None:
            homes = {t for _, counts in expected for t, n in enumerate(counts) if n}
            pools = {p for p, _ in expected}
            pinned = {p for p in range(len(instance.compiled.machines)) if instance.compiled.pinned[p].any()}
            assert homes != {*range(len(instance.models))} or pinned - pools
            continue
        models = range(len(instance.models))
        got = {(q.pool, tuple(q.counts.get(t, 0) for t in models)): q.cost for q in found}
        assert len(got) == len(found)
        assert got == expected, seed
        listed += 1
    assert listed > len(SEEDS) / 2


def test_one_more_than_the_limit_is_too_many() -> None:
    """:func:`pair` has the patterns a, b, 2 a, a + b and 2 b."""
    assert len(all_patterns(pair().compiled, 5) or ()) == 5
    assert all_patterns(pair().compiled, 4) is None


@pytest.mark.parametrize(
    "case",
    [
        bites.slots(),
        bites.resources(),
        bites.slo(),
        bites.keep_apart(),
        bites.max_per_machine(),
        bites.permitted(),
        bites.pinned(),
    ],
)
def test_patterns_keep_every_rule_of_a_machine(case: Case) -> None:
    """A plan that keeps a rule is made of listed patterns, one that breaks it is not."""
    patterns = all_patterns(case.instance.compiled, MANY)
    assert patterns is not None
    assert plan_of(patterns, carried(patterns, case.keeps)) == case.keeps
    assert plan_of(patterns, carried(patterns, case.breaks)) != case.breaks


def test_sifting_never_loses_an_optimal_plan() -> None:
    """Its bound is below the optimum, and so is what it proves of each pattern of an optimal plan."""
    tight = sifted = 0
    for instance, answer in map(solved, SEEDS):
        c = instance.compiled
        patterns = None if c.worst else all_patterns(c, MANY)
        if patterns is None or answer.plan is None or answer.objective is None:
            continue
        found = sift(c, patterns, Run(time_limit=60.0))
        assert found.bound <= answer.objective
        held = carried(patterns, answer.plan)
        kept = {id(pattern) for pattern in found.within(answer.objective)}
        assert all(id(pattern) in kept for pattern, n in zip(patterns, held, strict=True) if n)
        tight += found.bound > 0.9 * answer.objective
        sifted += 1
    assert sifted > len(SEEDS) / 4
    assert tight > sifted / 2


def test_sifting_leaves_out_what_cannot_improve_a_plan() -> None:
    """Of hundreds of patterns the optimum needs a few, and knowing it leaves no more."""
    instance = generate(models=8, replicas=60, types=2, slots=(3, 4), rules=1, feasible=True, seed=4)
    patterns = all_patterns(instance.compiled, MANY)
    assert patterns is not None
    best = solve(instance, "cpsat", time_limit=60.0)
    assert best.status is Status.OPTIMAL
    found = sift(instance.compiled, patterns, Run(time_limit=60.0))
    assert found.within(None) == patterns
    assert 0 < len(found.within(best.objective)) < len(patterns) / 4
    assert len(found.cheapest(None)) == 8 * found.rows < len(patterns)


def test_sifting_without_time_proves_little_but_nothing_wrong() -> None:
    for instance, answer in map(solved, range(20)):
        patterns = None if instance.compiled.worst else all_patterns(instance.compiled, MANY)
        if patterns is not None and answer.objective is not None:
            found = sift(instance.compiled, patterns, Run(time_limit=1e-9))
            assert 0 <= found.bound <= answer.objective
            assert found.within(answer.objective)


def test_the_patterns_of_a_plan_are_among_the_first_to_try() -> None:
    """Seven rows would give 56 patterns; :func:`pair` has fewer, so there is nothing to choose."""
    patterns = all_patterns(pair().compiled, MANY)
    assert patterns is not None
    found = sift(pair().compiled, patterns, Run(time_limit=60.0))
    assert found.cheapest(None) == []
    fewer = type(found)(patterns, found.bound, found.least, rows=0)
    mixed = Plan.from_patterns([(0, 2, {0: 1, 1: 1})])
    assert fewer.cheapest(None) == []
    assert [p.counts for p in fewer.cheapest(mixed)] == [{0: 1, 1: 1}]


def test_no_formulation_is_begun_that_there_is_no_time_for() -> None:
    patterns = (all_patterns(pair().compiled, MANY) or []) * 1_000
    assert too_late(patterns, Run(time_limit=60.0)) == ""
    assert too_late(patterns, Run(time_limit=0.1)) == (
        "no time to go through the 5,000 patterns that may improve the plan"
    )
