"""Each rule refuses what it must and accepts what just meets it."""

from __future__ import annotations

import pytest

from planner.evaluate import evaluate
from planner.instance import Background, Instance, Pinned, Rules
from planner.plan import Plan
from planner.rules import RULES
from tests.tiny import plan, said, with_degradation, with_model, with_type

SEPARATE = ("gpu: 2 a", "gpu: 2 b")
MIXED = ("gpu: 1 a + 1 b", "gpu: 1 a + 1 b")


def refused(instance: Instance, *machines: str) -> dict[str, str]:
    """Return rule -> message of what is wrong with the plan of these machines."""
    return said(evaluate(instance, plan(instance, *machines)).violations)


def test_every_rule_is_tested_here() -> None:
    tested = {name.split("_", 2)[1] for name in globals() if name.startswith("test_")}
    assert {rule.__name__.lstrip("_").split("_")[0] for rule in RULES} <= tested


def test_replicas_missing(pair: Instance) -> None:
    assert refused(pair, "gpu: 1 a", "gpu: 2 b") == {"replicas": "a: 1 replicas placed, has 2"}


def test_replicas_extra(pair: Instance) -> None:
    roomy = with_type(pair, "gpu", slots=3)
    assert refused(roomy, "gpu: 2 a", "gpu: 3 b") == {"replicas": "b: 3 replicas placed, has 2"}


def test_replicas_all_placed(pair: Instance) -> None:
    assert not refused(pair, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")


def test_machines_one_too_many(pair: Instance) -> None:
    assert refused(pair, "gpu: 2 a", "gpu: 1 b", "gpu: 1 b") == {"machines": "gpu: 3 machines used, has 2"}


def test_machines_all_used(pair: Instance) -> None:
    assert not refused(with_type(pair, "gpu", count=3), "gpu: 2 a", "gpu: 1 b", "gpu: 1 b")


def test_machines_of_a_pinned_entry(pair: Instance) -> None:
    """Of two machines one is pinned, so one is free."""
    instance = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),))
    found = refused(instance, "gpu: 2 b", "old: 1 a", "old: 1 a")
    assert found == {"machines": "pinned 'old' of gpu: 2 machines used, has 1"}
    assert "machines" in refused(instance, "gpu: 1 b", "gpu: 1 b", "old: 2 a")


def test_pinned_replica_moved(pair: Instance) -> None:
    instance = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),))
    found = refused(instance, "gpu: 2 a", "old: 2 b")
    assert found == {"pinned": "1 x gpu (old) with 2 x b: 'old' pins 1 x a there"}


def test_pinned_machine_missing(pair: Instance) -> None:
    instance = with_type(pair, "gpu", slots=4).replace(
        pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),)
    )
    found = refused(instance, "gpu: 2 a + 2 b")
    assert found == {"pinned": "gpu: 1 machines of pinned 'old' do not appear"}


def test_pinned_replica_stays(pair: Instance) -> None:
    instance = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 1}),))
    assert not refused(instance, "gpu: 2 b", "old: 2 a")
    assert not refused(instance, "gpu: 1 a + 1 b", "old: 1 a + 1 b")


def test_permitted_only_with_a_latency(two_types: Instance) -> None:
    instance = with_model(two_types, "a", latency_ms={"gpu": 10.0})
    assert refused(instance, "cpu: 2 a", "gpu: 2 b") == {"permitted": "a on cpu: it has no latency there"}
    assert not refused(instance, "gpu: 2 a", "cpu: 2 b")


@pytest.mark.parametrize("rules", [Rules(forbid={"a": ("cpu",)}), Rules(allow={"a": ("gpu",)})])
def test_permitted_by_rules(two_types: Instance, rules: Rules) -> None:
    instance = two_types.replace(rules=rules)
    assert refused(instance, "cpu: 2 a", "gpu: 2 b") == {"permitted": "a on cpu: a rule forbids it"}
    assert not refused(instance, "gpu: 2 a", "cpu: 2 b")


def test_slots_one_short(pair: Instance) -> None:
    found = refused(pair, "gpu: 2 a + 1 b", "gpu: 1 b")
    assert found == {"slots": "1 x gpu with 2 x a + 1 x b: 3 replicas on 2 slots"}


def test_slots_just_enough(pair: Instance) -> None:
    assert not refused(with_type(pair, "gpu", slots=3), "gpu: 2 a + 1 b", "gpu: 1 b")


def test_slots_without_a_limit(pair: Instance) -> None:
    unlimited = with_type(pair, "gpu", slots=None, background=Background(slots=1))
    assert not refused(unlimited, "gpu: 2 a + 2 b")


def test_slots_taken_by_background(pair: Instance) -> None:
    loaded = with_type(pair, "gpu", slots=3, background=Background(slots=1))
    assert not refused(loaded, "gpu: 2 a", "gpu: 2 b")
    found = refused(loaded, "gpu: 2 a + 1 b", "gpu: 1 b")
    assert found == {"slots": "1 x gpu with 2 x a + 1 x b: 3 replicas on 2 slots"}


def test_resources_over(pair: Instance) -> None:
    """Two replicas at 4 GB need 8 GB."""
    short = with_type(pair, "gpu", count=1, slots=None, resources={"memory": 15.5})
    found = refused(short, "gpu: 2 a + 2 b")
    assert found == {"resources": "1 x gpu with 2 x a + 2 x b: needs 16 memory, has 15.5, over by 0.5"}


def test_resources_exactly_filled(pair: Instance) -> None:
    assert not refused(with_type(pair, "gpu", slots=None), "gpu: 2 a + 2 b")


def test_resources_of_decimals(pair: Instance) -> None:
    """0.1 + 0.2 fill 0.3, which they exceed in binary floating point; a millionth less is too little."""
    small = with_model(with_model(pair, "a", demand={"memory": 0.1}), "b", demand={"memory": 0.2})
    assert not refused(with_type(small, "gpu", resources={"memory": 0.3}), *MIXED)
    found = refused(with_type(small, "gpu", resources={"memory": 0.299999}), *MIXED)
    assert found["resources"].endswith("needs 0.3 memory, has 0.299999, over by 1e-06")


def test_resources_differ_by_machine_type(two_types: Instance) -> None:
    """On the cpu, which has 8 GB, a replica of a takes 5 GB instead of 4."""
    instance = with_model(two_types, "a", demand_on={"cpu": {"memory": 5.0}})
    found = refused(instance, "cpu: 2 a", "gpu: 2 b")
    assert found == {"resources": "1 x cpu with 2 x a: needs 10 memory, has 8, over by 2"}
    assert not refused(instance, "gpu: 2 a", "cpu: 2 b")


def test_resources_taken_by_background(pair: Instance) -> None:
    """16 GB less 8.5 GB leave 7.5 GB for 8 GB."""
    loaded = with_type(pair, "gpu", background=Background(demand={"memory": 8.5}))
    found = evaluate(loaded, plan(loaded, "gpu: 2 a", "gpu: 2 b")).violations
    assert [v.message for v in found] == [
        "1 x gpu with 2 x a: needs 8 memory, has 7.5, over by 0.5",
        "1 x gpu with 2 x b: needs 8 memory, has 7.5, over by 0.5",
    ]
    assert not refused(with_type(loaded, "gpu", background=Background(demand={"memory": 8.0})), *SEPARATE)


def test_resources_overloaded_by_background_hurt_only_who_needs_them(pair: Instance) -> None:
    loaded = with_type(pair, "gpu", background=Background(demand={"memory": 20.0}))
    free = with_model(with_model(loaded, "a", demand={}), "b", demand={})
    assert not refused(free, *SEPARATE)
    assert refused(with_model(free, "a", demand={"memory": 0.0}), *SEPARATE) == {}
    found = refused(with_model(free, "a", demand={"memory": 1.0}), *SEPARATE)
    assert found == {"resources": "1 x gpu with 2 x a: needs 2 memory, has 0, over by 2"}


def test_slo_exactly_met(pair: Instance) -> None:
    """Beside b, a takes 10 ms x 1.25 = 12.5 ms."""
    assert not refused(with_model(pair, "a", slo_ms=12.5), *MIXED)


def test_slo_one_ppm_short(pair: Instance) -> None:
    """12.49999 ms / 10 ms - 1 = 0.249999 is one ppm less than 0.25."""
    short = with_model(pair, "a", slo_ms=12.49999)
    assert refused(short, *MIXED) == {
        "slo": "2 x gpu with 1 x a + 1 x b: a at 12.5 ms, SLO 12.49999 ms",
    }


def test_slo_broken_by_one_ppm_more_degradation(pair: Instance) -> None:
    hurt = with_degradation(with_model(pair, "a", slo_ms=12.5), "gpu", "a", "b", 0.250001)
    assert refused(hurt, *MIXED) == {"slo": "2 x gpu with 1 x a + 1 x b: a at 12.50001 ms, SLO 12.5 ms"}


def test_slo_counts_background(pair: Instance) -> None:
    """0.25 from b and 0.05 from background make 13 ms."""
    loaded = with_type(pair, "gpu", background=Background(degradation={"a": 0.05}))
    assert not refused(with_model(loaded, "a", slo_ms=13.0), *MIXED)
    found = refused(with_model(loaded, "a", slo_ms=12.9), *MIXED)
    assert found == {"slo": "2 x gpu with 1 x a + 1 x b: a at 13 ms, SLO 12.9 ms"}


def test_slo_counts_every_other_replica(pair: Instance) -> None:
    """Three replicas of a suffer 2 x 0.1 each, four 3 x 0.1."""
    big = with_type(with_model(pair, "a", replicas=4, slo_ms=12.0), "gpu", slots=4, count=3)
    assert not refused(big, "gpu: 3 a", "gpu: 1 a", "gpu: 2 b")
    found = refused(big, "gpu: 4 a", "gpu: 2 b")
    assert found == {"slo": "1 x gpu with 4 x a: a at 13 ms, SLO 12 ms"}


def test_slo_that_is_soft_is_never_violated(pair: Instance) -> None:
    assert not refused(with_model(pair, "a", slo_ms=5.0, miss_price=0.5), *MIXED)


def test_keep_apart_refuses_two_of_a_group(pair: Instance) -> None:
    apart = pair.replace(rules=Rules(keep_apart=(("a", "b"),)))
    found = refused(apart, *MIXED)
    assert found == {"keep_apart": "2 x gpu with 1 x a + 1 x b: at most one of a, b may be there"}


def test_keep_apart_lets_replicas_of_one_model_meet(pair: Instance) -> None:
    assert not refused(pair.replace(rules=Rules(keep_apart=(("a", "b"),))), *SEPARATE)


def test_max_per_machine_one_too_many(pair: Instance) -> None:
    limited = pair.replace(rules=Rules(max_per_machine={"b": 1}))
    found = refused(limited, *SEPARATE)
    assert found == {"max_per_machine": "1 x gpu with 2 x b: at most 1 x b on a machine"}


def test_max_per_machine_reached(pair: Instance) -> None:
    assert not refused(pair.replace(rules=Rules(max_per_machine={"b": 2})), *SEPARATE)


def test_min_machines_one_short(pair: Instance) -> None:
    spread = pair.replace(rules=Rules(min_machines={"a": 2}))
    found = refused(spread, *SEPARATE)
    assert found == {"min_machines": "a: spread over 1 machines, at least 2 wanted"}


def test_min_machines_reached(pair: Instance) -> None:
    assert not refused(pair.replace(rules=Rules(min_machines={"a": 2})), *MIXED)


def test_many_violations_of_a_rule_are_counted(pair: Instance) -> None:
    """60 machines with three replicas on two slots each: 50 are shown."""
    crowded = Plan.from_patterns((0, 1, {0: 2, 1: 1 + i}) for i in range(60))
    slots = [v.message for v in evaluate(pair, crowded).violations if v.rule == "slots"]
    assert len(slots) == 51
    assert slots[-1] == "... and 10 more of this kind"
