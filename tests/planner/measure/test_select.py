"""What to measure next: seeded, covering, and better than chance where there is something to learn."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from planner.measure.select import STRATEGIES, Candidate, Measured, choose, fit, observed

MODELS = tuple("abcdefgh")
ALL = [Candidate("k", pair) for pair in combinations_with_replacement(MODELS, 2)]


def truth(candidate: Candidate) -> list[Measured]:
    """Models a to d are quiet; e and f suffer from each other's kind."""
    loud = {"e": 1.0, "f": 2.0}
    v, u = candidate.members
    pairs = dict.fromkeys([(v, u), (u, v)])
    return [
        Measured(candidate.machine_type, a, (b,), 0.02 + loud.get(a, 0.0) * loud.get(b, 0.0))
        for a, b in pairs
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_choice_is_seeded_and_without_repetition(strategy: str) -> None:
    chosen = choose(ALL, [], 10, strategy=strategy, seed=3)
    assert chosen == choose(ALL, [], 10, strategy=strategy, seed=3)
    assert len(set(chosen)) == 10
    assert chosen != choose(ALL, [], 10, strategy=strategy, seed=4)
    assert set(choose(ALL, [], 99, strategy=strategy, seed=3)) == {*ALL}
    assert choose([], [], 5, strategy=strategy, seed=3) == []


def test_every_model_is_seen_before_any_is_seen_often() -> None:
    chosen = choose(ALL, [], 8, strategy="active", seed=0)
    assert {name for c in chosen for name in c.members} == {*MODELS}


@pytest.mark.parametrize("seed", range(6))
def test_where_the_committee_disagrees_is_measured_next(seed: int) -> None:
    """Nine pairs are left: six of quiet models that are well known, three of h, of which two are known."""
    quiet = {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")}
    of_h = {("e", "h"), ("f", "h"), ("h", "h")}
    known = [c for c in ALL if c.members not in quiet and "h" not in c.members]
    known += [Candidate("k", ("a", "h")), Candidate("k", ("b", "h"))]
    waiting = [c for c in ALL if c.members in quiet | of_h]
    measured = [m for c in known for m in truth(c)]
    assert choose(waiting, measured, 1, strategy="active", seed=seed)[0].members in of_h


def test_the_fit_finds_an_additive_truth() -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(0, 0.3, (2, len(MODELS)))
    data = [
        Measured("k", v, (u,), float(np.expm1(0.4 + rows[i] + columns[j])))
        for i, v in enumerate(MODELS)
        for j, u in enumerate(MODELS)
        if (i + j) % 4
    ]
    fitted = fit(observed(data, ["k"], MODELS), 1, len(MODELS), rng=rng)[0]
    off = fitted - (0.4 + rows[:, None] + columns[None, :])
    assert np.abs(off).mean() < 0.3 * np.abs(rows[:, None] + columns[None, :]).mean()


def test_a_machine_type_without_measurements_is_predicted_like_the_others() -> None:
    data = [m for c in ALL for m in truth(c)]
    fitted = fit(observed(data, ["k", "new"], MODELS), 2, len(MODELS), rng=np.random.default_rng(0))
    e, f, a = (MODELS.index(name) for name in "efa")
    assert fitted[1, f, e] > fitted[1, a, a] + 0.2
