"""What points prove of each other is true, whatever the solver left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from planner.errors import InputError
from planner.instance import Instance, Objective
from planner.plan import Plan
from planner.result import Result, Status
from planner.whatif import sweeps
from planner.whatif.inference import concave_bound
from planner.whatif.sweeps import Sweep
from planner.whatif.thinning import thinned
from tests import oracle, tiny
from tests.planner.whatif.stubs import Early, Exact, small_instances

_EACH = 10  # instances for each kind of sweep


def _machines(instance: Instance) -> Sweep:
    kind = instance.machine_types[0]
    pinned = sum(p.machines for p in instance.pinned if p.machine_type == kind.name)
    return sweeps.machines(instance, kind.name, [Fraction(n) for n in range(pinned, pinned + 4)])


def _slo(instance: Instance) -> Sweep:
    return sweeps.slo(instance, [Fraction(n, 4) for n in (2, 3, 4, 5, 7)])


def _growth(instance: Instance) -> Sweep:
    return sweeps.growth(instance, [Fraction(n, 8) for n in (3, 5, 8, 9, 11)])


def _growth_of(instance: Instance) -> Sweep:
    return sweeps.growth_of(instance, instance.models[-1].name, [Fraction(n) for n in (1, 2, 3, 4)])


def _price(instance: Instance) -> Sweep:
    if instance.objective != "worst":
        instance = instance.replace(objective=Objective(degradation=1.0, price=0.37))
    name = instance.machine_types[0].name
    return sweeps.price(instance, name, [Fraction(n, 7) for n in (0, 1, 2, 5, 9, 14)])


KINDS = (_machines, _slo, _growth, _growth_of, _price)


def _asked(kind: Callable[[Instance], Sweep]) -> Iterator[tuple[Instance, Sweep]]:
    """Yield small random instances of which the question can be asked."""
    found = 0
    for instance in small_instances(400, most=5):
        try:
            sweep = kind(instance)
        except InputError:  # no SLO, more pins than replicas, a pair whose degradation is not known
            continue
        yield instance, sweep
        found += 1
        if found == _EACH:
            return
    pytest.fail("too few instances")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_claimed_is_beyond_brute_force(kind: Callable[[Instance], Sweep]) -> None:
    inferred = 0
    for seed, (_, sweep) in enumerate(_asked(kind)):
        early = Early(rng=random.Random(seed))
        early.work().settle(sweep.points, sweep.inference)
        for point in sweep.points:
            truth = oracle.solve(point.instance)
            inferred += bool(point.inferred())
            if point.infeasible:
                assert not truth.feasible
            if point.bound is not None and truth.objective is not None:
                assert point.bound <= truth.objective
            if point.plan is not None:
                verdict = oracle.judge(point.instance, point.plan)
                assert verdict.valid
                assert verdict.objective == point.objective
                assert truth.objective is not None
                assert point.objective >= truth.objective
    assert inferred > _EACH // 2  # else this test tests nothing


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_is_solved_as_if_alone(kind: Callable[[Instance], Sweep]) -> None:
    solves = points = 0
    for _, sweep in _asked(kind):
        exact = Exact()
        exact.work().settle(sweep.points, sweep.inference)
        solves, points = solves + len(exact.asked), points + len(sweep.points)
        for point in sweep.points:
            truth = oracle.solve(point.instance)
            assert point.objective == truth.objective
            assert point.status is (Status.OPTIMAL if truth.feasible else Status.INFEASIBLE)
    assert solves < 0.8 * points


def test_a_falling_factor_makes_more_replicas_cheaper_and_proves_nothing() -> None:
    """Two a on one machine: 2 x 0.5. A third makes the factor 0: 0 in all."""
    base = tiny.pair().replace(
        machine_types=(tiny.pair().machine_types[0].model_copy(update={"count": 1, "slots": 3}),),
        models=(tiny.pair().models[0],),
        degradation=np.full((1, 1, 1), 0.5),
    )
    kind = base.machine_types[0].model_copy(update={"colocation_factor": {2: 1.0, 3: 0.0}})
    sweep = sweeps.growth_of(base.replace(machine_types=(kind,)), "a", [Fraction(2), Fraction(3)])
    Exact().work().settle(sweep.points, sweep.inference)
    assert [p.objective for p in sweep.points] == [1_000_000, 0]
    assert sweep.notes


def test_too_few_replicas_for_their_machines_say_nothing_of_more() -> None:
    """One replica cannot spread over two machines, two can."""
    base = tiny.pair()
    base = base.replace(rules=base.rules.model_copy(update={"min_machines": {"a": 2}}))
    sweep = sweeps.growth_of(base, "a", [Fraction(1), Fraction(2)])
    Exact().work().settle(sweep.points, sweep.inference)
    assert [p.status for p in sweep.points] == [Status.INFEASIBLE, Status.OPTIMAL]


def test_what_is_taken_away_hurts_most_and_leaves_models_spread() -> None:
    base = tiny.pair()
    plan = tiny.plan(base, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
    fewer = tiny.with_model(base, "b", replicas=1)
    assert thinned(plan, fewer.compiled) == tiny.plan(base, "gpu: 1 a + 1 b", "gpu: 1 a")
    spread = base.replace(rules=base.rules.model_copy(update={"min_machines": {"b": 2}}))
    assert thinned(plan, tiny.with_model(spread, "b", replicas=1).compiled) is None
    assert thinned(plan, tiny.with_model(base, "b", replicas=3).compiled) is None
    crowded = tiny.plan(base, "gpu: 2 b", "gpu: 2 a")
    assert thinned(crowded, fewer.compiled) == tiny.plan(base, "gpu: 1 b", "gpu: 2 a")


@pytest.mark.parametrize(
    ("at", "bound"),
    [
        (2, 12),  # the chord from (0, 0) to (5, 30)
        (5, 30),
        (6, 31),  # the chord to (8, 32), rounded up from 30.67
        (9, 32),  # never falls
    ],
)
def test_a_concave_bound_by_hand(at: int, bound: int) -> None:
    assert concave_bound({5: 30, 7: 29, 8: 32}, at, 100) == bound


def test_a_concave_bound_is_no_steeper_than_the_machines() -> None:
    assert concave_bound({10: 100}, 9, 3) == 97
    assert concave_bound({}, 9, 3) is None


def test_concave_bounds_stay_below_random_concave_functions() -> None:
    rng = random.Random(0)
    for _ in range(300):
        lines = [(rng.randint(0, 50), rng.randint(0, 9)) for _ in range(4)]

        def lowest(x: int, lines: list[tuple[int, int]] = lines) -> int:
            return min(a + u * x for a, u in lines)

        at = sorted(rng.sample(range(30), 4))
        bounds = {x: max(0, lowest(x) - rng.choice((0, 0, 3, 20))) for x in at}
        for x in range(30):
            bound = concave_bound(bounds, x, 9)
            assert bound is not None
            assert bounds.get(x, 0) <= bound <= lowest(x)


def test_interrupted_work_keeps_what_is_done() -> None:
    class Interrupted(Exact):
        def told(self, instance: Instance, answer: oracle.Answer, start: Plan | None) -> Result:
            if len(self.asked) > 1:
                raise KeyboardInterrupt
            return super().told(instance, answer, start)

    sweep = sweeps.machines(tiny.pair(), "gpu", [Fraction(2), Fraction(3), Fraction(4)])
    work = Interrupted().work()
    work.settle(sweep.points, sweep.inference)
    assert work.interrupted
    assert [p.status for p in sweep.ascending] == [Status.NO_PLAN, Status.NO_PLAN, Status.OPTIMAL]
    assert sweep.ascending[0].bound == sweep.ascending[2].objective == 0
