"""Crowds: what the searches share; what a drift or a heat bath does is tested beside each."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.distinct import crowded
from planner.evaluate import evaluate, objective_of
from solvers import _alike, crowds, drift
from solvers.drift import Drifting
from solvers.fleet import plan_of
from solvers.run import Run
from tests.solvers.crowds import dear, level_of


def test_a_neighbourhood_grows_from_one_replica_along_pairs_that_cost() -> None:
    level = level_of(crowded(2_000, 15, "geometric", slots=True))
    d, chosen = level.drifting(0), np.random.default_rng(0)
    cost = level.c.both[0] > 0
    for _ in range(20):
        some = crowds._around(d, chosen)
        assert some.size == np.unique(some).size == crowds._SOME
        within = cost[np.ix_(d.who[some], d.who[some])]
        assert within.mean() > 5 * cost.mean()
        assert within[0].sum() == cost[d.who[some[0]]].sum()  # all that the first one has a cost beside


def test_a_neighbourhood_takes_some_replicas_of_few_models() -> None:
    level = level_of(dear(0, slots=(150, 150)))
    d, chosen = level.drifting(0), np.random.default_rng(0)
    some = crowds._around(d, chosen)
    assert some.size == np.unique(some).size == min(crowds._SOME, d.who.size)


@pytest.mark.parametrize("kind", ["geometric", "random"])
def test_neighbourhoods_better_a_plan(kind: str) -> None:
    instance = crowded(400, 8, kind, slots=True)
    level = level_of(instance)
    before = objective_of(instance, plan_of(level.fleet))
    level.keep()
    crowds.let_some_drift(level, Run(time_limit=60.0), 4.0, base=before)
    plan = level.plan()
    assert plan is not None
    assert evaluate(instance, plan).valid
    assert objective_of(instance, plan) == before + level.best_cost < 0.8 * before


@pytest.mark.parametrize(("replicas", "slowest"), [(40, 1), (400, 16)])
def test_neighbourhoods_slow_down_and_end_where_there_is_nothing_to_gain(
    replicas: int, slowest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are all replicas, they drifted as slowly before; each load of a solver waits for this."""
    level = level_of(_alike(replicas))
    level.keep()
    run, made = Run(time_limit=60.0), set[int]()

    def noted(d: Drifting, sweeps: int, *temperatures: float) -> int:
        if sweeps != drift._SAMPLE:
            made.add(sweeps)
        return original(d, sweeps, *temperatures)

    original = drift.drift
    monkeypatch.setattr(drift, "drift", noted)
    monkeypatch.setattr(crowds, "_SWEEPS", 100)
    crowds.let_some_drift(level, run, 60.0)
    assert not run.stopping
    assert made == {100 * 2**n for n in range(5) if 2**n <= slowest}
