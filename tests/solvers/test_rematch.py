"""Re-matching: never worse, always valid, its cost exact, and what no exchange of two could find."""

from __future__ import annotations

import numpy as np
import pytest

from planner.evaluate import evaluate, objective_of
from planner.generate import generate
from planner.instance import Instance
from planner.plan import Plan
from solvers.anneal import Search, start_search
from solvers.fleet import NONE, Fleet, arrive, empty_fleet, plan_of
from solvers.greedy import solve as greedy
from solvers.needs import machines_needed
from solvers.rematch import rematch
from solvers.run import Run
from solvers.terms import Ints, Terms, terms
from tests import tiny

_PENALTY = 10**9


def _state(instance: Instance, who: Ints, where: Ints) -> tuple[Terms, Fleet, Search]:
    x = terms(instance.compiled)
    fleet = empty_fleet(instance.compiled, x)
    there = where != NONE
    arrive(x, fleet, where[there], who[there])
    return x, fleet, start_search(instance.compiled, fleet, who, where.copy(), 0)


def _of_plan(instance: Instance, plan: Plan) -> tuple[Terms, Fleet, Search]:
    where, who = plan.expand(machines_needed(instance.compiled))
    return _state(instance, who, where)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_cost_never_rises_and_is_the_checkers(seed: int, size: int) -> None:
    instance = generate(models=8, replicas=90, rules=2, slo_fraction=0.7, feasible=True, seed=seed)
    start = greedy(instance, Run(time_limit=60.0)).plan
    assert start is not None
    x, fleet, search = _of_plan(instance, start)
    began, machines = objective_of(instance, start), fleet.machine.shape[0]
    for count in range(20):
        some = np.random.default_rng(count).choice(machines, machines * 3 // 4, replace=False)
        assert rematch(x, fleet, search, some, size, _PENALTY) <= 0
        found = evaluate(instance, plan_of(fleet))
        assert found.valid, found.violations
        assert found.objective == began + search.cost[0]
    assert search.cost[0] < 0
    assert search.penalised[0] == 0


def test_seats_and_machines_agree_afterwards() -> None:
    instance = generate(models=8, replicas=90, feasible=True, seed=1)
    start = greedy(instance, Run(time_limit=60.0)).plan
    assert start is not None
    x, fleet, search = _of_plan(instance, start)
    for size in (1, 2, 3):
        rematch(x, fleet, search, np.arange(fleet.machine.shape[0]), size, _PENALTY)
    _, again, _ = _state(instance, search.who, search.where)
    assert plan_of(again) == plan_of(fleet)
    for m in range(fleet.machine.shape[0]):
        seated = search.seat[search.room[m] : search.room[m] + search.taken[m]]
        assert sorted(seated.tolist()) == np.flatnonzero(search.where == m).tolist()


def test_it_finds_the_optimum_by_hand() -> None:
    """From both machines mixed, 1.1, to each model on its own, 1.0 (see :func:`tests.tiny.pair`)."""
    pair = tiny.pair()
    x, fleet, search = _of_plan(pair, tiny.plan(pair, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b"))
    gains = [rematch(x, fleet, search, np.arange(2), 1, _PENALTY) for _ in range(60)]
    assert sum(gains) == -100_000
    assert plan_of(fleet) == tiny.plan(pair, "gpu: 2 a", "gpu: 2 b")


def test_a_replica_comes_home_by_a_chain() -> None:
    """The b that is nowhere fits only where an a lives, and that a fits beside the other one."""
    instance = tiny.with_model(
        tiny.with_model(tiny.two_types(), "a", replicas=2), "b", replicas=1, latency_ms={"gpu": 10.0}
    )
    instance = tiny.with_type(instance, "gpu", slots=1)
    pools = {name: p for p, (name, _) in enumerate(instance.compiled.pool_names)}
    machines = [pools["gpu"], pools["cpu"]]
    x, fleet, search = _state(instance, np.array([0, 0, 1]), np.array([*machines, NONE]))
    for _ in range(30):
        rematch(x, fleet, search, np.arange(2), 1, _PENALTY)
    assert (search.where != NONE).all()
    assert search.penalised[0] == 0
    assert evaluate(instance, plan_of(fleet)).valid


def test_it_keeps_min_machines() -> None:
    """Apart the two a cost nothing less, but ``min_machines`` holds them there."""
    pair = tiny.pair()
    spread = pair.replace(rules=pair.rules.model_copy(update={"min_machines": {"a": 2}}))
    x, fleet, search = _of_plan(spread, tiny.plan(spread, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b"))
    assert all(rematch(x, fleet, search, np.arange(2), 1, _PENALTY) == 0 for _ in range(60))
    assert evaluate(spread, plan_of(fleet)).valid
