"""Each obstacle is found with its amounts, and none where there is a plan."""

from __future__ import annotations

import pytest

from planner.infeasible import obstacles
from planner.instance import Background, Instance, Pinned, Rules
from solvers import solve
from tests.random_instances import solved
from tests.tiny import with_model, with_type


def test_nothing_stands_in_the_way_of_a_feasible_instance(pair: Instance, two_types: Instance) -> None:
    assert obstacles(pair) == ()
    assert obstacles(two_types) == ()


def test_no_obstacle_where_brute_force_finds_a_plan() -> None:
    """And where it finds none, there is often one: the obstacles are worth having."""
    feasible = found = infeasible = 0
    for seed in range(500):
        instance, answer = solved(seed)
        reasons = obstacles(instance)
        feasible += answer.feasible
        infeasible += not answer.feasible
        found += bool(reasons)
        assert not (answer.feasible and reasons), (seed, reasons)
    assert feasible > 250
    assert 0.6 * infeasible < found < infeasible


def test_models_that_run_nowhere_for_want_of_a_resource(two_types: Instance) -> None:
    big = with_model(two_types, "a", demand={"memory": 17.5})
    assert obstacles(big) == (
        "a runs nowhere: on gpu it needs 17.5 memory, 16 there, short by 1.5; "
        "on cpu it needs 17.5 memory, 8 there, short by 9.5",
    )


def test_models_that_run_nowhere_by_rule_or_latency(two_types: Instance) -> None:
    away = with_model(two_types, "a", latency_ms={"gpu": 10.0}).replace(rules=Rules(forbid={"a": ("gpu",)}))
    assert obstacles(away) == ("a runs nowhere: on gpu a rule forbids it; on cpu it has no latency",)


def test_models_that_run_nowhere_for_want_of_machines(two_types: Instance) -> None:
    none = with_type(with_model(two_types, "b", latency_ms={"gpu": 10.0}), "gpu", count=0)
    assert obstacles(none) == ("b runs nowhere: there are no machines of type gpu; on cpu it has no latency",)


def test_models_over_their_slo_alone(two_types: Instance) -> None:
    """Background adds 50 % to 10 ms on the gpu; the cpu takes 20 ms."""
    slow = with_type(
        with_model(two_types, "a", slo_ms=14.0), "gpu", background=Background(degradation={"a": 0.5})
    )
    assert obstacles(slow) == (
        "a runs nowhere: on gpu it takes 15 ms alone, SLO 14 ms, short by 1 ms; "
        "on cpu it takes 20 ms alone, SLO 14 ms, short by 6 ms",
    )
    assert obstacles(with_model(slow, "a", miss_price=1.0)) == ()


def test_models_kept_out_by_background_in_every_slot(pair: Instance) -> None:
    full = with_type(pair, "gpu", background=Background(slots=2))
    assert obstacles(full) == (
        "a runs nowhere: on gpu background load takes every slot",
        "b runs nowhere: on gpu background load takes every slot",
    )


def test_background_overload_does_not_keep_out_who_needs_none(pair: Instance) -> None:
    loaded = with_type(pair, "gpu", background=Background(demand={"memory": 99.0}))
    assert len(obstacles(loaded)) == 2
    assert obstacles(with_model(with_model(loaded, "a", demand={}), "b", demand={})) == ()


def test_models_with_more_replicas_than_fit_anywhere(two_types: Instance) -> None:
    """2 slots on each of two machines for 5 replicas of a."""
    assert obstacles(with_model(two_types, "a", replicas=5))[0] == (
        "a: 5 replicas, but with every machine to itself only 4 fit "
        "(2 on each of 1 x gpu, 2 on each of 1 x cpu), short by 1"
    )


def test_replicas_whose_own_kind_breaks_their_slo(pair: Instance) -> None:
    """At 10.5 ms no replica of a bears another beside it."""
    tight = with_model(with_type(pair, "gpu", slots=None), "a", replicas=3, slo_ms=10.5)
    assert obstacles(tight) == (
        "a: 3 replicas, but with every machine to itself only 2 fit (1 on each of 2 x gpu), short by 1",
    )


def test_slots_short(pair: Instance) -> None:
    assert obstacles(with_model(pair, "a", replicas=3)) == (
        "slots: all models on gpu need 5, 4 there, short by 1",
    )


def test_a_resource_short(pair: Instance) -> None:
    """16 GB wanted, 2 x 7.75 GB there."""
    assert obstacles(with_type(pair, "gpu", slots=None, resources={"memory": 7.75})) == (
        "memory: all models on gpu need 16, 15.5 there, short by 0.5",
    )


def test_a_resource_short_for_the_models_of_one_type(two_types: Instance) -> None:
    """Neither model runs on the cpu; a third of the memory would be there."""
    bound = two_types.replace(rules=Rules(allow={"a": ("cpu",), "b": ("cpu",)}))
    found = obstacles(with_type(bound, "cpu", slots=None))
    assert found == ("memory: all models on cpu need 16, 8 there, short by 8",)


def test_slots_short_for_some_models_only(two_types: Instance) -> None:
    bound = with_model(two_types, "a", replicas=3).replace(rules=Rules(allow={"a": ("cpu",)}))
    assert "slots: a on cpu need 3, 2 there, short by 1" in obstacles(bound)


def test_min_machines_beyond_replicas_or_machines(two_types: Instance) -> None:
    assert obstacles(two_types.replace(rules=Rules(min_machines={"a": 3}))) == (
        "rules clash: min_machines wants a on 3 machines, it has 2 replicas",
        "rules clash: min_machines wants a on 3 machines, it can use 2",
    )
    one = two_types.replace(rules=Rules(min_machines={"a": 2}, forbid={"a": ("cpu",)}))
    assert obstacles(one) == ("rules clash: min_machines wants a on 2 machines, it can use 1",)


def test_kept_apart_on_too_few_machines(pair: Instance) -> None:
    """One replica of a on a machine makes two machines, b needs another."""
    rules = Rules(keep_apart=(("a", "b"),), max_per_machine={"a": 1})
    assert obstacles(pair.replace(rules=rules)) == (
        "rules clash: kept apart, a, b need 3 machines (a 2, b 1), they can use 2, short by 1",
    )
    assert obstacles(with_type(pair, "gpu", count=3).replace(rules=rules)) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slo_ms": 10.5}, "slo: 1 x gpu (old) with 2 x a: a at 11 ms, SLO 10.5 ms"),
        (
            {"demand": {"memory": 9.0}},
            "resources: 1 x gpu (old) with 2 x a: needs 18 memory, has 16, over by 2",
        ),
    ],
)
def test_pinned_replicas_that_break_a_rule(pair: Instance, change: dict[str, object], words: str) -> None:
    pinned = pair.replace(pinned=(Pinned(name="old", machine_type="gpu", models={"a": 2}),))
    assert obstacles(pinned) == ()
    assert obstacles(with_model(pinned, "a", **change)) == (f"pinned replicas break the rule {words}",)


def test_pinned_where_a_rule_forbids(two_types: Instance) -> None:
    pinned = two_types.replace(
        pinned=(Pinned(name="old", machine_type="cpu", models={"a": 1}),), rules=Rules(forbid={"a": ("cpu",)})
    )
    assert obstacles(pinned) == ("pinned replicas break the rule permitted: a on cpu: a rule forbids it",)


def test_pins_that_break_an_slo_may_be_cured_by_a_factor_that_falls(pair: Instance) -> None:
    """Two pinned replicas of a run at 11 ms, three of anything at 10 ms."""
    pinned = (Pinned(name="old", machine_type="gpu", models={"a": 2}),)
    tight = with_model(with_type(pair, "gpu", slots=3), "a", slo_ms=10.5).replace(pinned=pinned)
    assert obstacles(tight)[0].startswith("pinned replicas break the rule slo")
    falling = with_type(tight, "gpu", colocation_factor={3: 0.0})
    assert obstacles(falling) == ()
    assert solve(falling, "patterns", time_limit=10.0).objective == 0
    rising = with_type(tight, "gpu", colocation_factor={3: 2.0})
    assert obstacles(rising)[0].startswith("pinned replicas break the rule slo")
