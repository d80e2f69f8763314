"""The heat bath: its costs are the checker's and its moves are valid."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.distinct import crowded
from planner.evaluate import evaluate, objective_of
from planner.generate import generate
from planner.result import Stop
from solvers import heat_bath, solve
from solvers.fleet import NONE, plan_of
from solvers.levels import Level
from tests.solvers.checks import check
from tests.solvers.crowds import dear, level_of


def _desk(level: Level) -> heat_bath.Desk:
    return heat_bath.desk(level.x, level.fleet, level.search)


def _bathe(level: Level, desk: heat_bath.Desk, steps: int, temperature: float) -> int:
    return heat_bath.bathe(
        level.x, level.fleet, level.search, desk, steps, temperature, temperature, level.penalty
    )


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_what_a_candidate_costs_is_what_the_checker_says(seed: int) -> None:
    instance = dear(seed)
    level = level_of(instance)
    before, where = objective_of(instance, plan_of(level.fleet)), level.search.where.copy()
    desk = _desk(level)
    kinds = set()
    for a in range(level.search.who.size):
        found, best = heat_bath.look(level.x, level.fleet, level.search, desk, a, 1e15, level.penalty)
        assert best == min(0, *desk.cost[:found].tolist())
        for b, m, cost in zip(desk.partner[:found], desk.place[:found], desk.cost[:found], strict=True):
            there = where.copy()
            if b != NONE:
                there[b] = where[a]
            there[a] = m
            after = Level.of(instance.compiled, level.search.who, there, 0)
            assert objective_of(instance, plan_of(after.fleet)) == before + cost
            kinds.add(b == NONE)
    assert kinds == {True, False}


def test_moves_keep_rules_and_slos_and_count_exactly() -> None:
    instance = generate(
        models=20, types=2, replicas=80, machines=4, slots=(30, 30), rules=4, feasible=True, slo_fraction=0.8
    )
    level = level_of(instance)
    before = objective_of(instance, plan_of(level.fleet))
    desk = _desk(level)
    temperature = level.restless()
    assert temperature is not None
    for share in np.geomspace(1, 1e-3, 30):
        moved = _bathe(level, desk, 200, temperature * share)
        assert moved > 0 or share < 0.1
        found = evaluate(instance, plan_of(level.fleet))
        assert found.valid, found.violations
        assert found.objective == before + level.search.cost[0]
        kept = _desk(level)
        assert (desk.own == kept.own).all()


def test_replicas_without_a_machine_are_placed() -> None:
    instance = crowded(120, 4, "random", slots=True)
    level = level_of(instance)
    nowhere = np.full(level.search.who.size, NONE)
    level = Level.of(instance.compiled, level.search.who, nowhere, 0)
    desk = _desk(level)
    _bathe(level, desk, 4_000, 1.0)
    assert not level.nowhere.size
    assert evaluate(instance, plan_of(level.fleet)).valid


def test_the_first_temperature_moves_most_and_a_quarter_of_it_does_not() -> None:
    level = level_of(crowded(120, 4, "random", slots=True))
    temperature = level.restless()
    assert temperature is not None
    shares = []
    for share in (1.0, 0.25):
        twin = level.twin(1)
        shares.append(_bathe(twin, _desk(twin), 3_000, share * temperature) / 3_000)
    assert shares[0] > 0.4 > shares[1]


def test_where_nothing_can_move_the_search_ends() -> None:
    """Replicas of one model fill both machines."""
    full = crowded(40, 2, "random", slots=True)
    model = full.models[0].model_copy(update={"replicas": 40})
    full = full.replace(models=(model,), degradation=np.ones((1, 1, 1)))
    level = level_of(full)
    assert level.restless() is None
    result = check(full, solve(full, "local_search", time_limit=60.0))
    assert result.stop is Stop.FINISHED
