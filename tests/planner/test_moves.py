"""Which machine becomes which so that most replicas stay; what is still there; and the order of moves."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from planner import moves
from planner.current import Current, current, joined, priced, split
from planner.evaluate import evaluate, objective_of
from planner.instance import InferenceModel, Instance, MachineType, Pinned
from planner.move_order import Kind, order
from planner.moves import moved, turns
from planner.plan import Plan
from tests import tiny
from tests.random_instances import random_instance, random_plan, with_arrival_prices
from tests.replanning import document


def _pairs() -> list[tuple[Current, Plan]]:
    """Return what runs today and another plan, for random instances of one or two machines a pool."""
    found = []
    for seed in range(60):
        instance = with_arrival_prices(random_instance(seed), 0)
        now = current(document(instance, random_plan(instance, seed)), instance)
        after = random_plan(instance, seed + 1)
        if not any(v.rule == "machines" for v in evaluate(instance, after).violations):
            found.append((now, after))
    return found


def _most_that_stay(now: Current, after: Plan) -> int:
    """Return the best over all ways to pair machines."""
    total = 0
    for p in range(now.instance.compiled.machines.size):
        old = [h.counts for h in now.holdings if h.pool == p for _ in range(h.machines)]
        new = [c for q, n, c in after.patterns() if q == p for _ in range(n)]
        new += [{}] * (len(old) - len(new))
        total += max(
            sum(sum((Counter(a) & Counter(b)).values()) for a, b in zip(old, way, strict=True))
            for way in itertools.permutations(new)
        )
    return total


@pytest.mark.parametrize("greedily", [False, True])
def test_as_many_replicas_stay_as_in_the_best_of_all_pairings(
    greedily: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if greedily:
        monkeypatch.setattr(moves, "_PAIRS", -1)
    best = 0
    for now, after in _pairs():
        became = turns(now, after)
        stay, most = sum(t.machines * t.stays for t in became), _most_that_stay(now, after)
        assert stay <= most
        best += stay == most
        assert moved(now, became) == int(now.kept.sum()) - stay
        assert Plan.from_patterns((t.pool, t.machines, t.after) for t in became) == after
    assert best == len(_pairs()) or (greedily and best > 0.9 * len(_pairs()))


def test_arrivals_have_their_price_in_a_priced_instance() -> None:
    """Its objective is that of the instance and the price of each replica that comes to a machine."""
    for now, after in _pairs():
        if now.instance.compiled.worst:
            continue
        became = turns(now, after)
        parts = split(now, became)
        arrivals = sum(t.machines * (sum(t.after.values()) - t.stays) for t in became)
        assert joined(now, parts) == after
        assert (
            objective_of(priced(now, 70_000), parts) == objective_of(now.instance, after) + 70_000 * arrivals
        )


def test_what_is_gone_is_said(two_types: Instance) -> None:
    before = document(two_types, tiny.plan(two_types, "gpu: 2 a", "cpu: 2 b"))
    without_b = two_types.replace(models=two_types.models[:1], degradation=two_types.degradation[:, :1, :1])
    now = current(before, without_b)
    assert now.notes == ("model b is gone: 2 replicas ran there or were of it",)
    assert now.kept.tolist() == [2]
    smaller = tiny.with_type(two_types, "cpu", count=0)
    now = current(before, smaller)
    assert now.notes == ("cpu: 1 machines are gone, taken to be those with the fewest replicas",)
    assert (now.kept.tolist(), now.placements) == ([2, 0], 2)
    more = tiny.with_model(two_types, "a", replicas=3)
    assert current(before, more).placements == 1
    assert current(before, more).plan() is None
    assert current(before, two_types).plan() == tiny.plan(two_types, "gpu: 2 a", "cpu: 2 b")


def test_pinned_replicas_are_where_the_instance_says() -> None:
    pinned = tiny.pair().replace(pinned=(Pinned(name="p", machine_type="gpu", models={"a": 1}),))
    now = current(document(pinned, tiny.plan(pinned, "p: 1 b", "gpu: 2 a + 1 b")), pinned)
    assert [h.counts for h in now.holdings if h.pool == 1] == [{0: 1, 1: 1}]


def ring(spare: int, slots: int = 1) -> tuple[Current, Plan]:
    """Return two machine types with one machine each whose models change places, and spare machines.

    Each has room for one replica, so a must leave x before b can come to x, and the other way round.
    """
    kinds = [MachineType(name=n, count=1, slots=slots) for n in "xy"]
    kinds += [MachineType(name="spare", count=spare, slots=1)]
    latency = dict.fromkeys(("x", "y", "spare"), 1.0)
    instance = Instance(
        name="ring",
        machine_types=tuple(kinds),
        models=tuple(InferenceModel(name=n, replicas=1, latency_ms=latency) for n in "ab"),
        degradation=np.zeros((3, 2, 2)),
    )
    now = current(document(instance, tiny.plan(instance, "x: 1 a", "y: 1 b")), instance)
    return now, tiny.plan(instance, "x: 1 b", "y: 1 a")


@pytest.mark.parametrize(
    ("spare", "slots", "kinds"),
    [
        (0, 2, [Kind.MOVE, Kind.MOVE]),
        (1, 1, [Kind.PARK, Kind.MOVE, Kind.MOVE]),
        (0, 1, [Kind.PAUSE, Kind.MOVE, Kind.PLACE]),
    ],
)
def test_a_ring_is_broken_by_parking_or_pausing(spare: int, slots: int, kinds: list[Kind]) -> None:
    now, after = ring(spare, slots)
    way = order(now, turns(now, after))
    assert way.complete
    assert [step.kind for step in way.steps] == kinds
    states = [*way.states()]
    assert states[-1] == after
    for state in states:
        broken = {v.rule for v in evaluate(now.instance, state).violations}
        assert broken <= ({"replicas"} if Kind.PAUSE in kinds else set())


def test_a_model_stays_spread_while_it_moves() -> None:
    """Two replicas must be on two machines; one moves to a third before the other follows."""
    instance = tiny.with_type(tiny.pair(), "gpu", count=4)
    rules = instance.rules.model_copy(update={"min_machines": {"a": 2}})
    instance = instance.replace(rules=rules)
    now = current(document(instance, tiny.plan(instance, "gpu: 1 a + 1 b", "gpu: 1 a + 1 b")), instance)
    after = tiny.plan(instance, "gpu: 1 a", "gpu: 1 a", "gpu: 2 b")
    way = order(now, turns(now, after))
    assert way.complete
    assert not [s for s in way.states() if evaluate(instance, s).violations]
    assert way.steps
