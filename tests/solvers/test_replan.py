"""Replanning finds what brute force finds, and its bounds hold at every number of moves."""

from __future__ import annotations

import pytest

from planner.current import current
from planner.errors import InputError
from planner.evaluate import evaluate
from planner.move_order import Kind, order
from planner.moves import moved
from planner.replanned import Replanned
from solvers.replan import replan
from tests import tiny as fixtures
from tests.replanning import best_by_moves, document, tiny

_SEEDS = range(3)


def _check(found: Replanned, best: dict[int, int]) -> None:
    """The curve is true: each plan is possible in so many moves, and no bound is above what is possible."""
    for point in found.curve:
        assert point.objective >= min(cost for moves, cost in best.items() if moves <= point.moves)
        assert point.bound <= min(cost for moves, cost in best.items() if moves <= point.moves)
    assert found.fewest <= min(best)
    moves, objectives = zip(*((p.moves, p.objective) for p in found.curve), strict=True)
    assert list(moves) == sorted(set(moves))
    assert list(objectives) == sorted(set(objectives), reverse=True)


def test_the_best_plan_within_any_number_of_moves_is_that_of_brute_force() -> None:
    assert _best_within_moves(_SEEDS) > 3


@pytest.mark.soak
def test_the_best_plan_within_any_number_of_moves_is_that_of_brute_force_soak() -> None:
    assert _best_within_moves(range(3, 100)) > 100


def _best_within_moves(seeds: range) -> int:
    """Replan random instances within any number of moves; return how often there was a plan."""
    seen = 0
    for seed, now in tiny(seeds):
        best = best_by_moves(now)
        for most in sorted({*best, 0, 1}):
            allowed = [cost for moves, cost in best.items() if moves <= most]
            found = replan(now, max_moves=most, time_limit=2.0)
            _check(found, best)
            if not allowed:
                assert found.best is None, seed
                continue
            assert found.best is not None, seed
            assert found.best.moves <= most
            assert found.best.objective == min(allowed), (seed, most)
            assert found.bound == min(allowed), (seed, most)
            assert evaluate(now.instance, found.best.plan).valid
            seen += 1
    return seen


def test_a_bound_holds_for_all_moves_allowed_where_the_search_is_cut_short() -> None:
    for seed, now in tiny(range(6)):
        best = best_by_moves(now)
        for most in sorted(best):
            found = replan(now, max_moves=most, time_limit=0.05)
            least = min(cost for moves, cost in best.items() if moves <= most)
            assert found.bound is None or found.bound <= least, (seed, most)


def test_at_a_price_of_moves_the_sum_is_that_of_brute_force() -> None:
    for seed, now in tiny(_SEEDS):
        best = best_by_moves(now)
        for price in (0, 30_000, 400_000):
            found = replan(now, move_price=price, time_limit=2.0)
            _check(found, best)
            least = min(cost + price * moves for moves, cost in best.items())
            assert found.best is not None
            assert found.best.cost(price) == least, (seed, price)
            assert found.bound is not None
            assert found.bound <= least


def test_with_no_limit_it_is_the_optimum() -> None:
    for _, now in tiny(range(10)):
        found = replan(now, time_limit=2.0)
        assert found.best is not None
        assert found.best.objective == found.bound == min(best_by_moves(now).values())


def test_every_step_keeps_every_rule_and_the_last_is_the_plan() -> None:
    steps = 0
    for seed, now in tiny(range(10)):
        found = replan(now, time_limit=1.0)
        assert found.best is not None
        way = order(now, found.best.became)
        if not way.complete:  # a factor that falls may forbid what lies between
            assert now.instance.compiled.factored
            continue
        touched: set[int] = set()
        for step, state in zip(way.steps, way.states(), strict=True):
            steps += 1
            touched |= {i for i in (step.target,) if i is not None}
            broken = {v.rule for v in evaluate(now.instance, state).violations}
            today = now.plan()
            valid = today is not None and evaluate(now.instance, today).valid
            assert not valid or broken <= {"replicas"}, (seed, step)
        last = [*way.states()][-1] if way.steps else now.plan()
        assert last == found.best.plan
        moves = way.count(Kind.MOVE, Kind.PAUSE) - way.count(Kind.PARK)
        assert moves == moved(now, found.best.became)
    assert steps > 10


def test_the_objective_worst_is_refused() -> None:
    instance = fixtures.pair().replace(objective="worst")
    now = current(document(instance, fixtures.plan(instance, "gpu: 2 a", "gpu: 2 b")), instance)
    with pytest.raises(InputError, match="worst"):
        replan(now)
