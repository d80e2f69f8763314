"""The checker against an independent one: plans that are subtly wrong, and plans at random."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from planner.evaluate import evaluate, objective_of
from planner.instance import Instance
from planner.plan import Plan
from planner.rules import RULES
from tests import oracle
from tests.random_instances import random_instance, random_plan, solved

Machines = list[tuple[int, int, dict[int, int]]]
Corruption = Callable[[random.Random, Machines, Instance], None]


def _extra_replica(rng: random.Random, machines: Machines, instance: Instance) -> None:
    there = rng.choice(machines)[2]
    t = rng.randrange(len(instance.models))
    there[t] = there.get(t, 0) + 1


def _missing_replica(rng: random.Random, machines: Machines, instance: Instance) -> None:
    there = rng.choice(machines)[2]
    there[rng.choice([*there])] -= 1


def _missing_machine(rng: random.Random, machines: Machines, instance: Instance) -> None:
    machines.remove(rng.choice(machines))


def _one_machine_too_many(rng: random.Random, machines: Machines, instance: Instance) -> None:
    """Move one replica to a machine of its own, again and again, until some pool has too few."""
    for p, copies, there in [*machines]:
        while sum(there.values()) > 1:
            t = rng.choice([t for t, n in there.items() if n])
            there[t] -= 1
            machines.append((p, copies, {t: 1}))


def _other_pool(rng: random.Random, machines: Machines, instance: Instance) -> None:
    i = rng.randrange(len(machines))
    machines[i] = (rng.randrange(len(instance.compiled.pool_names)), *machines[i][1:])


def _swapped_pools(rng: random.Random, machines: Machines, instance: Instance) -> None:
    """Two machines exchange all that is on them."""
    i, j = rng.randrange(len(machines)), rng.randrange(len(machines))
    (p, copies, there), (q, others, beyond) = machines[i], machines[j]
    machines[i], machines[j] = (p, copies, beyond), (q, others, there)


def _swapped_replicas(rng: random.Random, machines: Machines, instance: Instance) -> None:
    """Two replicas on different machines change places."""
    there, beyond = rng.choice(machines)[2], rng.choice(machines)[2]
    t, u = rng.choice([*there]), rng.choice([*beyond])
    for place, out, new in ((there, t, u), (beyond, u, t)):
        place[out] -= 1
        place[new] = place.get(new, 0) + 1


def _moved_replica(rng: random.Random, machines: Machines, instance: Instance) -> None:
    there, beyond = rng.choice(machines)[2], rng.choice(machines)[2]
    t = rng.choice([*there])
    there[t] -= 1
    beyond[t] = beyond.get(t, 0) + 1


def _renamed_replica(rng: random.Random, machines: Machines, instance: Instance) -> None:
    there = rng.choice(machines)[2]
    t, u = rng.choice([*there]), rng.randrange(len(instance.models))
    there[t] -= 1
    there[u] = there.get(u, 0) + 1


def _merged_machines(rng: random.Random, machines: Machines, instance: Instance) -> None:
    """All that is on one machine moves to another."""
    _, _, there = machines.pop(rng.randrange(len(machines)))
    if machines:
        beyond = rng.choice(machines)[2]
        for t, n in there.items():
            beyond[t] = beyond.get(t, 0) + n


CORRUPTIONS: tuple[Corruption, ...] = (
    _extra_replica,
    _missing_replica,
    _missing_machine,
    _one_machine_too_many,
    _other_pool,
    _swapped_pools,
    _swapped_replicas,
    _moved_replica,
    _renamed_replica,
    _merged_machines,
)


def _corrupted(per_kind: int) -> Iterator[tuple[Instance, Corruption, Plan, oracle.Verdict]]:
    """Yield ``per_kind`` plans of each corruption that brute force's judge calls invalid, all different."""
    known: set[str] = set()
    for kind, corrupt in enumerate(CORRUPTIONS):
        found, seed = 0, 0
        while found < per_kind:
            instance, answer = solved(seed % 400)
            seed += 1
            if answer.plan is None:
                continue
            machines = [(p, 1, dict(there)) for p, n, there in answer.plan.patterns() for _ in range(n)]
            corrupt(random.Random(seed * 100 + kind), machines, instance)
            plan = Plan.from_patterns(machines)
            verdict = oracle.judge(instance, plan)
            what = f"{instance.name} {sorted((p, n, sorted(m.items())) for p, n, m in plan.patterns())}"
            if not verdict.valid and what not in known:
                known.add(what)
                found += 1
                yield instance, corrupt, plan, verdict


def test_every_corrupted_plan_is_refused_for_what_is_wrong() -> None:
    kinds: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for instance, corrupt, plan, verdict in _corrupted(per_kind=50):
        found = {v.rule for v in evaluate(instance, plan).violations}
        assert found == verdict.broken, (instance.name, corrupt.__name__, [*plan.patterns()])
        kinds[corrupt.__name__] += 1
        broken.update(found)
        if len(found) == 1:
            alone.update(found)
    assert sum(kinds.values()) == 500
    rules = {rule.__name__.lstrip("_") for rule in RULES}
    assert {*alone} == rules  # each rule was all that was wrong with some plan
    assert min(broken[rule] for rule in rules) >= 5


def test_checker_and_judge_agree_on_random_plans() -> None:
    """On which rules are broken, on the objective of valid and invalid plans, on misses and machines."""
    valid = 0
    for seed in range(250):
        instance = random_instance(seed)
        brute = oracle.Oracle(instance)
        for plan in (random_plan(instance, 4 * seed + i) for i in range(4)):
            found, verdict = evaluate(instance, plan), brute.judge(plan)
            assert {v.rule for v in found.violations} == verdict.broken, seed
            assert found.objective == verdict.objective, seed
            assert found.machines_used == sum(n for _, n, _ in plan.patterns()), seed
            valid += found.valid
    assert valid > 100


def test_the_optimal_plan_is_accepted_with_its_objective() -> None:
    plans = 0
    for seed in range(250):
        instance, answer = solved(seed)
        if answer.plan is not None:
            found = evaluate(instance, answer.plan)
            assert (found.violations, found.objective) == ((), answer.objective), seed
            assert objective_of(instance, answer.plan) == answer.objective, seed
            plans += 1
    assert plans > 125
