"""The objective of plans whose every number a reader can check."""

from __future__ import annotations

import pytest

from planner.evaluate import Verdict, evaluate, verdict
from planner.instance import Background, Instance, Objective, Pinned
from planner.plan import Plan
from tests.random_instances import random_instance, random_plan
from tests.tiny import plan, said, with_degradation, with_model, with_type


def objective(instance: Instance, *machines: str) -> int | None:
    found = evaluate(instance, plan(instance, *machines))
    assert found.valid, found.violations
    return found.objective


def test_degradation_of_separate_models(pair: Instance, separate: Plan) -> None:
    """2 x 0.1 + 2 x 0.4."""
    found = evaluate(pair, separate)
    assert found.objective == 1_000_000
    assert found.total_degradation == 1_000_000
    assert found.mean_degradation == 250_000.0
    assert found.worst_degradation == 400_000
    assert (found.machines_used, found.price, found.misses) == (2, 6_000_000, 0)
    assert found.valid


def test_degradation_of_mixed_models(pair: Instance, mixed: Plan) -> None:
    """2 x (0.25 + 0.3): two machines with the same pattern."""
    assert len(mixed) == 1
    assert evaluate(pair, mixed).objective == 1_100_000


def test_degradation_counts_every_other_replica(pair: Instance) -> None:
    """{2 a, 2 b}: a suffers 0.1 + 2 x 0.25 = 0.6, b 2 x 0.3 + 0.4 = 1.0; 2 x 0.6 + 2 x 1.0 = 3.2."""
    assert objective(with_type(pair, "gpu", slots=4), "gpu: 2 a + 2 b") == 3_200_000


def test_degradation_depends_on_the_machine_type(two_types: Instance) -> None:
    assert objective(two_types, "cpu: 2 a", "gpu: 2 b") == 1_200_000
    assert objective(two_types, "gpu: 2 a", "cpu: 2 b") == 1_800_000
    assert objective(two_types, "gpu: 1 a + 1 b", "cpu: 1 a + 1 b") == 1_650_000


def test_weights_count_the_victim(pair: Instance) -> None:
    """5 x 2 x 0.1 + 2 x 0.4 = 1.8; mixed: 2 x (5 x 0.25 + 0.3) = 3.1. Reports stay unweighted."""
    heavy = with_model(pair, "a", weight=5.0)
    assert objective(heavy, "gpu: 2 a", "gpu: 2 b") == 1_800_000
    assert objective(heavy, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b") == 3_100_000
    assert evaluate(heavy, plan(heavy, "gpu: 2 a", "gpu: 2 b")).total_degradation == 1_000_000


def test_price_of_the_machines_used(two_types: Instance) -> None:
    """The gpu costs 3, the cpu 1."""
    roomy = with_type(two_types, "gpu", slots=4).replace(objective="price")
    assert objective(roomy, "gpu: 2 a + 2 b") == 3_000_000
    assert objective(roomy, "gpu: 2 a", "cpu: 2 b") == 4_000_000


def test_weighted_sum(two_types: Instance) -> None:
    """2 x 1.2 + 0.5 x (3 + 1)."""
    both = two_types.replace(objective=Objective(degradation=2.0, price=0.5))
    assert objective(both, "cpu: 2 a", "gpu: 2 b") == 4_400_000


def test_worst_is_the_largest_degradation_of_any_replica(pair: Instance) -> None:
    worst = with_model(pair, "b", weight=100.0).replace(objective="worst")
    assert objective(worst, "gpu: 2 a", "gpu: 2 b") == 400_000
    assert objective(worst, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b") == 300_000


@pytest.mark.parametrize(("slo", "misses"), [(11.0, 0), (10.9, 2)])
def test_soft_slo_is_priced_for_each_replica(pair: Instance, slo: float, misses: int) -> None:
    """Both replicas of a take 11 ms."""
    soft = with_model(pair, "a", slo_ms=slo, miss_price=0.7)
    found = evaluate(soft, plan(soft, "gpu: 2 a", "gpu: 2 b"))
    assert found.valid
    assert found.objective == 1_000_000 + misses * 700_000
    assert found.misses == misses
    assert [m.misses for m in found.models] == [misses, 0]


def test_soft_slo_is_priced_under_any_sum(pair: Instance) -> None:
    soft = with_model(pair, "a", slo_ms=10.5, miss_price=0.7).replace(objective="price")
    assert objective(soft, "gpu: 2 a", "gpu: 2 b") == 6_000_000 + 2 * 700_000


def test_background_adds_to_its_victims(pair: Instance) -> None:
    """0.05 for each of two replicas of b, which counts three times: 0.2 + 3 x 2 x (0.4 + 0.05)."""
    loaded = with_type(
        with_model(pair, "b", weight=3.0), "gpu", background=Background(degradation={"b": 0.05})
    )
    assert objective(loaded, "gpu: 2 a", "gpu: 2 b") == 2_900_000


def test_background_of_a_pinned_machine_replaces_the_types(pair: Instance) -> None:
    """2 x (0.1 + 0.5) on the pinned machine, 2 x (0.4 + 0.05) elsewhere."""
    loaded = with_type(pair, "gpu", background=Background(degradation={"a": 0.05, "b": 0.05}))
    pin = Pinned(name="busy", machine_type="gpu", background=Background(degradation={"a": 0.5}))
    assert objective(loaded.replace(pinned=(pin,)), "busy: 2 a", "gpu: 2 b") == 2_100_000


def test_a_model_alone_costs_nothing(pair: Instance) -> None:
    alone = with_type(with_model(with_model(pair, "a", replicas=1), "b", replicas=1), "gpu", slots=1)
    assert objective(alone, "gpu: 1 a", "gpu: 1 b") == 0


def test_what_it_means_for_each_model(two_types: Instance) -> None:
    """On the gpu a suffers 0.25 and takes 12.5 ms; on the cpu 0.5 and takes 30 ms."""
    limited = with_model(two_types, "a", slo_ms=29.0, miss_price=0.0)
    a, b = evaluate(limited, plan(limited, "gpu: 1 a + 1 b", "cpu: 1 a + 1 b")).models
    assert (a.name, a.replicas, a.misses, a.slo_ms) == ("a", 2, 1, 29.0)
    assert (a.mean_degradation, a.worst_degradation) == (375_000.0, 500_000)
    assert (a.latency_ms, a.machine_type) == (30.0, "cpu")
    assert a.hurt_by == (("b", 1.0),)
    assert (b.latency_ms, b.slo_ms, b.misses) == (32.0, None, 0)


def test_who_hurts_whom(pair: Instance) -> None:
    """In {2 a, 2 b}, each b suffers 0.4 of b and 0.6 of a."""
    roomy = with_type(pair, "gpu", slots=4)
    a, b = evaluate(roomy, plan(roomy, "gpu: 2 a + 2 b")).models
    assert dict(a.hurt_by) == pytest.approx({"b": 0.5 / 0.6, "a": 0.1 / 0.6})
    assert dict(b.hurt_by) == pytest.approx({"a": 0.6, "b": 0.4})
    assert [name for name, _ in b.hurt_by] == ["a", "b"]


def test_a_plan_without_replicas(pair: Instance) -> None:
    found = evaluate(pair, Plan.from_patterns([]))
    assert [v.rule for v in found.violations] == ["replicas", "replicas"]
    assert (found.objective, found.machines_used, found.mean_degradation) == (0, 0, 0.0)
    assert [(m.replicas, m.latency_ms, m.hurt_by) for m in found.models] == [(0, None, ())] * 2


def test_a_plan_for_other_machines_or_models(pair: Instance) -> None:
    found = evaluate(pair, Plan.from_patterns([(0, 1, {0: 2, 1: 2}), (1, 1, {2: 1})]))
    assert found.objective is None
    assert [v.message for v in found.violations] == [
        "pool number 1: the instance has 1",
        "model number 2: the instance has 2",
    ]
    assert not evaluate(pair, Plan.from_patterns([(-1, 1, {0: 2, 1: 2})])).valid


def test_more_replicas_than_can_be_counted(pair: Instance) -> None:
    found = evaluate(pair, Plan.from_patterns([(0, 10**9, {0: 10**12, 1: 2})]))
    assert found.objective is None
    assert "a: 1000000000000000000000 replicas placed, has 2" in [v.message for v in found.violations]


def test_more_than_can_be_counted_is_never_valid(pair: Instance) -> None:
    """10^5 replicas on one slot, each of which would suffer 10^15 ppm."""
    huge = with_degradation(with_type(pair, "gpu", slots=1), "gpu", "a", "a", 1e4)
    huge = with_model(huge, "a", replicas=10**5)
    found = evaluate(huge, Plan.from_patterns([(0, 1, {0: 10**5}), (0, 1, {1: 2})]))
    assert found.objective is None
    assert said(found.violations).keys() == {"size"}


@pytest.mark.parametrize("pairs", [1, 3, 10])
def test_large_plans_are_worked_on_in_pieces(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    cases = [(i := random_instance(seed), random_plan(i, seed)) for seed in range(40)]
    whole = [evaluate(*case) for case in cases]
    monkeypatch.setitem(evaluate.__globals__, "_PAIRS_AT_ONCE", pairs)
    assert [evaluate(*case) for case in cases] == whole


def test_a_verdict_says_the_same_as_all_of_it(pair: Instance) -> None:
    cases = [(i := random_instance(seed), random_plan(i, seed)) for seed in range(40)]
    cases += [(pair, Plan.from_patterns([(1, 1, {2: 1})])), (pair, Plan.from_patterns([(0, 9, {0: 10**12})]))]
    for case in cases:
        found = evaluate(*case)
        assert verdict(*case) == Verdict(found.objective, found.violations)
