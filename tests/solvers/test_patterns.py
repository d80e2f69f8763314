"""Column generation, rounding and branching: bounds that are true, plans that are good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.distinct import quadratic
from planner.evaluate import objective_of, verdict
from planner.generate import generate
from planner.infeasible import obstacles
from planner.result import Status
from solvers import pricer, rounding, solve, threshold
from solvers.columns import Columns, Need
from solvers.enumeration import pattern_of
from solvers.market import Desk, Market
from solvers.master import Master
from solvers.mending import mended
from solvers.pricing import search
from solvers.run import Run
from solvers.supply import Supply
from tests.planted import planted
from tests.random_instances import solved
from tests.solvers.checks import check
from tests.tiny import pair, plan


def _highest_bound(seed: int) -> int | None:
    """Return the highest bound of any moment; plans do not cap it."""
    run = Run(time_limit=60.0)
    c = solved(seed)[0].compiled
    master = Master(Supply(c))
    master.generate(run, 60.0)
    bounds = [now.bound for now in run.history if now.bound is not None]
    return max(bounds, default=None)


def _tiny() -> list[int]:
    """Return seeds of tiny instances that have a plan and an objective for patterns."""
    return [s for s in range(150) if solved(s)[1].feasible and not solved(s)[0].compiled.worst]


def test_no_bound_of_the_linear_program_exceeds_the_optimum_of_brute_force() -> None:
    met = 0
    for seed in _tiny():
        bound, optimum = _highest_bound(seed), solved(seed)[1].objective
        assert bound is not None
        assert optimum is not None
        assert bound <= optimum, seed
        met += bound == optimum
    assert met > 40


def test_no_threshold_is_excluded_that_brute_force_reaches() -> None:
    """For the objective ``worst``, where patterns themselves would be solved all at once."""
    met = 0
    for seed in range(120):
        instance, answer = solved(seed)
        if not instance.compiled.worst or obstacles(instance):
            continue
        outcome = threshold.solve(instance, Run(time_limit=5.0))
        assert outcome.infeasible <= (not answer.feasible), seed
        if answer.objective is not None:
            assert outcome.bound is not None
            assert outcome.bound <= answer.objective, seed
            met += outcome.bound == answer.objective
    assert met > 10


def test_a_pricer_that_drops_one_candidate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would fail: bounds from pricing that is not exact are wrong, and it shows."""
    true_search = search

    def broken(x: Market, w: Desk, best: int, every: bool, nodes: int) -> tuple[int, int]:
        stored, upper = true_search(x, w, best, every, nodes)
        if stored == 0:
            return stored, upper
        return stored - 1, int(w.worth[stored - 2]) if stored > 1 else best

    monkeypatch.setattr(pricer, "search", broken)
    wrong = 0
    for seed in _tiny():
        bound, optimum = _highest_bound(seed), solved(seed)[1].objective
        wrong += bound is not None and optimum is not None and bound > optimum
    assert wrong > 0


@pytest.mark.parametrize("seed", range(4))
def test_bound_planted_optimum_and_plan_are_in_order(seed: int) -> None:
    _in_order(seed, 20 + 10 * seed, 3.0)


@pytest.mark.soak
def test_bound_planted_optimum_and_plan_are_in_order_soak() -> None:
    for seed in range(4, 300):
        _in_order(seed, 20 + seed % 41, 10.0)


def _in_order(seed: int, models: int, time_limit: float) -> None:
    instance, optimum = planted(seed, models)
    result = check(instance, solve(instance, "patterns", time_limit=time_limit))
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound <= optimum <= result.objective


@pytest.mark.parametrize("types", [1, 2])
@pytest.mark.parametrize("density", [0.25, 0.75])
def test_prices_of_machines_are_branched_on(types: int, density: float) -> None:
    """Quadratic bin packing: patterns prove the optimum of the milp."""
    instance = quadratic(14, density, 100, types=types)
    ours, theirs = (check(instance, solve(instance, name, time_limit=60)) for name in ("patterns", "milp"))
    assert ours.status is theirs.status is Status.OPTIMAL
    assert ours.objective == theirs.objective


def test_fractions_of_machines_are_excluded() -> None:
    """The linear program uses 6.4 machines, the plan seven: only branching proves that."""
    instance = quadratic(25, 0.25, 100)
    root = Master(Supply(instance.compiled))
    assert root.generate(Run(time_limit=60.0), 60.0)
    assert root.values.sum() % 1 > 0.01
    result = check(instance, solve(instance, "patterns", time_limit=60))
    assert result.status is Status.OPTIMAL
    assert root.proof is not None
    assert result.bound is not None
    assert result.bound > root.proof.bound


def test_a_fleet_is_planned_close_to_the_bound() -> None:
    """Rounding has to place every last replica: memory and SLOs bind."""
    instance = generate(models=40, types=3, replicas=5_000, machines=1_500, feasible=True, seed=5)
    result = check(instance, solve(instance, "patterns", time_limit=8))
    assert result.gap is not None
    assert result.gap < 0.01


def test_a_dive_that_ends_short_of_room_does_not_repeat_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It settled what was opened again, and left the same replicas to the same last machines."""
    tight = generate(models=8, types=3, replicas=150, slots=(4, 4), tightness=0.85, feasible=True, seed=57)
    run = Run(time_limit=60.0, seed=1)
    master = Master(Supply(tight.compiled))
    assert master.generate(run, 60.0)
    assert master.proof is not None
    ends: list[bool] = []

    def seen(*arguments: Any) -> Any:
        ends.append(len(ends) < 5)
        return mended(*arguments) if ends[-1] else pytest.fail("dives on and on")

    monkeypatch.setattr(rounding, "mended", seen)
    assert rounding.Rounding(master.supply, master.proof.prices, run).dive(master, 60.0) is not None
    assert len(ends) > 1  # else this tests nothing


def test_a_dive_that_is_late_settles_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended without a plan, and all was lost that column generation had found."""
    instance = generate(models=60, types=3, replicas=600, slots=(6, 6), tightness=0.9, seed=5)
    run = Run(time_limit=60.0)
    master = Master(Supply(instance.compiled))
    assert master.generate(run, 60.0)
    assert master.proof is not None
    steps, generate_ = [0], Master.generate

    def counted(*arguments: Any) -> bool:
        steps[-1] += 1
        return generate_(*arguments)

    monkeypatch.setattr(Master, "generate", counted)
    monkeypatch.setattr(rounding, "_AT_ONCE", 10**6)
    for pace in (1e9, 1e-9):  # never late, and late from the beginning
        monkeypatch.setattr(rounding, "_PACE", pace)
        found = rounding.Rounding(master.supply, master.proof.prices, run).dive(master, 60.0)
        assert found is not None
        assert not verdict(instance, found).violations
        assert objective_of(instance, found) < 1.05 * master.proof.bound
        steps.append(0)
    assert steps[1] < steps[0] / 2


def _columns() -> tuple[Columns, Need]:
    c = pair().compiled
    return Columns(c, 2), Need.of(c)


def test_columns_are_there_once_and_know_what_they_hold() -> None:
    columns, need = _columns()
    mixed, again, single = *columns.add(0, np.array([[0, 1], [1, 0]])), *columns.add(0, np.array([[0]]))
    assert mixed == again
    assert len(columns) == 2
    assert columns.counts(np.array([mixed, single])).toarray().tolist() == [[1, 1], [1, 0]]
    assert columns.cost[mixed] == pattern_of(pair().compiled, 0, {0: 1, 1: 1}).cost
    assert columns.paid(np.array([5, 7]), np.array([1, 0])).tolist() == [13, 6]
    left = need.less(columns, np.array([1, 1]))
    assert left.replicas.tolist() == [0, 1]
    assert (left.machines.tolist(), left.most) == ([0], 0)


def test_a_plan_survives_as_columns() -> None:
    columns, _ = _columns()
    mixed = plan(pair(), "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
    assert columns.plan(columns.of(mixed)) == mixed


@pytest.mark.parametrize("machines", [((0, 0), (0, 1)), ((0, 0), (1, 1)), ((0, 0), (1,)), ((0,), (1,))])
def test_what_is_too_much_leaves_and_what_is_short_joins(machines: tuple[tuple[int, ...], ...]) -> None:
    """Whatever the machines hold before, the optimum is one replica away from each of them."""
    columns, need = _columns()
    which = [columns.add(0, np.array([members]))[0] for members in machines]
    found = mended(columns, need, np.bincount(which, minlength=len(columns)), Run(time_limit=60.0))
    assert found == plan(pair(), "gpu: 2 a", "gpu: 2 b")


def test_mending_ends_where_there_is_no_room() -> None:
    instance = pair().replace(machine_types=(pair().machine_types[0].model_copy(update={"count": 1}),))
    c = instance.compiled
    columns = Columns(c, 2)
    assert mended(columns, Need.of(c), np.zeros(0, dtype=np.int64), Run(time_limit=60.0)) is None
