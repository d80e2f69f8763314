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
from solvers.fleet import NONE, POOL, plan_of
from solvers.levels import Level
from solvers.terms import Ints
from tests.solvers.checks import check
from tests.solvers.crowds import dear, level_of


def _drift(d: drift.Drifting, sweeps: int, temperature: float) -> int:
    return drift.drift(d, sweeps, temperature, temperature, drift.PRESSURE * temperature)


def _temperature(level: Level) -> float:
    found = drift.restless(level.drifting(1), level.scale)
    assert found is not None
    return found


def _plan(level: Level, where: Ints) -> Plan:
    return Plan.from_assignment(level.fleet.machine[:, POOL], where, level.search.who)


@pytest.mark.parametrize("seed", range(3))
def test_costs_and_excesses_are_counted_exactly(seed: int) -> None:
    instance = dear(seed, slots=(20, 24), tightness=0.9)
    level = level_of(instance)
    assert level.drifts
    before = objective_of(instance, plan_of(level.fleet))
    d, temperature, exceeded = level.drifting(0), _temperature(level), 0
    for share in np.geomspace(3, 1e-3, 30):
        _drift(d, 20, temperature * share)
        plan = _plan(level, d.where)
        assert objective_of(instance, plan) == before + d.cost[0]
        assert d.exceeded[0] == d.over.sum()
        assert evaluate(instance, plan).valid == (d.exceeded[0] == 0)
        exceeded += int(d.exceeded[0])
    assert exceeded > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_best_state_is_a_valid_plan_at_its_cost(seed: int) -> None:
    instance = dear(seed, slots=(20, 24), tightness=0.9)
    level = level_of(instance)
    before = objective_of(instance, plan_of(level.fleet))
    d, temperature = level.drifting(0), _temperature(level)
    assert d.best[0] == drift.NOTHING
    for share in np.geomspace(0.3, 1e-3, 20):
        drift.drift(d, 100, temperature * share, temperature * share, 10 * drift.PRESSURE * temperature)
    found = evaluate(instance, _plan(level, d.best_where))
    assert found.valid, found.violations
    assert found.objective == before + d.best[0] < before


def test_replicas_without_a_machine_are_placed() -> None:
    instance = crowded(120, 4, "random", slots=True)
    level = level_of(instance)
    level = Level.of(level.c, level.search.who, np.full(120, NONE), 0)
    d = level.drifting(0)
    assert (d.where != NONE).all()
    for temperature in np.geomspace(1e6, 1e3, 20):
        _drift(d, 100, temperature)
    plan = _plan(level, d.best_where)
    assert evaluate(instance, plan).valid
    assert objective_of(instance, plan) == d.best[0] + 120 * level.penalty


def test_a_model_stays_off_machines_that_it_may_not_use() -> None:
    plain = crowded(120, 4, "random", slots=True)
    half = plain.machine_types[0].model_copy(update={"count": 2})
    kinds = (half, half.model_copy(update={"name": "other"}))
    names = [m.name for m in plain.models]
    models = tuple(
        m.model_copy(update={"latency_ms": dict.fromkeys(("type-0", "other"), 10.0)}) for m in plain.models
    )
    both = np.repeat(plain.degradation, 2, axis=0)
    instance = plain.replace(
        machine_types=kinds,
        models=models,
        degradation=both,
        rules=Rules(allow={n: ("other",) for n in names[:9]}),
    )
    level = level_of(instance)
    d = level.drifting(0)
    for temperature in (1e9, 1e5, 1e3):
        _drift(d, 50, temperature)
        assert (level.fleet.machine[d.where[:9], POOL] == 1).all()
        assert len(set(d.where.tolist())) > 1


@pytest.mark.parametrize("sizes", [1, 3])
def test_states_come_by_as_often_as_their_energies_say(sizes: int) -> None:
    """Three replicas that can move, on two machines that hold others: eight states at equilibrium."""
    plain = crowded(40, 2, "random", slots=False)
    models = [
        m.model_copy(update={"demand": {"memory_gb": 1.0 + t % sizes}}) for t, m in enumerate(plain.models)
    ]
    level = level_of(plain.replace(models=tuple(models)))
    free = np.arange(3)
    d = level.drifting(0)
    d = d.part(free)
    temperature, pressure = 2e6, 1e6
    d.limit[:] = d.held
    seen: dict[tuple[int, ...], int] = {}
    energy: dict[tuple[int, ...], float] = {}
    for _ in range(40_000):
        drift.drift(d, 1, temperature, temperature, pressure)
        state = tuple(d.where.tolist())
        excess = np.maximum(d.held - d.limit, 0) / d.unit
        energy[state] = float(d.cost[0]) + pressure * float((excess**2).sum())
        seen[state] = seen.get(state, 0) + 1
    expected = np.exp(-np.array([energy[s] - min(energy.values()) for s in seen]) / temperature)
    share = np.array(list(seen.values())) / 40_000
    assert len(seen) == 8
    assert share == pytest.approx(expected / expected.sum(), abs=0.012)


def test_a_part_drifts_alone_and_goes_back_to_its_best_state() -> None:
    instance = dear(0, slots=(20, 24), tightness=0.9)
    level = level_of(instance)
    before = objective_of(instance, plan_of(level.fleet))
    d, temperature = level.drifting(0), _temperature(level)
    start, some = d.where.copy(), np.arange(0, d.who.size, 3)
    gained = 0
    for share in (1.0, 0.3, 0.1, 0.03):
        cost = int(d.cost[0])
        part = d.part(some)
        drift.drift(part, 300, temperature * share, temperature * share, temperature)
        assert (part.where != d.where[some]).any()
        drift.go_back(part)
        d.where[some] = part.where
        assert d.exceeded[0] == 0
        assert d.cost[0] == part.best[0] <= cost
        gained += cost - int(d.cost[0])
        found = evaluate(instance, _plan(level, d.where))
        assert found.valid
        assert found.objective == before + d.cost[0]
    assert gained > 0
    rest = np.delete(np.arange(d.who.size), some)
    assert (d.where[rest] == start[rest]).all()
    assert (d.where != start).any()


@pytest.mark.parametrize("kind", ["random", "geometric", "colourable"])
def test_at_the_first_temperature_some_go_where_they_cost_more(kind: str) -> None:
    """Moves that cost nothing, of which there are many beside a hidden plan, do not count."""
    level = level_of(crowded(120, 4, kind, slots=True))
    temperature = _temperature(level)
    d = level.drifting(0)
    assert 0.06 < _drift(d, 200, temperature) / (200 * 120) < 0.12
    assert _drift(d, 200, temperature / 1e6) < 5


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
