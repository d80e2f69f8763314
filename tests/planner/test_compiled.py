"""The integers of an instance: decimals as written, demands up, capacities and slacks down."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.compiled import UNLIMITED
from planner.errors import InputError
from planner.instance import Background, Instance, MachineType, Objective, Pinned, Rules
from planner.integers import PPM
from tests.oracle import Oracle
from tests.random_instances import random_instance
from tests.tiny import with_degradation, with_model, with_type


@pytest.mark.parametrize(
    ("slo", "latency", "slack"),
    [
        (12.0, 10.0, 200_000),  # 12 / 10 - 1 is 0.19999999999999996 in binary floating point
        (11.0, 10.0, 100_000),  # and 11 / 10 - 1 is 0.10000000000000009
        (0.3, 0.1, 2_000_000),
        (4.0, 3.0, 333_333),  # rounded down
        (5.0, 3.0, 666_666),
        (10.0, 10.0, 0),
        (9.999999999, 10.0, -1),  # the least bit over is over
        (5.0, 10.0, -500_000),
        (1e9, 1e-9, 10**24),
    ],
)
def test_slack_is_exact_and_rounded_down(pair: Instance, slo: float, latency: float, slack: int) -> None:
    c = with_model(pair, "a", slo_ms=slo, latency_ms={"gpu": latency}).compiled
    assert c.slack[0, 0] == min(slack, UNLIMITED)
    assert c.slack[0, 1] == UNLIMITED


@pytest.mark.parametrize(
    ("amount", "demand", "capacity"),
    [
        (0.3, 300_000, 300_000),
        (0.1, 100_000, 100_000),
        (1e-7, 1, 0),
        (2.0000005, 2_000_001, 2_000_000),
        (1e12, 10**18, 10**18),
        (0.0, 0, 0),
    ],
)
def test_demand_is_rounded_up_and_capacity_down(
    pair: Instance, amount: float, demand: int, capacity: int
) -> None:
    instance = with_model(pair, "a", demand={"memory": amount}, replicas=1)
    assert with_model(instance, "b", demand={}).compiled.demand[0, :, 0].tolist() == [demand, 0]
    assert with_type(pair, "gpu", resources={"memory": amount}).compiled.capacity.tolist() == [[capacity]]


def test_demands_of_decimals_fill_a_capacity(pair: Instance) -> None:
    """0.1 + 0.2 > 0.3 in binary floating point."""
    assert 0.1 + 0.2 > 0.3
    small = with_model(with_model(pair, "a", demand={"memory": 0.1}), "b", demand={"memory": 0.2})
    c = with_type(small, "gpu", resources={"memory": 0.3}).compiled
    assert c.demand[0, :, 0].sum() == c.capacity[0, 0]


def test_demand_on_a_type_replaces_only_what_it_names(two_types: Instance) -> None:
    rich = with_type(two_types, "gpu", resources={"memory": 16.0, "cores": 8.0})
    c = with_model(
        rich, "a", demand={"memory": 4.0, "cores": 1.0}, demand_on={"cpu": {"cores": 3.0}}
    ).compiled
    assert c.resources == ("memory", "cores")
    assert c.demand[:, 0].tolist() == [[4 * PPM, PPM], [4 * PPM, 3 * PPM]]
    assert c.capacity.tolist() == [[16 * PPM, 8 * PPM], [8 * PPM, 0]]


def test_degradation_is_rounded_to_the_nearest_ppm_half_to_even(pair: Instance) -> None:
    for value, ppm in ((0.1, 100_000), (2.5e-6, 2), (3.5e-6, 4), (1.4e-6, 1), (1e9, 10**15)):
        assert with_degradation(pair, "gpu", "a", "b", value).compiled.degradation[0, 0, 1] == ppm


def test_cost_is_weight_times_degradation(pair: Instance) -> None:
    """Each model's row is multiplied by its weight and the objective's."""
    c = with_model(pair, "b", weight=2.5).replace(objective=Objective(degradation=3.0, price=0.25)).compiled
    assert c.degradation[0].tolist() == [[100_000, 250_000], [300_000, 400_000]]
    assert c.cost[0].tolist() == [[300_000, 750_000], [2_250_000, 3_000_000]]
    assert c.price.tolist() == [750_000]
    assert not c.worst


@pytest.mark.parametrize(("objective", "price"), [("price", 3 * PPM), ("worst", 0), ("degradation", 0)])
def test_cost_of_each_objective(pair: Instance, objective: Any, price: int) -> None:
    c = pair.replace(objective=objective).compiled
    assert c.price.tolist() == [price]
    assert c.cost.any() == (objective == "degradation")
    assert c.worst == (objective == "worst")


def test_cost_is_rounded_once(pair: Instance) -> None:
    """0.3 x 1.4e-6 is 0.42 ppm, although 1.4e-6 alone rounds to 1 ppm; 3 x 1.4e-6 is 4.2 ppm."""
    tiny = with_degradation(pair, "gpu", "a", "b", 1.4e-6)
    assert with_model(tiny, "a", weight=0.3).compiled.cost[0, 0, 1] == 0
    assert with_model(tiny, "a", weight=3.0).compiled.cost[0, 0, 1] == 4


def test_background_takes_its_share(pair: Instance) -> None:
    load = Background(demand={"memory": 0.5000001}, slots=1, degradation={"b": 0.05})
    c = with_model(with_type(pair, "gpu", background=load), "b", weight=3.0).compiled
    assert c.slots.tolist() == [1]
    assert c.capacity.tolist() == [[15_499_999]]
    assert c.background.tolist() == [[0, 50_000]]
    assert c.background_cost.tolist() == [[0, 150_000]]


def test_background_cost_is_rounded_from_whole_ppm(pair: Instance) -> None:
    """3 ppm at weight 0.5 is 1.5, halfway, hence 2; 3.4e-6 is 3 ppm before it is weighed."""
    for added in (3e-6, 3.4e-6):
        loaded = with_type(
            with_model(pair, "b", weight=0.5), "gpu", background=Background(degradation={"b": added})
        )
        assert loaded.compiled.background_cost.tolist() == [[0, 2]]


def test_what_is_here_has_no_price_and_pinned_replicas_are(two_types: Instance) -> None:
    pin = Pinned(
        name="p",
        machine_type="gpu",
        models={"b": 1},
        here={"a": 2},
        arrival_price={"a": 1.5, "b": 0.2},
    )
    c = two_types.replace(pinned=(pin,)).compiled
    assert c.here.tolist() == [[0, 0], [2, 1], [0, 0]]
    assert c.arrival_price.tolist() == [[0, 0], [1_500_000, 200_000], [0, 0]]


def test_background_takes_no_more_than_there_is(pair: Instance) -> None:
    c = with_type(pair, "gpu", background=Background(demand={"memory": 17.0}, slots=5)).compiled
    assert c.capacity.tolist() == [[0]]
    assert c.slots.tolist() == [0]
    assert not c.allowed.any()


def test_pools_are_the_free_machines_and_each_pinned_entry(two_types: Instance) -> None:
    load = Background(slots=1)
    pins = (
        Pinned(name="old", machine_type="cpu", models={"a": 1}),
        Pinned(name="busy", machine_type="gpu", machines=2, background=load),
        Pinned(name="new", machine_type="gpu", machines=1, models={"a": 1, "b": 2}),
    )
    c = with_type(two_types, "gpu", count=5).replace(pinned=pins).compiled
    assert c.pool_names == (("gpu", None), ("gpu", "busy"), ("gpu", "new"), ("cpu", None), ("cpu", "old"))
    assert c.machines.tolist() == [2, 2, 1, 0, 1]
    assert c.type_of.tolist() == [0, 0, 0, 1, 1]
    assert c.slots.tolist() == [2, 1, 2, 2, 2]
    assert c.pinned.tolist() == [[0, 0], [0, 0], [1, 2], [0, 0], [1, 0]]


def test_pools_inherit_background_unless_they_have_their_own(pair: Instance) -> None:
    pins = (
        Pinned(name="same", machine_type="gpu"),
        Pinned(name="none", machine_type="gpu", background=Background()),
    )
    c = with_type(pair, "gpu", background=Background(slots=1)).replace(pinned=pins).compiled
    assert c.slots.tolist() == [1, 1, 2]


def test_rules_become_arrays(pair: Instance) -> None:
    rules = Rules(keep_apart=(("a", "b"),), max_per_machine={"a": 1}, min_machines={"b": 2})
    c = pair.replace(rules=rules).compiled
    assert c.apart.tolist() == [[False, True], [True, False]]
    assert c.max_per_machine.tolist() == [1, UNLIMITED]
    assert c.min_machines.tolist() == [0, 2]


def test_soft_slos_are_priced(pair: Instance) -> None:
    c = with_model(pair, "b", slo_ms=10.0, miss_price=0.1).compiled
    assert c.soft.tolist() == [False, True]
    assert c.miss_price.tolist() == [0, 100_000]


def test_arrays_are_read_only_after_pickling_too(pair: Instance) -> None:
    both = pair.compiled.both
    again = pickle.loads(pickle.dumps(pair)).compiled
    assert "both" not in vars(again)  # half as much again to send
    assert again.both.tolist() == both.tolist() == [[[200_000, 550_000], [550_000, 800_000]]]
    assert not [n for n, v in vars(again).items() if isinstance(v, np.ndarray) and v.flags.writeable]


def test_arrays_are_read_only(pair: Instance) -> None:
    arrays = {name: v for name, v in vars(pair.compiled).items() if isinstance(v, np.ndarray)}
    assert len(arrays) == 23
    assert not any(array.flags.writeable for array in arrays.values())


def _much(instance: Instance, replicas: int, degradation: float) -> Instance:
    """Return the instance with many replicas of a, and as many slots."""
    crowd = with_type(with_model(instance, "a", replicas=replicas, demand={}), "gpu", slots=None)
    return with_degradation(crowd, "gpu", "a", "a", degradation)


_ON_B = Background(degradation={"b": 3.0})
_HUGE: list[tuple[str, Callable[[Instance], Instance]]] = [
    ("objective", lambda i: _much(i, 10**6, 2.4)),
    ("objective", lambda i: with_model(i, "a", replicas=10, slo_ms=20.0, miss_price=1e12)),
    ("objective", lambda i: with_type(i, "gpu", price=1e12, count=3).replace(objective="price")),
    ("degradation", lambda i: _much(i.replace(objective="worst"), 10**9, 3e3)),
    ("models.weight times degradation", lambda i: _much(with_model(i, "a", weight=1e12), 1, 3.0)),
    (
        "objective.price times machine_types.price",
        lambda i: with_type(i, "gpu", price=1e12).replace(objective=Objective(price=1e12)),
    ),
    (
        "models.weight times background",
        lambda i: with_type(with_model(i, "b", weight=1e12), "gpu", background=_ON_B),
    ),
    ("models.demand", lambda i: with_model(i, "b", replicas=3, demand={"memory": 1e12})),
    ("machine_types.resources", lambda i: with_type(i, "gpu", count=3, resources={"memory": 1e12})),
]


@pytest.mark.parametrize(("field", "change"), _HUGE)
def test_what_could_overflow_is_refused(pair: Instance, field: str, change: Any) -> None:
    with pytest.raises(InputError, match=r"64-bit integers; .* found 'a sum up to") as caught:
        change(pair)
    assert caught.value.field == field


def test_what_fits_in_64_bits_is_accepted(pair: Instance) -> None:
    """A million replicas of a at a degradation of 1 on machines with a million slots: 10^18 ppm."""
    assert _much(pair, 10**6, 1.0).compiled.cost[0, 0, 0] == PPM
    assert _much(pair.replace(objective="worst"), 10**9, 2e3).replicas == 10**9 + 2


def test_most_per_machine_by_hand(pair: Instance) -> None:
    """Of a, the SLO stands 0.3 of degradation, hence three others at 0.1; of b, memory holds four."""
    crowd = with_model(with_model(pair, "a", replicas=9, slo_ms=13.0, demand={}), "b", replicas=9)
    many = with_type(crowd, "gpu", slots=None)
    assert many.compiled.most_per_machine().tolist() == [[4, 4]]
    assert with_type(crowd, "gpu", slots=3).compiled.most_per_machine().tolist() == [[3, 3]]
    loaded = with_type(many, "gpu", background=Background(degradation={"a": 0.200001}))
    assert loaded.compiled.most_per_machine().tolist() == [[1, 4]]
    limited = many.replace(rules=Rules(max_per_machine={"a": 2}, forbid={"b": ("gpu",)}))
    assert limited.compiled.most_per_machine().tolist() == [[2, 0]]


def test_no_feasible_pattern_exceeds_most_per_machine() -> None:
    checked = 0
    for seed in range(100):
        instance = random_instance(seed)
        most = instance.compiled.most_per_machine()
        brute = Oracle(instance)
        for p, place in enumerate(brute.places):
            for pattern in itertools.product(*(range(m.replicas + 1) for m in instance.models)):
                if any(place.pins) or any(brute.broken_on_machine(p, pattern)):
                    continue
                checked += 1
                assert (np.array(pattern) <= most[p]).all(), (seed, p, pattern)
    assert checked > 2_000


def test_allowed_is_whether_a_replica_alone_keeps_every_rule() -> None:
    for seed in range(200):
        instance = random_instance(seed)
        brute = Oracle(instance)
        for p, place in enumerate(brute.places):
            for t in range(len(instance.models)):
                alone = tuple(int(u == t) for u in range(len(instance.models)))
                broken = {*brute.broken_on_machine(p, alone)} - {"pinned"}
                assert instance.compiled.allowed[p, t] == (not broken), (seed, place, t, broken)


def test_machine_types_without_machines_are_harmless(pair: Instance) -> None:
    empty = MachineType(name="none", count=0)
    c = pair.replace(
        machine_types=(*pair.machine_types, empty), degradation=np.concatenate([pair.degradation] * 2)
    ).compiled
    assert c.machines.tolist() == [2, 0]
