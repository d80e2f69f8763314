"""Plans made for a probability keep it; what is expected does not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from planner.errors import InputError
from planner.files import load_instance, save_instance
from planner.generate import generate
from planner.instance import Instance
from planner.plan_checks import check_plan
from planner.plan_files import save_plan
from planner.simulate import simulate
from solvers import solve
from tests import tiny


def uncertain(instance: Instance, share: float) -> Instance:
    """Return the instance with upper ends that are a share above each degradation."""
    return instance.replace(upper=instance.degradation * (1 + share))


def fleet(seed: int) -> Instance:
    made = generate(
        models=8,
        types=2,
        replicas=60,
        slots=(4, 5),
        slo_fraction=1.0,
        feasible=True,
        objective="price",
        seed=seed,
    )
    return uncertain(made, 0.5)


def test_slos_look_at_quantiles_and_costs_at_what_is_expected() -> None:
    """d(b on a) = 0.5, upper end 0.696: s = 0.196 / 1.95996 = 0.1; at p = 0.9, z = 1.28155: 0.628155."""
    instance = tiny.with_degradation(tiny.pair(), "gpu", "a", "b", 0.5)
    upper = instance.degradation.copy()
    upper[0, 0, 1] = 0.5 + 0.1 * 1.959963984540054
    at = instance.replace(upper=upper, slo_probability=0.9).compiled
    assert at.degradation[0, 0, 1] == 628_155
    assert at.cost[0, 0, 1] == instance.compiled.cost[0, 0, 1]
    assert np.array_equal(instance.replace(upper=upper).compiled.degradation, instance.compiled.degradation)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("probability", [0.95])
def test_no_model_misses_more_often_than_promised(probability: float, together: bool) -> None:
    kept = 0
    for seed in range(2):
        instance = fleet(seed)
        result = solve(instance.replace(slo_probability=probability), "local_search", time_limit=1.0)
        if result.plan is None:
            continue
        kept += 1
        found = simulate(instance, result.plan, draws=1000, together=together, seed=seed)
        room = 3 * (probability * (1 - probability) / 1000) ** 0.5
        assert found.worst <= 1 - probability + room
    assert kept == 2


def test_a_plan_that_looks_at_nothing_but_what_is_expected_misses_more_often() -> None:
    """Otherwise the test above would show nothing."""
    instance = fleet(0)
    plain = solve(instance, "local_search", time_limit=1.0).plan
    safe = solve(instance.replace(slo_probability=0.99), "local_search", time_limit=1.0).plan
    assert plain is not None
    assert safe is not None
    assert simulate(instance, plain).worst > 0.05
    assert simulate(instance, plain).any_missed > simulate(instance, safe).any_missed
    assert simulate(instance, plain, factor=1.5).missed > simulate(instance, plain).missed


def test_the_optimum_rises_with_the_probability() -> None:
    instance = generate(models=4, types=1, replicas=10, slots=(3, 3), slo_fraction=1.0, feasible=True, seed=2)
    instance = uncertain(instance, 0.4)
    best = [solve(instance.replace(slo_probability=p), "milp", time_limit=10.0) for p in (0.5, 0.8, 0.95)]
    known = [r.objective for r in best if r.objective is not None]
    assert known == sorted(known)
    assert known[0] == solve(instance, "milp", time_limit=10.0).objective  # the median is what is expected


def test_files_keep_upper_ends_and_a_plan_its_promise(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    for pairs, name in ((fleet(1), "inline"), (fleet(1), "table")):
        path = folder / f"{name}.yaml"
        save_instance(pairs, path)
        again = load_instance(path)
        assert again.upper is not None
        np.testing.assert_array_equal(again.upper, pairs.upper)
        assert again.sha256 == pairs.sha256
        asked = again.replace(slo_probability=0.9)
        save_plan(folder / "plan.json", asked, solve(asked, "local_search", time_limit=1.0))
        assert not check_plan(folder / "plan.json", again).violations


def test_the_digest_depends_on_upper_ends_only_if_they_matter() -> None:
    certain, unsure = tiny.pair(), uncertain(tiny.pair(), 0.5)
    assert certain.sha256 == unsure.sha256
    digests = {
        at.sha256
        for at in (
            certain,
            unsure.replace(slo_probability=0.9),
            unsure.replace(slo_probability=0.8),
            uncertain(unsure, 0.6).replace(slo_probability=0.9),
        )
    }
    assert len(digests) == 4


def test_a_probability_without_upper_ends_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        tiny.pair().replace(slo_probability=0.9)
    assert caught.value.field == "slo_probability"
    with pytest.raises(InputError):
        uncertain(tiny.pair(), 0.5).replace(slo_probability=0.4)
    with pytest.raises(InputError):
        simulate(tiny.pair(), tiny.plan(tiny.pair(), "gpu: 2 a", "gpu: 2 b"))
    assert dataclasses.replace(uncertain(tiny.pair(), 0.5), slo_probability=0.9)
