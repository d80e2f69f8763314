"""Drift: what it keeps count of is what the checker says, and it reaches what exchanges do not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.distinct import crowded
from planner.evaluate import evaluate, objective_of
from planner.instance import Rules
from planner.plan import Plan
from planner.result import Stop
from solvers import drift, solve
from solvers.fleet import CROWD, NONE, plan_of
from solvers.levels import Level
from solvers.terms import Ints
from tests.solvers.checks import check
from tests.solvers.crowds import dear, level_of


def _softened(level: Level) -> tuple[Level, drift.Record]:
    soft = Level.of(drift.softened(level.c), level.search.who, level.search.where, 0)
    return soft, drift.record(level.c, soft.fleet, soft.search)


def _drift(soft: Level, record: drift.Record, steps: int, temperature: float) -> int:
    return drift.drift(
        soft.x,
        soft.fleet,
        soft.search,
        record,
        steps,
        temperature,
        temperature,
        drift.PRESSURE * temperature,
        soft.penalty,
    )


def _temperature(soft: Level, record: drift.Record) -> float:
    found = drift.restless(soft.x, soft.fleet, soft.search, record, soft.scale, soft.penalty)
    assert found is not None
    return found


def _plan(level: Level, where: Ints) -> Plan:
    return plan_of(Level.of(level.c, level.search.who, where, 0).fleet)


@pytest.mark.parametrize("seed", range(3))
def test_costs_and_excesses_are_counted_exactly(seed: int) -> None:
    instance = dear(seed, slots=(20, 24), tightness=0.9)
    level = level_of(instance)
    assert level.drifts
    before = objective_of(instance, plan_of(level.fleet))
    soft, record = _softened(level)
    temperature = _temperature(*_softened(level))
    exceeded = 0
    for share in np.geomspace(1, 1e-3, 30):
        _drift(soft, record, 500, temperature * share)
        plan = _plan(soft, soft.search.where)
        assert objective_of(instance, plan) == before + soft.search.cost[0]
        fresh = drift.record(
            level.c, Level.of(soft.c, soft.search.who, soft.search.where, 0).fleet, soft.search
        )
        assert (fresh.over == record.over).all()
        assert fresh.exceeded[0] == record.exceeded[0] == record.over.sum()
        assert evaluate(instance, plan).valid == (record.exceeded[0] == 0)
        exceeded += int(record.exceeded[0])
    assert exceeded > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_record_is_a_valid_plan_at_its_cost(seed: int) -> None:
    instance = dear(seed, slots=(20, 24), tightness=0.9)
    level = level_of(instance)
    before = objective_of(instance, plan_of(level.fleet))
    soft, record = _softened(level)
    assert record.cost[0] == drift.NOTHING
    temperature = _temperature(*_softened(level))
    for share in np.geomspace(0.3, 1e-3, 20):
        _drift(soft, record, 5_000, temperature * share)
    found = evaluate(instance, _plan(level, record.where))
    assert found.valid, found.violations
    assert found.objective == before + record.cost[0] < before


def test_no_machine_holds_more_than_it_was_softened_by() -> None:
    instance = crowded(120, 4, "random", slots=True)
    soft, record = _softened(level_of(instance))
    for _ in range(20):
        _drift(soft, record, 1_000, 1e9)
        assert soft.fleet.machine[:, CROWD].max() <= 34


def test_replicas_without_a_machine_are_placed() -> None:
    instance = crowded(120, 4, "random", slots=True)
    level = level_of(instance)
    level = Level.of(level.c, level.search.who, np.full(120, NONE), 0)
    soft, record = _softened(level)
    for temperature in np.geomspace(1e6, 1e3, 20):
        _drift(soft, record, 2_000, temperature)
    assert not soft.nowhere.size
    assert evaluate(instance, _plan(level, record.where)).valid


def test_the_first_temperature_moves_many() -> None:
    soft, record = _softened(level_of(crowded(120, 4, "random", slots=True)))
    temperature = _temperature(soft, record)
    assert 0.3 < _drift(soft, record, 20_000, temperature) / 20_000 < 0.5
    assert _drift(soft, record, 20_000, temperature / 4) / 20_000 < 0.25


def test_only_pairs_and_room_are_known() -> None:
    plain = crowded(120, 4, "random", slots=True)
    assert drift.suits(plain.compiled)
    one, two = (m.name for m in plain.models[:2])
    late = plain.models[0].model_copy(update={"slo_ms": 11.0})
    twice = plain.models[0].model_copy(update={"replicas": 2})
    for other in (
        plain.replace(models=(late, *plain.models[1:])),
        plain.replace(rules=Rules(keep_apart=((one, two),))),
        plain.replace(models=(twice, *plain.models[1:]), rules=Rules(min_machines={one: 2})),
        plain.replace(models=(twice, *plain.models[1:]), rules=Rules(max_per_machine={one: 1})),
        plain.replace(objective="worst"),
    ):
        assert not drift.suits(other.compiled)


@pytest.mark.parametrize("slots", [pytest.param(True, marks=pytest.mark.soak), False])
def test_a_hidden_plan_without_conflicts_is_found(slots: bool) -> None:
    """Greedy's plan has many; the search ends once it has none."""
    instance = crowded(240, 8, "colourable", slots=slots)
    result = check(instance, solve(instance, "local_search", time_limit=20.0))
    assert result.objective == 0
    assert result.stop is Stop.FINISHED
