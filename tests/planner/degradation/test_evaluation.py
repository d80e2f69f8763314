"""Splits hold out what they say, and scores are what a reader computes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.degradation import evaluation
from planner.degradation.baselines import Predict
from planner.degradation.evaluation import (
    NETWORK,
    SPLITS,
    Held,
    evaluate,
    matrices,
    parts,
    predict_part,
    r_squared,
    rank_correlation,
    score,
)
from planner.degradation.features import Features
from planner.degradation.table import Pairs
from planner.errors import InputError
from tests.planner.degradation.planted import NOTHING, additive, contended, pairs_of


@pytest.mark.parametrize("split", SPLITS)
def test_every_row_is_held_out_once(split: str) -> None:
    """But those of two models that are left out in turn: twice."""
    pairs = pairs_of(contended(), keep=0.7)
    times = np.sum(parts(pairs, split, 0), axis=0)
    expected = 1 + (pairs.v != pairs.u) if split == "model" else np.ones(len(pairs))
    assert np.array_equal(times, expected)


def leak(pairs: Pairs, test: np.ndarray[tuple[int], np.dtype[np.bool_]], *, types: bool) -> int:
    """Return how many pairs are on both sides, counted without direction."""
    sides = []
    for rows in (test, ~test):
        k = pairs.k[rows] if types else np.zeros(rows.sum(), dtype=int)
        sides.append(
            {(a, *sorted(b)) for a, b in zip(k, zip(pairs.v[rows], pairs.u[rows], strict=True), strict=True)}
        )
    return len(sides[0] & sides[1])


def test_pairs_keep_both_directions_together() -> None:
    pairs = pairs_of(contended(), keep=0.7)
    assert any(leak(pairs, test, types=True) for test in parts(pairs, "rows", 0))
    assert not any(leak(pairs, test, types=True) for test in parts(pairs, "pairs", 0))
    assert any(leak(pairs, test, types=False) for test in parts(pairs, "pairs", 0))
    assert not any(leak(pairs, test, types=False) for test in parts(pairs, "pairs-all", 0))


def test_models_and_machine_types_are_left_out_whole() -> None:
    pairs = pairs_of(contended(), keep=0.7)
    for i, test in enumerate(parts(pairs, "model", 0)):
        assert i not in {*pairs.v[~test], *pairs.u[~test]}
        assert all(i in (v, u) for v, u in zip(pairs.v[test], pairs.u[test], strict=True))
    for k, test in enumerate(parts(pairs, "machine-type", 0)):
        assert {*pairs.k[test]} == {k}
        assert k not in pairs.k[~test]


def test_folds_come_from_the_seed() -> None:
    pairs = pairs_of(contended())
    assert np.array_equal(parts(pairs, "pairs", 1), parts(pairs, "pairs", 1))
    assert not np.array_equal(parts(pairs, "pairs", 1), parts(pairs, "pairs", 2))


def test_splits_that_cannot_be_are_refused() -> None:
    two = pairs_of(contended()[:2])
    with pytest.raises(InputError, match="split: must be one of rows, pairs"):
        parts(two, "people", 0)
    with pytest.raises(InputError, match="split: needs three machine types"):
        parts(two, "machine-type", 0)
    with pytest.raises(InputError, match="split: must leave at least 12 pairs"):
        parts(pairs_of(contended()[:1, :3, :3]), "rows", 0)


def test_a_method_never_sees_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pairs_of(contended())
    seen: list[Pairs] = []

    def spy(trained: Pairs, features: Features, seed: int) -> Predict:
        seen.append(trained)
        return lambda k, v, u: np.zeros(k.size)

    monkeypatch.setattr(evaluation, "BASELINES", {"spy": spy})
    for test in parts(pairs, "pairs", 0):
        predict_part(pairs, NOTHING, test, "spy", 0)
        assert not {*zip(*pairs.take(test).names(), strict=True)} & {*zip(*seen[-1].names(), strict=True)}
        assert len(seen[-1]) + test.sum() == len(pairs)


def test_scores_by_hand() -> None:
    """Measured 0, 1, 3; predicted 0.5, 1, 1.

    Errors 0.5, 0, 2: mean 5/6. Of the slowdown: 0.5/1, 0/2, 2/4: mean 1/3.
    R²: measured mean 4/3, squares 16/9 + 1/9 + 25/9 = 14/3; residual 0.25 + 4 = 4.25: 1 - 4.25 / (14/3).
    R² of the log: logs 0, ln 2, 2 ln 2 have squares 2 ln²2; residual ln²1.5 + ln²2.
    Ranks 1, 2, 3 against 1, 2.5, 2.5: correlation sqrt(3)/2.
    """
    zero = np.zeros(3, dtype=np.int64)
    no = np.zeros(3, dtype=np.bool_)
    pairs = Pairs(("a",), ("x", "y", "z"), zero, np.arange(3), zero, np.array([0.0, 1, 3]), no)
    inside = np.array([True, True, False]), np.array([True, True, True])
    (s,) = score(pairs, Held(np.arange(3), np.array([0.5, 1, 1]), inside), "rows", NETWORK)
    assert (s.split, s.machine_type, s.method, s.rows) == ("rows", "a", NETWORK, 3)
    assert s.mae == pytest.approx(5 / 6)
    assert s.slowdown_error == pytest.approx(1 / 3)
    assert s.r2 == pytest.approx(1 - 4.25 / (14 / 3))
    ln2, ln15 = np.log(2), np.log(1.5)
    assert s.r2_log == pytest.approx(1 - (ln15**2 + ln2**2) / (2 * ln2**2))
    assert s.spearman == pytest.approx(3**0.5 / 2)
    assert s.covered_80 == pytest.approx(2 / 3)
    assert s.covered_95 == 1
    assert s.regret is None, "three models make no pairing"


def test_what_is_not_defined_is_none() -> None:
    assert r_squared(np.ones(3), np.arange(3.0)) is None
    assert rank_correlation(np.arange(3.0), np.ones(3)) is None


def test_what_is_held_out_twice_is_averaged() -> None:
    pairs = pairs_of(np.log(np.array([[[1.0, 2.0], [3.0, 4.0]]])), keep=1)
    rows = np.array([0, 1, 1, 2])
    measured, predicted = matrices(pairs, rows, np.array([5.0, 6.0, 8.0, 9.0]))
    np.testing.assert_allclose(measured, np.array([[0, 1], [2, np.nan]]))
    np.testing.assert_allclose(predicted, np.array([[5, 7], [9, np.nan]]))


def test_all_methods_are_scored_on_the_same_rows() -> None:
    pairs = pairs_of(additive(), keep=0.6, noise=0.02)
    said: list[tuple[str, str, int, int]] = []
    methods = ("no interference", "victim mean", "additive plus rank 2")
    scores, held = evaluate(
        pairs, NOTHING, ["pairs"], methods=methods, on_progress=lambda *now: said.append(now)
    )
    assert [s.method for s in scores] == [m for m in methods for _ in range(3)]
    assert len({held["pairs"][m].rows.tobytes() for m in methods}) == 1
    best = [s for s in scores if s.method == "additive plus rank 2"]
    naive = [s for s in scores if s.method == "no interference"]
    assert all(b.mae < n.mae / 5 for b, n in zip(best, naive, strict=True))
    assert said[:2] == [("pairs", "no interference", 1, 5), ("pairs", "no interference", 2, 5)]
