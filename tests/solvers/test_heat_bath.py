"""The heat bath: its costs are the checker's, its moves are valid, and it reaches what exchanges do not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.distinct import crowded
from planner.evaluate import evaluate, objective_of
from planner.generate import generate
from planner.instance import Background, Instance, Objective
from planner.result import Stop
from solvers import heat_bath, solve
from solvers.fleet import NONE, plan_of
from solvers.greedy import solve as greedy
from solvers.levels import Level, first
from solvers.run import Run
from tests.solvers.checks import check


def _dear(seed: int) -> Instance:
    """Two types of machines with a price, one with other load on it: every term of a cost is there."""
    drawn = generate(
        models=12,
        types=2,
        replicas=72,
        machines=4,
        slots=(30, 40),
        slo_fraction=0.0,
        feasible=True,
        seed=seed,
    )
    one, two = drawn.machine_types
    load = Background(degradation={m.name: 0.01 * t for t, m in enumerate(drawn.models)})
    types = (one.model_copy(update={"background": load}), two)
    return drawn.replace(machine_types=types, objective=Objective(degradation=1.0, price=0.3))


def _level(instance: Instance) -> Level:
    start = greedy(instance, Run(time_limit=60.0)).plan
    assert start is not None
    level = first(instance.compiled, start, 0)
    assert level.bathes
    return level


def _desk(level: Level) -> heat_bath.Desk:
    return heat_bath.desk(level.x, level.fleet, level.search)


def _bathe(level: Level, desk: heat_bath.Desk, steps: int, temperature: float) -> int:
    return heat_bath.bathe(
        level.x, level.fleet, level.search, desk, steps, temperature, temperature, level.penalty
    )


@pytest.mark.parametrize("seed", range(3))
def test_what_a_candidate_costs_is_what_the_checker_says(seed: int) -> None:
    instance = _dear(seed)
    level = _level(instance)
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
    level = _level(instance)
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
    level = _level(instance)
    nowhere = np.full(level.search.who.size, NONE)
    level = Level.of(instance.compiled, level.search.who, nowhere, 0)
    desk = _desk(level)
    _bathe(level, desk, 4_000, 1.0)
    assert not level.nowhere.size
    assert evaluate(instance, plan_of(level.fleet)).valid


def test_the_first_temperature_moves_most_and_a_quarter_of_it_does_not() -> None:
    level = _level(crowded(120, 4, "random", slots=True))
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
    level = _level(full)
    assert level.restless() is None
    result = check(full, solve(full, "local_search", time_limit=60.0))
    assert result.stop is Stop.FINISHED
