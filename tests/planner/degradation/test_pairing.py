"""Pairings against brute force, regret against arithmetic by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from planner.degradation import pairing
from planner.degradation.pairing import both_ways, cost, matching, regret
from planner.degradation.table import Ints


def pairings(models: list[int]) -> Iterator[list[tuple[int, int]]]:
    """Yield every way to pair an even number of models."""
    if not models:
        yield []
        return
    first, *rest = models
    for i, other in enumerate(rest):
        for more in pairings(rest[:i] + rest[i + 1 :]):
            yield [(first, other), *more]


@pytest.mark.parametrize("seed", range(5))
def test_the_matching_is_the_cheapest_pairing(seed: int) -> None:
    half = np.triu(np.random.default_rng(seed).integers(0, 100, (6, 6)), 1)
    costs: Ints = (half + half.T).astype(np.int64)
    assert cost(costs, matching(costs)) == min(cost(costs, p) for p in pairings(list(range(6))))


def test_as_many_as_possible_share_before_it_is_cheap() -> None:
    costs = np.full((4, 4), -1)
    for i, j, value in ((0, 1, 1), (1, 2, 0), (2, 3, 1)):
        costs[i, j] = costs[j, i] = value
    assert matching(costs) == [(0, 1), (2, 3)]


def test_a_pair_costs_both_directions_and_never_less_than_nothing() -> None:
    degradation = np.array([[9.0, 0.1, np.nan], [0.2, 9.0, -0.5], [0.3, 0.4, 9.0]])
    assert both_ways(degradation).tolist() == [
        [-1, 300_000, -1],
        [300_000, -1, 400_000],
        [-1, 400_000, -1],
    ]


def test_regret_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """01|23 costs 2 x (0.1 + 0.1) = 0.4, 02|13 costs 2 x (0.2 + 0.3) = 1.0; predictions prefer the latter."""
    monkeypatch.setattr(pairing, "WORKLOADS", 0)
    measured = np.full((4, 4), 5.0)
    for (i, j), value in {(0, 1): 0.1, (2, 3): 0.1, (0, 2): 0.2, (1, 3): 0.3}.items():
        measured[i, j] = measured[j, i] = value
    predicted = measured.copy()
    predicted[0, 2] = predicted[2, 0] = 0.0
    predicted[1, 3] = predicted[3, 1] = 0.0
    assert regret(measured, predicted) == pytest.approx(2.5)
    assert regret(measured, measured) == 1.0
    assert regret(measured, 3 * measured) == 1.0, "only the order of the pairings matters"


def test_regret_is_at_least_1_over_random_workloads() -> None:
    rng = np.random.default_rng(0)
    measured = rng.gamma(1, 1, (12, 12))
    assert regret(measured, measured) == 1.0
    bad = regret(measured, rng.gamma(1, 1, (12, 12)))
    assert bad is not None
    assert bad > 1.1
    assert regret(measured, measured * rng.uniform(0.9, 1.1, (12, 12))) in (pytest.approx(1.0, abs=0.05),)


def test_only_measured_pairs_are_placed() -> None:
    """The prediction would like 0 and 1 together, but that is not measured."""
    measured = np.ones((4, 4))
    measured[0, 1] = np.nan
    predicted = np.ones((4, 4))
    predicted[0, 1] = predicted[1, 0] = 0
    assert regret(measured, predicted) == 1.0


def test_regret_is_not_defined_without_cost_or_models() -> None:
    assert regret(np.zeros((4, 4)), np.ones((4, 4))) is None
    assert regret(np.ones((3, 3)), np.ones((3, 3))) is None
