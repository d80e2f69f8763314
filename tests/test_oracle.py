"""The judges judged: brute force against listing every assignment, and what the random instances hold."""

from __future__ import annotations

import itertools
from collections import Counter

from planner.infeasible import obstacles
from planner.instance import Instance, Objective
from planner.plan import Plan
from tests import oracle
from tests.random_instances import MOST_REPLICAS, random_instance, solved
from tests.tiny import pair, two_types

SEEDS = range(500)


def _by_listing(instance: Instance) -> int | None:
    """Return the optimum over every assignment of every single replica to every single machine."""
    pools = [p for p, n in enumerate(instance.compiled.machines.tolist()) for _ in range(n)]
    replicas = [t for t, model in enumerate(instance.models) for _ in range(model.replicas)]
    best: int | None = None
    for homes in itertools.product(range(len(pools)), repeat=len(replicas)):
        machines = [
            Counter(t for t, home in zip(replicas, homes, strict=True) if home == m)
            for m in range(len(pools))
        ]
        verdict = oracle.judge(instance, Plan.from_patterns(zip(pools, itertools.repeat(1), machines)))
        if verdict.valid and (best is None or verdict.objective < best):
            best = verdict.objective
    return best


def test_brute_force_agrees_with_listing_every_assignment() -> None:
    small = [seed for seed in range(150) if _assignments(random_instance(seed)) <= 128]
    assert len(small) > 40
    results = {seed: (_by_listing(random_instance(seed)), solved(seed)[1].objective) for seed in small}
    assert all(listed == found for listed, found in results.values()), results
    assert len({listed for listed, _ in results.values()}) > 15


def _assignments(instance: Instance) -> int:
    return int(sum(m.count for m in instance.machine_types) ** sum(m.replicas for m in instance.models))


def test_optima_worked_out_by_hand() -> None:
    """The arithmetic is in :mod:`tests.tiny`."""
    assert oracle.solve(pair()).objective == 1_000_000
    assert oracle.solve(two_types()).objective == 1_200_000
    assert oracle.solve(pair().replace(objective="worst")).objective == 300_000


def test_random_instances_are_the_same_every_time() -> None:
    for seed in (0, 7, 499):
        assert random_instance(seed).sha256 == random_instance(seed).sha256
    assert len({random_instance(seed).sha256 for seed in range(50)}) == 50


def test_random_instances_are_tiny() -> None:
    for instance in map(random_instance, SEEDS):
        assert 2 <= len(instance.models) <= 6
        assert 1 <= sum(m.count for m in instance.machine_types) <= 3
        assert sum(m.replicas for m in instance.models) <= MOST_REPLICAS


def test_a_third_of_the_random_instances_have_no_plan() -> None:
    """Some for reasons that only a search finds."""
    hopeless = [seed for seed in SEEDS if not solved(seed)[1].feasible]
    assert 100 <= len(hopeless) <= 200
    assert sum(not obstacles(random_instance(seed)) for seed in hopeless) >= 25


def test_random_instances_use_every_feature() -> None:
    """Among those that have a plan too, or a solver could ignore a feature and pass."""
    used: Counter[str] = Counter()
    for seed in SEEDS:
        instance, answer = solved(seed)
        if answer.feasible:
            used.update(name for name, yes in _features(instance).items() if yes)
    few = {name: used[name] for name in _features(pair()) if used[name] < 12}
    assert not few


def _features(i: Instance) -> dict[str, bool]:
    backgrounds = [m.background for m in i.machine_types if m.count]
    return {
        "degradation": i.objective == "degradation",
        "price": i.objective == "price",
        "worst": i.objective == "worst",
        "weights": isinstance(i.objective, Objective) and i.objective.price > 0,
        "keep_apart": bool(i.rules.keep_apart),
        "max_per_machine": bool(i.rules.max_per_machine),
        "min_machines": any(n > 1 for n in i.rules.min_machines.values()),
        "allow": bool(i.rules.allow),
        "forbid": bool(i.rules.forbid),
        "hard SLO": any(m.slo_ms is not None and m.miss_price is None for m in i.models),
        "soft SLO": any(m.miss_price for m in i.models),
        "pinned": any(p.models for p in i.pinned),
        "pinned with background": any(p.background for p in i.pinned),
        "background": any(b.demand and b.degradation for b in backgrounds),
        "background slots": any(b.slots for b in backgrounds),
        "no slots": any(m.slots is None for m in i.machine_types),
        "two resources": len(i.compiled.resources) == 2,
        "no resource": not i.compiled.resources,
        "demand_on": any(m.demand_on for m in i.models),
        "rising factor": any(max(m.colocation_factor.values(), default=0) > 1 for m in i.machine_types),
        "falling factor": any(min(m.colocation_factor.values(), default=1) < 1 for m in i.machine_types),
        "weight": any(m.weight not in (0.0, 1.0) for m in i.models),
        "two types": sum(m.count > 0 for m in i.machine_types) == 2,
        "type without machines": any(not m.count for m in i.machine_types),
        "model that cannot run somewhere": any(len(m.latency_ms) < len(i.machine_types) for m in i.models),
    }
