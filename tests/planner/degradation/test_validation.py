"""Plans against measured runs; the arithmetic is in the comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from planner.degradation.rows import read_rows
from planner.degradation.validation import Validation, patterns_of, sampled, validate
from planner.instance import Instance
from planner.plan import Plan
from planner.report.validation import show
from tests.planner.degradation.test_factor import _HEAD, _row
from tests.tiny import plan, with_model, with_type


def _validated(tmp_path: Path, instance: Instance, plans: dict[str, Plan], rows: Sequence[str]) -> Validation:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([_HEAD, *rows]) + "\n")
    return validate(instance, plans, read_rows(path))


def _rows(aa: Sequence[float], bb: Sequence[float], ab: Sequence[tuple[float, float]]) -> list[str]:
    """Return the runs of the patterns a+a, b+b and a+b; 10 ms alone."""
    rows = [_row("a", "a", i, d, "gpu") for i, d in enumerate(aa)]
    rows += [_row("b", "b", 100 + i, d, "gpu") for i, d in enumerate(bb)]
    for i, (a, b) in enumerate(ab):
        rows += [_row("a", "b", 200 + i, a, "gpu"), _row("b", "a", 200 + i, b, "gpu")]
    return rows


def test_sums_and_their_ratio(pair: Instance, separate: Plan, mixed: Plan, tmp_path: Path) -> None:
    """Mixed: 2 x (0.3 + 0.5) = 1.6; separate: 2 x 0.1 + 2 x 0.3 = 0.8; every run the same, so no doubt."""
    rows = _rows([0.1] * 4, [0.3] * 4, [(0.3, 0.5)] * 4)
    found = _validated(tmp_path, pair, {"mixed": mixed, "separate": separate}, rows)
    first, second = found.plans
    assert first.measured.value == pytest.approx(1.6)
    assert second.measured.value == pytest.approx(0.8)
    assert [first.predicted, second.predicted] == pytest.approx([1.1, 1.0])
    assert first.ratio is None
    assert second.ratio is not None
    assert [second.ratio.value, second.ratio.lower, second.ratio.upper] == pytest.approx([2.0] * 3)
    assert found.control is not None
    assert found.control.value == pytest.approx(1.0)
    assert found.excluded == 0


def test_intervals_come_from_the_runs(pair: Instance, separate: Plan, mixed: Plan, tmp_path: Path) -> None:
    """b + b is 0.1 or 0.5, so separate lies between 0.4 and 1.2, and the ratio between 1.33 and 4."""
    rows = _rows([0.1] * 4, [0.1, 0.5] * 2, [(0.3, 0.5)] * 4)
    second = _validated(tmp_path, pair, {"mixed": mixed, "separate": separate}, rows).plans[1]
    assert second.measured.value == pytest.approx(0.8)
    assert second.measured.lower == pytest.approx(0.4)
    assert second.measured.upper == pytest.approx(1.2)
    assert second.ratio is not None
    assert second.ratio.lower == pytest.approx(1.6 / 1.2)


def test_a_control_that_differs_shows(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    """Even runs of b + b are twice as bad: (0.2 + 0.8) / (0.2 + 0.4)."""
    rows = _rows([0.1] * 4, [0.4, 0.2] * 2, [])
    found = _validated(tmp_path, pair, {"separate": separate}, rows)
    assert found.control is not None
    assert found.control.value == pytest.approx(1.0 / 0.6)
    assert found.control.lower > 1


def test_models_against_their_slos(pair: Instance, mixed: Plan, tmp_path: Path) -> None:
    """a beside b: predicted 0.25, measured 0.3, so 13 ms against 12.9 ms; b 15 ms against 20 ms."""
    instance = with_model(with_model(pair, "a", slo_ms=12.9), "b", slo_ms=20.0)
    rows = _rows([], [], [(0.3, 0.5)] * 3)
    (report,) = _validated(tmp_path, instance, {"mixed": mixed}, rows).plans
    a, b = report.models
    assert (a.predicted, a.measured, a.latency_ms) == pytest.approx((0.25, 0.3, 13.0))
    assert (a.replicas, a.missed, b.missed) == (2, 2, 0)


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_few_runs_are_told(pair: Instance, mixed: Plan, tmp_path: Path, runs: int) -> None:
    found = _validated(tmp_path, pair, {"mixed": mixed}, _rows([], [], [(0.3, 0.5)] * runs))
    shown = [line for line in show(found) if isinstance(line, str) and "too few" in line]
    assert len(shown) == (runs < 3)
    assert all(f"count: {runs}," in line for line in shown)


def test_what_was_not_measured_is_left_out_and_counted(
    pair: Instance, separate: Plan, mixed: Plan, tmp_path: Path
) -> None:
    found = _validated(
        tmp_path, pair, {"separate": separate, "mixed": mixed}, _rows([0.1] * 2, [], [(0.1, 0.1)] * 2)
    )
    assert [p.covered for p in found.plans] == [2, 4]
    assert found.plans[1].ratio is None  # they do not cover the same replicas


def test_runs_that_do_not_count(pair: Instance, separate: Plan, tmp_path: Path) -> None:
    """A run that was not stable says nothing: 2 x 0.1 remains of a + a."""
    rows = _rows([0.1, 0.1, 9.0], [], [])
    rows[2] = rows[2].replace("true,,[]", "false,unstable,[]")
    found = _validated(tmp_path, pair, {"separate": separate}, rows)
    assert found.plans[0].measured.value == pytest.approx(0.2)
    assert found.excluded == 1


def test_a_machine_to_itself_needs_no_run(pair: Instance, tmp_path: Path) -> None:
    roomy = with_type(pair, "gpu", count=3)
    spread = plan(roomy, "gpu: 2 a", "gpu: 1 b", "gpu: 1 b")
    assert patterns_of(roomy, spread) == {("gpu", ("a", "a")): 1}
    (report,) = _validated(tmp_path, roomy, {"spread": spread}, _rows([0.1] * 2, [], [])).plans
    assert (report.replicas, report.alone, report.covered) == (4, 2, 2)


def test_a_sample_is_seeded_and_of_distinct_patterns(pair: Instance, separate: Plan, mixed: Plan) -> None:
    plans = [patterns_of(pair, p) for p in (separate, mixed)]
    assert len(sampled(plans, None, 0)) == 3
    assert sampled(plans, 2, 1) == sampled(plans, 2, 1)
    assert len({*map(tuple, (sampled(plans, 1, seed) for seed in range(20)))}) == 3
