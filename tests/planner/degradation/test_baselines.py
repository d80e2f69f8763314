"""Each simple method is exact on a truth of its own form."""

from __future__ import annotations

import numpy as np
import pytest

from planner.degradation.baselines import BASELINES
from planner.degradation.features import Features
from planner.degradation.table import Floats
from tests.planner.degradation.planted import MODELS, NOTHING, TYPES, additive, pairs_of

RNG = np.random.default_rng(4)
VICTIM, AGGRESSOR = RNG.uniform(0.2, 1, (2, len(TYPES), len(MODELS)))
VALUES = np.stack([VICTIM, AGGRESSOR], axis=2)
FEATURES = Features(("sensitivity_x", "pressure_x"), TYPES, MODELS, VALUES)
RANK_2 = np.einsum("kvr,kur->kvu", *RNG.uniform(-0.5, 0.5, (2, len(TYPES), len(MODELS), 2)))
FORMS: dict[str, Floats] = {
    "no interference": np.zeros((len(TYPES), len(MODELS), len(MODELS))),
    "victim mean": np.repeat(VICTIM[:, :, None], len(MODELS), axis=2),
    "linear on features": 0.3 + 0.5 * VICTIM[:, :, None] + 0.2 * AGGRESSOR[:, None, :],
    "pressure x sensitivity": VICTIM[:, :, None] * AGGRESSOR[:, None, :],
    "additive plus rank 2": additive() + RANK_2,
}


@pytest.mark.parametrize("method", FORMS)
def test_each_finds_its_own_form(method: str) -> None:
    """From 80 % of the pairs, within 0.06 of the log slowdown (ridge pulls a little towards the mean)."""
    pairs = pairs_of(FORMS[method], keep=0.8)
    held = pairs_of(FORMS[method])
    predicted = BASELINES[method](pairs, FEATURES, 0)(held.k, held.v, held.u)
    assert np.abs(predicted - held.log_slowdown).mean() < 0.06


def test_the_forest_learns_more_than_means() -> None:
    truth = FORMS["pressure x sensitivity"]
    pairs, held = pairs_of(truth, keep=0.8), pairs_of(truth)
    errors = [
        np.abs(BASELINES[m](pairs, FEATURES, 0)(held.k, held.v, held.u) - held.log_slowdown).mean()
        for m in ("random forest", "victim mean")
    ]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("method", BASELINES)
def test_unknown_models_and_machine_types_are_predicted_and_nothing_is_changed(method: str) -> None:
    pairs = pairs_of(additive())
    kept = pairs.take((pairs.k != 2) & (pairs.v != 0) & (pairs.u != 0))
    before = kept.degradation.copy()
    predicted = BASELINES[method](kept, NOTHING, 0)(pairs.k, pairs.v, pairs.u)
    assert np.isfinite(predicted).all()
    assert np.array_equal(kept.degradation, before)
    on_new = predicted[pairs.k == 2].reshape(len(MODELS), -1)
    if method not in ("no interference", "random forest", "linear on features"):
        on_known = [predicted[pairs.k == k].reshape(len(MODELS), -1) for k in (0, 1)]
        np.testing.assert_allclose(on_new, np.mean(on_known, axis=0))


def test_a_model_without_pairs_has_the_mean_effect() -> None:
    pairs = pairs_of(FORMS["pressure x sensitivity"])
    kept = pairs.take((pairs.v != 0) & (pairs.u != 0))
    for method in ("victim mean", "pressure x sensitivity", "additive plus rank 2"):
        new = BASELINES[method](kept, NOTHING, 0)(*(np.array([i]) for i in (0, 0, 0)))[0]
        mean = kept.take(kept.k == 0).log_slowdown.mean()
        assert new == pytest.approx(mean, rel=0.15)
