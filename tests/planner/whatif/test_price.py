"""The cheapest mix and the front of degradation and price equal brute force over all mixes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

import solvers
from planner.errors import InputError
from planner.evaluate import evaluate
from planner.files import load_instance
from planner.instance import Instance
from planner.result import Status
from planner.whatif import mixes
from planner.whatif.cheapest import cheapest
from planner.whatif.front import Front
from planner.whatif.pareto import pareto
from planner.whatif.prices import Units
from planner.whatif.work import Work
from tests import oracle, tiny
from tests.planner.whatif.stubs import Early, Exact, roomy_instance, small_instances

ROOT = Path(__file__).parents[3]
_MOST = 10


def _mixes(instance: Instance) -> Iterator[tuple[int, Instance]]:
    """Yield the price in ppm of every vector of counts within the inventory, and the instance with it."""
    ranges = []
    for m in instance.machine_types:
        pinned = sum(p.machines for p in instance.pinned if p.machine_type == m.name)
        ranges.append(range(pinned, m.count + 1))
    for counts in itertools.product(*ranges):
        types = zip(instance.machine_types, counts, strict=True)
        limited = tuple(m.model_copy(update={"count": n}) for m, n in types)
        price = sum(round(m.price * 1e6) * m.count for m in limited)
        yield price, instance.replace(machine_types=limited, objective="degradation")


def _front(instance: Instance) -> list[tuple[int, int]]:
    """Return price and degradation, in ppm, of every plan of the front, cheapest first."""
    found: list[tuple[int, int]] = []
    for price, limited in sorted(_mixes(instance), key=lambda one: one[0]):
        least = oracle.solve(limited).objective
        if least is not None:
            found.append((price, least))
    return sorted(
        (p, d) for p, d in set(found) if not any((q <= p and e <= d) and (q, e) != (p, d) for q, e in found)
    )


def _instances(number: int, first: int = 0) -> Iterator[tuple[Instance, Units]]:
    """Yield small random instances of which some machine has a price, with every feature or with choice."""
    rich = (roomy_instance(first + seed) for seed in range(number // 2))
    for instance in itertools.chain(rich, small_instances(200, most=5, first=first)):
        try:
            yield instance, Units.of(instance)
        except InputError:
            continue
        number -= 1
        if not number:
            return


def _shown(front: Front) -> list[tuple[int, int]]:
    return [(c.price * front.units.unit, c.degradation) for c in front.choices]


def test_the_cheapest_mix_equals_brute_force() -> None:
    found = 0
    for instance, units in _instances(20):
        answer = cheapest(units, Exact().work(), 1e6)
        truth = _front(instance)
        assert (answer.plan is None) == (not truth)
        if answer.plan is not None:
            assert (answer.price.objective, answer.degradation) == truth[0]
            assert (answer.price.bound, answer.degradation_bound) == truth[0]
            assert evaluate(instance, answer.plan).price == truth[0][0]
            found += 1
    assert found > 8


def test_a_cheapest_mix_that_is_not_proven_claims_no_more_than_is_true() -> None:
    for seed, (instance, units) in enumerate(_instances(20)):
        answer = cheapest(units, Early(rng=random.Random(seed)).work(), 1e6)
        truth = _front(instance)
        if answer.price.bound is not None and truth:
            assert answer.price.bound <= truth[0][0]
        if answer.plan is not None:
            price = evaluate(instance, answer.plan).price
            same = [d for p, d in truth if p <= price]
            assert price == answer.price.objective
            assert price >= truth[0][0]
            assert (answer.degradation_bound or 0) <= (answer.degradation or 0)
            if price == truth[0][0]:
                assert (answer.degradation_bound or 0) <= same[-1]


def test_the_cheapest_mix_of_the_quickstart_equals_every_mix_decided_by_an_exact_solver() -> None:
    instance = load_instance(ROOT / "instances" / "quickstart.yaml")
    answer = cheapest(Units.of(instance), Work(solvers.solve, 20.0, solver="milp"), 10.0)
    assert answer.price.status is Status.OPTIMAL
    decided = {price: set[Status]() for price, _ in _mixes(instance)}
    for price, limited in _mixes(instance):
        if price <= (answer.price.objective or 0):
            status = solvers.solve(limited.replace(objective="price"), "cpsat", time_limit=3.0).status
            decided[price].add(status)
    cheaper = {
        price: statuses for price, statuses in decided.items() if price < (answer.price.objective or 0)
    }
    assert all(statuses == {Status.INFEASIBLE} for statuses in cheaper.values())
    assert Status.OPTIMAL in decided[answer.price.objective or 0]


def test_a_front_over_all_mixes_is_the_whole_front() -> None:
    found = 0
    for instance, units in _instances(20):
        _, front = pareto(units, Exact().work(), _MOST)
        truth = _front(instance)
        assert _shown(front) == truth
        assert front.complete == bool(truth)
        found += len(truth) > 1
    assert found > 3


def test_a_front_by_weights_is_proven_point_by_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "MOST", 0)
    for instance, units in _instances(20, first=300):
        _, front = pareto(units, Exact().work(), _MOST)
        truth = _front(instance)
        proven = {shown for shown, c in zip(_shown(front), front.choices, strict=True) if front.proven(c)}
        assert proven <= {*truth}
        assert _shown(front)[:1] == truth[:1]
        assert min((d for _, d in _shown(front)), default=None) == min((d for _, d in truth), default=None)
        if front.complete:
            assert _shown(front) == truth


def test_a_front_that_is_not_proven_claims_no_more_than_is_true() -> None:
    for seed, (instance, units) in enumerate(_instances(20, first=100)):
        _, front = pareto(units, Early(rng=random.Random(seed)).work(), _MOST)
        truth = _front(instance)
        for shown, choice in zip(_shown(front), front.choices, strict=True):
            assert oracle.judge(instance, choice.plan).valid
            assert shown in truth or not front.proven(choice)
        for price in range(front.dearest + 1):
            least = min((d for p, d in truth if p <= price * units.unit), default=inf)
            assert front.least(price) <= least


def test_a_front_by_hand() -> None:
    """Two machines of price 3: 1.0 of degradation, 0.2 + 0.8. One cannot hold four replicas."""
    _, front = pareto(Units.of(tiny.pair()), Exact().work(), _MOST)
    assert _shown(front) == [(6_000_000, 1_000_000)]
    roomy = tiny.with_type(tiny.pair(), "gpu", slots=4)
    _, front = pareto(Units.of(roomy), Exact().work(), _MOST)
    assert _shown(front) == [(3_000_000, 4_200_000 - 1_000_000), (6_000_000, 1_000_000)]


def test_a_plan_is_on_the_front_only_if_each_cheaper_one_is_worse() -> None:
    """Price 6, degradation 1.0. That none is below 1.0 leaves room for one that is cheaper and as good."""
    front = Front(Units.of(tiny.pair()))
    front.add(tiny.plan(tiny.pair(), "gpu: 2 a", "gpu: 2 b"))
    (choice,) = front.choices
    assert (choice.price, choice.degradation) == (2, 1_000_000)
    for lines, proven in (
        ([], False),
        ([(0, 1_000_000)], False),
        ([(1, 1_000_002)], True),  # at price 1 at least 1.000001
        ([(1, 1_000_001)], False),  # at price 2 it may be 0.999999
    ):
        front.lines = lines
        assert front.proven(choice) is proven
    front.lines, front.cheapest = [(0, 1_000_000)], 2
    assert front.proven(choice)
    assert front.complete


def test_free_machines_have_no_cheapest_mix() -> None:
    with pytest.raises(InputError, match="must be above 0") as caught:
        Units.of(tiny.with_type(tiny.pair(), "gpu", price=0.0))
    assert caught.value.field == "machine_types.price"


def test_prices_too_large_to_weigh_are_refused_and_said() -> None:
    dear = tiny.with_type(tiny.pair(), "gpu", price=1e11)
    with pytest.raises(InputError, match="large"):
        Units.of(
            tiny.two_types().replace(
                machine_types=(
                    tiny.two_types().machine_types[0].model_copy(update={"price": 1e10}),
                    tiny.two_types().machine_types[1].model_copy(update={"price": 1e-6}),
                )
            )
        ).weighted(10**9)
    assert Units.of(dear).each == (1,)
