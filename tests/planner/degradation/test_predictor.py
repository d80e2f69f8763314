"""The predictor beats simple methods where they must fail, and is as good where they are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.degradation.baselines import BASELINES
from planner.degradation.evaluation import NETWORK, parts, predict_part
from planner.degradation.features import Features
from planner.degradation.network import Config
from planner.degradation.predictor import fit, leave_out, only_present, units
from planner.degradation.table import Floats, Pairs
from planner.errors import InputError
from tests.planner.degradation.planted import MODELS, NOTHING, QUICK, TYPES, additive, contended, pairs_of


def errors(pairs: Pairs) -> dict[str, float]:
    """Return the mean absolute error of the log slowdown of each method on a fifth of the pairs."""
    test = parts(pairs, "pairs", 0)[0]
    truth = pairs.take(test).log_slowdown
    methods = (*BASELINES, NETWORK)
    held = {m: predict_part(pairs, NOTHING, test, m, 0) for m in methods}
    return {m: float(np.abs(np.log1p(h.predicted) - truth).mean()) for m, h in held.items()}


def test_the_network_beats_every_simple_method_on_a_truth_that_is_not_additive() -> None:
    """It makes at most 75 % of the error of the best of them."""
    error = errors(pairs_of(contended(), noise=0.02))
    assert error.pop(NETWORK) < 0.75 * min(error.values())


def test_the_network_is_not_worse_on_an_additive_truth() -> None:
    """Its error is at most 1.1 times that of the method that knows the form (noise alone makes 0.016)."""
    error = errors(pairs_of(additive(), noise=0.02))
    assert error[NETWORK] < 1.1 * error["additive plus rank 2"]
    assert error[NETWORK] < 0.025


def test_direction_matters() -> None:
    """One aggressor hurts everybody and suffers from nobody."""
    truth = np.full((1, 6, 6), 0.05)
    truth[:, :, 0], truth[:, 0, :] = 1.0, 0.0
    predictor = fit(pairs_of(truth, noise=0.01), NOTHING, config=replace(QUICK, steps=200))
    predicted = predictor.predict(["a", "a"], ["m01", "m00"], ["m00", "m01"]).log_slowdown
    assert predicted[0] == pytest.approx(1.0, abs=0.15)
    assert predicted[1] == pytest.approx(0.0, abs=0.15)


def test_the_same_seed_gives_the_same_predictor() -> None:
    pairs = pairs_of(contended()[:1, :6, :6])
    once, again, other = (fit(pairs, NOTHING, seed=seed, config=QUICK) for seed in (3, 3, 4))
    values = [p.predict(*pairs.names()) for p in (once, again, other)]
    assert np.array_equal(values[0].log_slowdown, values[1].log_slowdown)
    assert np.array_equal(values[0].half_widths, values[1].half_widths)
    assert not np.array_equal(values[0].log_slowdown, values[2].log_slowdown)


def test_a_prediction_is_never_negative_and_lies_in_its_interval() -> None:
    pairs = pairs_of(np.zeros((2, 6, 6)), noise=0.05)
    prediction = fit(pairs, NOTHING, config=QUICK).predict(*pairs.names())
    low, high = prediction.interval()
    assert prediction.degradation.min() >= 0
    assert (low <= prediction.degradation).all()
    assert (prediction.degradation <= high).all()
    assert (prediction.std >= 0).all()


def featured() -> tuple[Pairs, Features]:
    """Return pairs whose log slowdown is sensitivity x pressure of two features, and those features."""
    rng = np.random.default_rng(5)
    values = rng.uniform(0, 1, (len(TYPES), len(MODELS), 2))
    truth = values[:, :, None, 0] * values[:, None, :, 1]
    return pairs_of(truth, noise=0.01), Features(("sensitivity_x", "pressure_x"), TYPES, MODELS, values)


def error(truth: Pairs, log_slowdown: Floats) -> float:
    return float(np.abs(log_slowdown - truth.log_slowdown).mean())


def test_a_model_that_was_not_trained_on_is_predicted_from_its_features() -> None:
    pairs, features = featured()
    new = (pairs.v == 3) | (pairs.u == 3)
    rest, rows = pairs.take(~new), pairs.take(new)
    predictor = fit(rest, features, config=Config(members=3))
    prediction = predictor.predict(*rows.names(), features=features)
    assert error(rows, prediction.log_slowdown) < 0.6 * error(
        rows, np.full(len(rows), rest.log_slowdown.mean())
    )
    assert prediction.new_model.all()
    assert not prediction.new_machine_type.any()
    assert "m03" not in predictor.models


def test_a_machine_type_that_was_not_trained_on_is_predicted_from_features_there() -> None:
    pairs, features = featured()
    rest, rows = pairs.take(pairs.k != 2), pairs.take(pairs.k == 2)
    predictor = fit(rest, features, config=Config(members=3))
    prediction = predictor.predict(*rows.names(), features=features)
    blind = predictor.predict(*rows.names())
    assert error(rows, prediction.log_slowdown) < 0.8 * error(rows, blind.log_slowdown)
    assert prediction.new_machine_type.all()


def test_intervals_are_wider_where_features_stand_in_for_measurements() -> None:
    pairs, features = featured()
    predictor = fit(pairs.take(pairs.v != 3).take(pairs.take(pairs.v != 3).u != 3), features, config=QUICK)
    prediction = predictor.predict(["a", "a", "d"], ["m00", "m03", "m00"], ["m01", "m01", "m01"], features)
    known, new_model, new_type = prediction.half_widths[-1]
    assert known < new_model
    assert known < new_type


def test_a_model_seen_on_other_machine_types_only_counts_as_new_there() -> None:
    pairs = pairs_of(contended()[:2, :6, :6])
    gone = (pairs.k == 1) & ((pairs.v == 0) | (pairs.u == 0))
    predictor = fit(pairs.take(~gone), NOTHING, config=QUICK)
    prediction = predictor.predict(["a", "b"], ["m00", "m00"], ["m01", "m01"])
    assert prediction.new_model.tolist() == [False, True]


def test_what_cannot_be_predicted_is_refused() -> None:
    one = fit(pairs_of(contended()[:1, :6, :6]), NOTHING, config=QUICK)
    with pytest.raises(InputError, match=r"model: must be a model that .* was trained on.*'nobody on a'"):
        one.predict(["a"], ["nobody"], ["m01"])
    with pytest.raises(InputError, match=r"machine type: must be a, the only machine type.*'gpu'"):
        one.predict(["gpu"], ["m00"], ["m01"])
    with pytest.raises(InputError, match="level: must be one of "):
        one.predict(["a"], ["m00"], ["m01"]).interval(0.99)


def test_nothing_is_predicted_for_no_pairs() -> None:
    prediction = fit(pairs_of(contended()[:1, :6, :6]), NOTHING, config=QUICK).predict([], [], [])
    assert prediction.degradation.shape == (0,)
    assert prediction.interval()[1].shape == (0,)


def test_too_few_pairs_are_refused() -> None:
    pairs = pairs_of(contended()[:1, :6, :6])
    with pytest.raises(InputError, match="must have at least 12 measured pairs to learn from, found 11"):
        fit(pairs.take(np.arange(36) < 11), NOTHING)


def test_names_that_no_pair_has_are_not_learned() -> None:
    pairs = pairs_of(contended()[:2])
    few = only_present(pairs.take((pairs.k == 1) & (pairs.v > 3) & (pairs.u > 3)))
    assert (few.machine_types, few.models) == (("b",), MODELS[4:])
    assert few.names() == pairs.take((pairs.k == 1) & (pairs.v > 3) & (pairs.u > 3)).names()


def test_what_members_leave_out() -> None:
    """3 members leave out pairs, 5 models, 2 machine types; both directions of a pair go together."""
    pairs = pairs_of(contended()[:2])
    left = leave_out(pairs, 3, np.random.default_rng(0))
    assert left.rows.shape == (10, len(pairs))
    assert (left.rows[:3].sum(0) == 1).all()
    for row in left.rows[:3]:
        out = {(k, *sorted((v, u))) for k, v, u in zip(pairs.k[row], pairs.v[row], pairs.u[row], strict=True)}
        kept = {
            (k, *sorted((v, u))) for k, v, u in zip(pairs.k[~row], pairs.v[~row], pairs.u[~row], strict=True)
        }
        assert not out & kept
    assert (left.models[3:8].sum(0) == 1).all()
    for row, models in zip(left.rows[3:8], left.models[3:8], strict=True):
        assert np.array_equal(row, models[pairs.v] | models[pairs.u])
    assert left.types[8:].tolist() == [[True, False], [False, True]]
    assert np.array_equal(left.rows[8], pairs.k == 0)


def test_a_machine_type_left_out_has_the_units_of_the_others() -> None:
    pairs = pairs_of(np.array([[[0.1, 0.3]] * 2, [[0.5, 0.9]] * 2]))
    centre, scale = units(pairs, np.array([[False, False], [True, False]]))
    np.testing.assert_allclose(centre, [[0.2, 0.7], [0.7, 0.7]])
    np.testing.assert_allclose(scale, [[0.1, 0.2], [0.2, 0.2]])
