"""Plans are canonical: groups sorted and distinct, patterns with ascending models."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Ints, Plan
from tests.random_instances import random_instance, random_plan


def _array(*numbers: int) -> Ints:
    return np.array(numbers, dtype=np.int64)


def test_equal_patterns_are_merged_whatever_their_order() -> None:
    one = Plan.from_patterns([(0, 1, {1: 2, 0: 1}), (1, 1, {0: 3}), (0, 2, {0: 1, 1: 2})])
    other = Plan.from_patterns([(1, 1, {0: 3}), (0, 3, {0: 1, 1: 2, 2: 0})])
    assert one == other
    assert len(one) == 2
    assert [*one.patterns()] == [(0, 3, {0: 1, 1: 2}), (1, 1, {0: 3})]


def test_empty_machines_do_not_appear() -> None:
    plan = Plan.from_patterns([(0, 4, {}), (0, 0, {0: 1}), (1, 2, {0: 0})])
    assert len(plan) == 0
    assert plan == Plan.from_patterns([])
    assert plan.placed(2).tolist() == [0, 0]


@pytest.mark.parametrize(
    "other", [(0, 1, {0: 2}), (0, 2, {0: 1}), (1, 1, {0: 1}), (0, 1, {1: 1}), (0, 1, {0: 1, 1: 1})]
)
def test_different_plans_are_not_equal(other: tuple[int, int, dict[int, int]]) -> None:
    assert Plan.from_patterns([(0, 1, {0: 1})]) != Plan.from_patterns([other])


def test_single_replicas_make_the_same_plan_as_patterns() -> None:
    """Machines 0 and 2 of pool 0 hold {a, b, b} each, machine 3 of pool 1 holds {b}; 1 is empty."""
    plan = Plan.from_assignment(
        pool_of=_array(0, 0, 0, 1), machine=_array(2, 0, 3, 0, 2, 0, 2), model=_array(1, 1, 1, 0, 1, 1, 0)
    )
    assert plan == Plan.from_patterns([(0, 2, {0: 1, 1: 2}), (1, 1, {1: 1})])
    assert plan.placed(3).tolist() == [2, 5, 0]


def test_expand_numbers_machines_pool_by_pool() -> None:
    plan = Plan.from_patterns([(0, 2, {0: 1, 1: 2}), (2, 1, {1: 1})])
    machine, model = plan.expand(_array(3, 2, 1))
    assert [*zip(machine.tolist(), model.tolist(), strict=True)] == [
        *((0, 0), (0, 1), (0, 1)),
        *((1, 0), (1, 1), (1, 1)),
        (5, 1),
    ]


def test_expanding_and_building_again_changes_nothing() -> None:
    for seed in range(300):
        instance = random_instance(seed)
        plan, machines = random_plan(instance, seed), instance.compiled.machines
        used = np.bincount(plan.pool, weights=plan.machines, minlength=machines.size)
        if (used > machines).any():
            continue
        pool_of = np.repeat(np.arange(machines.size), machines)
        assert Plan.from_assignment(pool_of, *plan.expand(machines)) == plan


@pytest.mark.parametrize(
    ("field", "arrays"),
    [
        ("plan.machines", {"machines": _array(-1, 1)}),
        ("plan.machines", {"machines": _array(1, 0)}),
        ("plan.count", {"count": _array(1, 0, 1)}),
        ("plan.count", {"count": _array(1, -2, 1)}),
        ("plan.model", {"model": _array(0, 0, 1)}),
        ("plan.model", {"model": _array(1, 0, 1)}),
        ("plan.pool", {"pool": _array(1, 0)}),
        ("plan.start", {"start": _array(0, 3, 3)}),
        ("plan.start", {"start": _array(1, 2, 3)}),
        ("plan.start", {"start": _array(0, 2, 4)}),
        ("plan", {"start": _array(0, 3)}),
        ("plan", {"machines": _array(1)}),
        ("plan", {"count": _array(1, 1)}),
    ],
)
def test_arrays_that_are_no_plan_are_refused(field: str, arrays: dict[str, Ints]) -> None:
    good = {
        "pool": _array(0, 0),
        "machines": _array(1, 1),
        "start": _array(0, 2, 3),
        "model": _array(0, 1, 1),
        "count": _array(1, 1, 2),
    }
    assert len(Plan(**good)) == 2
    with pytest.raises(InputError) as caught:
        Plan(**{**good, **arrays})
    assert caught.value.field == field


def test_patterns_cannot_hold_less_than_nothing(pair: Instance) -> None:
    """-1 machines of one group would make up for one machine too many of another."""
    with pytest.raises(InputError, match="positive"):
        Plan.from_patterns([(0, 3, {0: 1}), (0, -1, {0: 1, 1: 1})])
    with pytest.raises(InputError, match="positive"):
        Plan.from_patterns([(0, 1, {0: 3, 1: -1})])
