"""Intervals against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.degradation.uncertainty import LEVELS, Calibration, Kind, LeftOut, Prediction, calibrate, kind


def flat(floor: float, quantile: float, rows: int = 1) -> Kind:
    return Kind(rows=rows, floor=floor, quantiles=(quantile,) * 5)


def test_quantiles_are_conformal_ranks() -> None:
    """19 errors 1..19 with spread 0: floor = sqrt(130) = 11.40; ranks ceil(20 p) = 10, 14, 16, 18, 19."""
    result = kind(np.arange(1.0, 20.0), np.zeros(19))
    assert result.floor == pytest.approx(130**0.5)
    np.testing.assert_allclose(result.quantiles, np.array([10, 14, 16, 18, 19]) / 130**0.5)
    assert result.rows == 19


def test_with_few_rows_the_largest_error_must_do() -> None:
    """2 errors: ranks ceil(3 p) = 2, 3, 3, 3, 3, so always the larger one."""
    result = kind(np.array([3.0, -4.0]), np.zeros(2))
    np.testing.assert_allclose(result.quantiles, [4 / 12.5**0.5] * 5)


def test_the_floor_and_the_spread_add_as_squares() -> None:
    calibration = Calibration(
        known=(flat(3, 2), flat(0, 1)), new_model=flat(12, 1), new_machine_type=flat(0, 9)
    )
    no, yes = np.array([False]), np.array([True])

    def half(k: int, new_model: bool, new_type: bool) -> float:
        flags = (yes if new_model else no, yes if new_type else no)
        return float(calibration.half_widths(np.array([k]), *flags, np.array([4.0]))[0, 0])

    assert half(0, False, False) == 2 * 5  # 2 sqrt(3² + 4²)
    assert half(1, False, False) == 4
    assert half(0, True, False) == pytest.approx(160**0.5)  # sqrt(12² + 4²)
    assert half(2, False, True) == 9 * 4
    assert half(0, True, True) == 9 * 4


def test_a_new_model_is_never_surer_than_a_known_one() -> None:
    calibration = Calibration(known=(flat(5, 2),), new_model=flat(1, 1), new_machine_type=None)
    half = calibration.half_widths(np.array([0]), np.array([True]), np.array([False]), np.zeros(1))
    assert half[:, 0].tolist() == [10] * 5


def test_each_kind_is_calibrated_on_what_its_members_left_out() -> None:
    """Members 0 and 1 leave out row 0 and row 1, member 2 a model (row 0), member 3 type 1 (row 1)."""
    rows = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=bool)
    models = np.array([[0], [0], [1], [0]], dtype=bool)
    types = np.array([[0, 0], [0, 0], [0, 0], [0, 1]], dtype=bool)
    errors = np.array([[1.0, 99], [99, 2], [3, 99], [99, 4]])
    result = calibrate(errors, np.zeros((4, 2)), LeftOut(rows, models, types), np.array([0, 1]), 2)
    assert [one.floor for one in result.known] == [1, 2]
    assert result.new_model.floor == 3
    assert result.new_machine_type is not None
    assert result.new_machine_type.floor == 4


def test_the_ends_of_an_interval() -> None:
    half = np.tile(np.array([[0.1], [0.2], [0.3], [0.4], [0.5]]), (1, 2))
    no = np.zeros(2, dtype=bool)
    prediction = Prediction(np.array([1.0, 0.2]), half, np.zeros(2), no, no)
    low, high = prediction.interval(0.95)
    np.testing.assert_allclose(low, [np.expm1(0.5), 0.0])
    np.testing.assert_allclose(high, np.expm1([1.5, 0.7]))
    np.testing.assert_allclose(prediction.std[0], (np.expm1(1.2) - np.expm1(0.8)) / 2)
    assert LEVELS[-1] == 0.95
