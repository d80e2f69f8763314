"""Pair flow never claims more than brute force finds, and no multipliers make a bound that is too high."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.generate import generate
from planner.instance import Instance, Pinned, Rules
from solvers.bound import left_over, objective_bound, rising
from solvers.lagrange import FREE, Program, lagrangian, lagrangian_bound
from solvers.loads import cheapest, nearest
from solvers.pairflow import Flow
from solvers.run import Run
from tests.random_instances import solved
from tests.solvers import bites
from tests.tiny import pair, two_types, with_type

SEEDS = range(100)


def bound(instance: Instance, enumerate_up_to: int) -> int:
    """Return the best bound of pair flow."""
    flow = Flow(instance, enumerate_up_to=enumerate_up_to)
    return max(rising(flow, Run(time_limit=60.0), 60.0), default=0)


@pytest.mark.parametrize("unit", [1, 2**57], ids=["small", "huge"])
def test_the_nearest_models_come_in_order(unit: int) -> None:
    """Also where costs are so large that they cannot be sorted together with their positions."""
    cost = unit * np.random.default_rng(0).integers(0, 9, (300, 300))
    whole = np.argsort(cost + cost.T, axis=1, kind="stable")
    for number in (0, 1, 40, 300, 400):
        assert (nearest(cost, number) == whole[:, :number]).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_cheapest_neighbours_are_counted_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost, most = rng.integers(0, 9, (7, 7)), rng.integers(0, 4, 7)
    models = np.flatnonzero(most)
    for number in range(int(most.sum()) + 2):
        found = cheapest(cost, nearest(cost, number + int((most == 0).sum())), models, most, number)
        for half, t in zip(found.tolist(), models.tolist(), strict=True):
            pairs = sorted(c for u in range(7) for c in [int(cost[t, u] + cost[u, t])] * int(most[u]))
            assert half == sum(pairs[:number]) // 2


@pytest.mark.parametrize("enumerate_up_to", [0, 6, 10_000], ids=["pairs", "both", "patterns"])
def test_a_bound_is_never_above_the_optimum(enumerate_up_to: int) -> None:
    """And mostly near it; more patterns in place of pairs make it no worse on the whole."""
    close = compared = 0
    for instance, answer in map(solved, SEEDS):
        if answer.objective is not None and not instance.compiled.worst:
            found = bound(instance, enumerate_up_to)
            assert found <= answer.objective, instance.name
            close += found >= 0.8 * answer.objective
            compared += 1
    assert compared > 30
    assert close > compared / 2


def test_what_is_left_over_proves_that_there_is_no_plan() -> None:
    proven = infeasible = 0
    for instance, answer in map(solved, SEEDS):
        left = left_over(instance, Run(time_limit=60.0), share=1.0)
        assert not (left and answer.feasible), instance.name
        proven += bool(left)
        infeasible += not answer.feasible
    assert proven > infeasible / 2


def test_the_bound_of_worst_is_never_above_the_optimum() -> None:
    found = []
    for instance, answer in map(solved, range(160)):
        if instance.compiled.worst and answer.objective is not None:
            found.append((objective_bound(instance, Run(time_limit=60.0), share=1.0), answer.objective))
    assert len(found) > 10
    assert all(low <= optimum for low, optimum in found)
    assert sum(low == optimum for low, optimum in found) > len(found) / 2


@pytest.mark.parametrize(
    ("family", "instance"),
    [
        ("add_loads", pair()),
        ("add_resources", generate(models=5, replicas=20, tightness=0.95, slo_fraction=0.0, seed=1)),
        ("add_slos", generate(models=5, replicas=20, slo_fraction=1.0, seed=3)),
        ("add_slos", bites.miss()),
        (
            "add_pins",
            two_types().replace(pinned=(Pinned(name="old", machine_type="cpu", models={"b": 1}),)),
        ),
        ("add_spread", solved(149)[0]),
        ("add_machines", pair()),
        ("add_placement", pair()),
        (
            "add_min_machines",
            with_type(pair(), "gpu", slots=4).replace(objective="price", rules=Rules(min_machines={"b": 2})),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_family_raises_the_bound(
    monkeypatch: pytest.MonkeyPatch, family: str, instance: Instance
) -> None:
    full = bound(instance, 0)
    monkeypatch.setattr(Flow, family, lambda *_: None)
    assert bound(instance, 0) < full


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Draw a program of up to four columns and four rows."""
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    small = st.integers(-5, 5)
    program = Program()
    program.add_columns(
        np.array(draw(st.lists(st.integers(-20, 20), min_size=columns, max_size=columns))),
        np.array(draw(st.lists(st.integers(0, 3), min_size=columns, max_size=columns))),
    )
    for _ in range(rows):
        value = np.array(draw(st.lists(small, min_size=columns, max_size=columns)))
        low, high = sorted((draw(st.integers(-10, 10)), draw(st.integers(-10, 10))))
        low, high = draw(st.sampled_from([(low, high), (-FREE, high), (low, FREE), (low, low)]))
        zeros = np.zeros(columns, dtype=np.int64)
        program.add_rows(zeros, np.arange(columns), value, np.array([low]), np.array([high]))
    return program


def solutions(program: Program) -> list[tuple[tuple[int, ...], int]]:
    """Return all solutions and what they cost, by going through the box."""
    (cost,), (top,) = program.cost, program.top
    found = []
    for x in itertools.product(*(range(n + 1) for n in top.tolist())):
        at = np.array(x)
        for (_, column, value), low, high in zip(program.entries, program.lower, program.upper, strict=True):
            if not low[0] <= value @ at[column] <= high[0]:
                break
        else:
            found.append((x, int(cost @ at)))
    return found


multipliers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-20, 20) | st.integers(-5, 5)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(program=programs(), numbers=st.lists(multipliers, min_size=4, max_size=4))
def test_no_multipliers_make_a_bound_that_is_too_high(program: Program, numbers: list[float]) -> None:
    """Nor a solution that costs less than the bound and what one of its columns adds."""
    y = np.array(numbers[: program.rows], dtype=float)
    least, adds = lagrangian(program, y)
    assert least == lagrangian_bound(program, y)
    for x, cost in solutions(program):
        assert cost >= least
        for j, n in enumerate(x):
            assert n == 0 or cost >= least + adds[j]


def test_the_right_multipliers_make_the_bound_exact() -> None:
    """minimise 3 x + 5 y, x + y = 4, x <= 3: 3 x 3 + 5 = 14; a unit of y costs 5, so 5 is the multiplier.

    With it x has reduced cost -2 and bound 5 x 4 - 2 x 3 = 14. With 3, y has 2, and what it adds is 1, 2 less
    one for rounding: 3 x 4 + 1.
    """
    program = Program()
    program.add_columns(np.array([3, 5]), np.array([3, 9]))
    zeros = np.zeros(2, dtype=np.int64)
    program.add_rows(zeros, np.arange(2), np.ones(2, dtype=np.int64), np.array([4]), np.array([4]))
    assert lagrangian_bound(program, np.array([5.0])) == 14
    least, adds = lagrangian(program, np.array([3.0]))
    assert (least, adds.tolist()) == (12, [0, 1])
