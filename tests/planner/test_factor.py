"""The co-location factor: what it multiplies, for whom, and how it is rounded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from planner.compiled import multiplied
from planner.errors import InputError
from planner.evaluate import evaluate
from planner.files import load_instance, save_instance
from planner.instance import Background, Instance, MachineType
from tests.tiny import plan, said, with_degradation, with_model, with_type


def _crowded(pair: Instance, factor: dict[int, float]) -> Instance:
    """Return ``pair`` with four slots and a factor; a beside a and two b suffers 0.1 + 2 x 0.25 = 0.6."""
    return with_type(pair, "gpu", slots=4, colocation_factor=factor)


def test_a_machine_takes_the_factor_of_its_replicas(pair: Instance) -> None:
    """All four together: a 0.6, b 2 x 0.3 + 0.4 = 1.0, so 3.2; apart in twos: 2 x 0.1 + 2 x 0.4 = 1.0."""
    instance = _crowded(pair, {3: 1.5, 4: 2.0})
    assert evaluate(instance, plan(instance, "gpu: 2 a + 2 b")).objective == 6_400_000
    assert evaluate(instance, plan(instance, "gpu: 2 a", "gpu: 2 b")).objective == 1_000_000


def test_an_absent_number_takes_the_next_lower_one(pair: Instance) -> None:
    """Three: a beside a and b 0.35, b beside two a 0.6, so 1.3 x 3; four would be 3.2 x 3."""
    instance = _crowded(pair, {2: 3.0})
    three = evaluate(instance, plan(instance, "gpu: 2 a + 1 b", "gpu: 1 b"))
    assert three.objective == 3_900_000
    assert evaluate(instance, plan(instance, "gpu: 2 a + 2 b")).objective == 9_600_000
    assert three.worst_degradation == 1_800_000


def test_background_is_not_multiplied(pair: Instance) -> None:
    instance = with_type(
        _crowded(pair, {2: 3.0}), "gpu", background=Background(degradation={"a": 0.05, "b": 0.0})
    )
    found = evaluate(instance, plan(instance, "gpu: 2 a", "gpu: 2 b"))
    assert found.objective == 3 * 1_000_000 + 2 * 50_000


def test_the_slo_sees_the_factor(pair: Instance) -> None:
    """a alone takes 10 ms; with another a 10 x (1 + 0.1 x 3) = 13 ms."""
    instance = with_model(_crowded(pair, {2: 3.0}), "a", slo_ms=12.99)
    found = said(evaluate(instance, plan(instance, "gpu: 2 a", "gpu: 2 b")).violations)
    assert found == {"slo": "1 x gpu with 2 x a: a at 13 ms, SLO 12.99 ms"}
    assert evaluate(with_model(instance, "a", slo_ms=13.0), plan(instance, "gpu: 2 a", "gpu: 2 b")).valid


def test_a_falling_factor_helps_a_crowd(pair: Instance) -> None:
    """Four that take turns: 3.2 x 0.25 = 0.8 is less than the 1.0 of the twos."""
    instance = _crowded(pair, {4: 0.25})
    assert evaluate(instance, plan(instance, "gpu: 2 a + 2 b")).objective == 800_000


def test_products_are_rounded_to_the_nearest_and_halves_up(pair: Instance) -> None:
    """1 ppm x 0.5 is 1 ppm, 1 ppm x 0.499999 is 0; two replicas of a suffer it."""
    sums = np.array([1, 3, 5, 7])
    assert multiplied(sums, np.array([500_000, 499_999, 100_000, 0])).tolist() == [1, 1, 1, 0]
    tiny = with_degradation(_crowded(pair, {2: 0.5}), "gpu", "a", "a", 0.000001)
    assert evaluate(tiny, plan(tiny, "gpu: 2 a", "gpu: 2 b")).objective == 2 * 1 + 2 * 200_000


def test_shares_of_aggressors_count_it(pair: Instance) -> None:
    """a suffers 0.25 from b in a two, and 3 x 0.1 from a in the other."""
    instance = with_type(pair, "gpu", slots=3, colocation_factor={3: 3.0}, count=3)
    instance = with_model(with_model(instance, "a", replicas=4), "b", replicas=1)
    found = evaluate(instance, plan(instance, "gpu: 1 a + 1 b", "gpu: 3 a"))
    assert dict(found.models[0].hurt_by) == pytest.approx({"a": 1.8 / 2.05, "b": 0.25 / 2.05})


def test_files_keep_it(pair: Instance, tmp_path: Path) -> None:
    instance = _crowded(pair, {3: 1.25, 10: 0.8})
    for name in ("i.yaml", "i.json"):
        save_instance(instance, tmp_path / name)
        assert load_instance(tmp_path / name).sha256 == instance.sha256


@pytest.mark.parametrize("factor", [{1: 1.0}, {2: -0.1}, {2: float("nan")}, {2: 1e9}, {5_000: 1.0}])
def test_factors_out_of_range_are_refused(factor: dict[int, float]) -> None:
    with pytest.raises(ValidationError):
        MachineType(name="gpu", count=1, colocation_factor=factor)


def test_a_bad_factor_in_a_file_is_named(pair: Instance, tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    save_instance(_crowded(pair, {3: 1.25}), path)
    document = json.loads(path.read_text())
    document["machine_types"][0]["colocation_factor"] = {"three": 1.0}
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="colocation_factor"):
        load_instance(path)


def test_a_product_that_could_overflow_is_refused(pair: Instance) -> None:
    huge = with_degradation(pair, "gpu", "a", "a", 1e9)
    with pytest.raises(InputError, match="64-bit"):
        _crowded(huge, {2: 1_000.0})
