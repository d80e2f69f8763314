"""The protocol's arithmetic against traces made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.measure.windows import (
    Trace,
    Window,
    condition,
    counted,
    degradation,
    least_samples,
    meets,
    poisson,
    quantile,
    settled,
)
from tests.planner.measure.fakes import window

MS = 1_000_000


def trace(*requests: tuple[float, float]) -> Trace:
    """Requests as (arrival, done) in ms; each took half a ms of CPU time."""
    arrival, done = np.array(requests).T * MS
    return Trace(arrival.astype(np.int64), done.astype(np.int64), np.full(len(requests), MS // 2))


def test_a_request_counts_by_when_it_was_meant_to_be_sent() -> None:
    """Window 10 to 20 ms, tail until 24 ms."""
    driven = trace((9, 11), (10, 12), (19, 23.5), (20, 21))
    latencies, cpu_s, late = counted(driven, 10 * MS, 20 * MS, 24 * MS)
    assert latencies.tolist() == [2.0, 4.5]
    assert cpu_s == pytest.approx(0.001)
    assert late == 0


def test_what_ends_after_the_neighbours_or_never_is_late() -> None:
    driven = trace((12, 25), (13, 0), (14, 24))
    latencies, _, late = counted(driven, 10 * MS, 20 * MS, 24 * MS)
    assert latencies.tolist() == [10.0]
    assert late == 2


def test_arrivals_are_the_same_for_the_same_seed_however_long() -> None:
    short, long = poisson([1, 2], 100.0, 1.0), poisson([1, 2], 100.0, 30.0)
    assert np.array_equal(short, long[: short.size])
    assert not np.array_equal(short, poisson([1, 3], 100.0, 1.0)[: short.size])
    assert long.size == pytest.approx(3000, abs=4 * 3000**0.5)
    assert np.std(np.diff(long)) == pytest.approx(np.mean(np.diff(long)), rel=0.1)  # as of an exponential


@pytest.mark.parametrize(("q", "n"), [(0.5, 5), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_a_quantile_needs_samples(q: float, n: int) -> None:
    assert least_samples(q) == n
    values = np.arange(n, dtype=float)
    assert quantile(values[1:], q) is None
    assert quantile(values, q) == pytest.approx(q * (n - 1))


@pytest.mark.parametrize(
    ("n", "over", "verdict"),
    [
        (458, 0, None),
        (459, 0, True),
        (661, 1, None),
        (662, 1, True),
        (662, 2, None),
        (100, 6, False),
        (0, 0, None),
    ],
)
def test_p99_meets_a_limit_with_459_or_662_samples(n: int, over: int, verdict: bool | None) -> None:
    assert meets(np.array([2.0] * over + [1.0] * (n - over)), 1.5) is verdict


def many(mean: float, samples: int) -> Window:
    return window("warmup", *[mean] * samples)


def test_settled_looks_at_the_last_three() -> None:
    assert not settled([many(1.0, 100)] * 2)
    assert settled([many(9.0, 11), many(1.0, 100), many(1.05, 95), many(1.09, 92)])
    assert not settled([many(1.0, 100), many(1.0, 100), many(1.11, 100)])
    assert not settled([many(1.0, 100), many(1.0, 100), many(1.0, 85)])
    assert not settled([many(1.0, 3), many(1.0, 3), window("warmup")])


def test_one_request_at_the_edge_of_a_window_is_no_change() -> None:
    assert settled([many(150.0, 3), many(150.0, 4), many(150.0, 3)])
    assert not settled([many(150.0, 3), many(150.0, 5), many(150.0, 3)])


def test_abba_cancels_a_linear_drift() -> None:
    """Latency drifts 1.0, 1.1, 1.2, 1.3 alone; co-located it is twice as high."""
    solo = condition([window("solo", 1.0), window("solo", 1.3)])
    both = condition([window("colocated", 2.2), window("colocated", 2.4)])
    assert degradation(both.mean_ms, solo.mean_ms) == pytest.approx(1.0)


def test_each_window_counts_the_same_in_the_mean_and_each_sample_in_a_quantile() -> None:
    both = condition([window("solo", 1.0, 1.0, 1.0, 1.0), window("solo", 3.0)])
    assert both.mean_ms == pytest.approx(2.0)
    assert both.quantiles_ms["p50"] == 1.0
    assert both.quantiles_ms["p90"] is None


def test_nothing_measured_is_unknown_and_not_zero() -> None:
    empty = condition([])
    assert (empty.samples, empty.mean_ms, degradation(None, 1.0), degradation(1.0, None)) == (
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"steal": 0.03, "foreign": 0.15}, ()),
        ({"steal": 0.031}, ("steal",)),
        ({"foreign": 0.151}, ("foreign",)),
        ({"late": 1}, ("overload",)),
        ({"steal": None, "foreign": None}, ()),
    ],
)
def test_flags(fields: dict[str, float], flags: tuple[str, ...]) -> None:
    flagged = window("solo", 1.0, 1.0, **fields)  # type: ignore[arg-type]
    assert flagged.flags == flags
    assert flagged.disturbed == bool({"steal", "foreign"} & {*flags})
