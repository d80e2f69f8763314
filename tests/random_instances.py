"""Seeded random instances that brute force solves in milliseconds, with every feature in use."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np

from planner.instance import (
    Background,
    InferenceModel,
    Instance,
    MachineType,
    Objective,
    ObjectiveChoice,
    Pinned,
    Rules,
)
from planner.plan import Plan
from tests import oracle

MOST_REPLICAS = 8
_RESOURCES = ("memory", "cores")
_FACTORS = (0.0, 0.3, 0.55, 0.999999, 1.0, 1.333333, 2.5)


def random_instance(seed: int) -> Instance:
    """Return an instance of 2-6 models and 1-3 machines of 1-2 types; 20-40 % of them have no plan."""
    rng = random.Random(seed)
    objective = _objective(rng)
    types = _machine_types(rng)
    models = _models(rng, types, soft=objective != "worst")
    types = tuple(_with_background(rng, _sized(rng, kind, types, models), models) for kind in types)
    types = tuple(_with_factor(random.Random(f"{seed} {kind.name}"), kind) for kind in types)
    return Instance(
        name=f"tiny-{seed}",
        machine_types=types,
        models=models,
        degradation=_degradation(rng, len(types), len(models)),
        rules=_rules(rng, types, models),
        pinned=tuple(_priced(seed, pin, models, objective) for pin in _pinned(rng, types, models)),
        objective=objective,
    )


def random_plan(instance: Instance, seed: int) -> Plan:
    """Return a plan that puts every replica somewhere in range; few of them are valid."""
    rng = random.Random(seed)
    c = instance.compiled
    pools = [p for p, n in enumerate(c.machines.tolist()) for _ in range(n)]
    machines: list[dict[int, int]] = [{} for _ in pools]
    left = c.replicas.tolist()
    unpinned = rng.random() < 0.1
    for p, machine in zip(pools, machines, strict=True):
        if unpinned:
            break
        for t in np.flatnonzero(c.pinned[p]).tolist():
            machine[t] = int(c.pinned[p, t])
            left[t] -= machine[t]
    for t, n in enumerate(left):
        for _ in range(n + rng.choices((0, -1, 1), (20, 1, 1))[0]):
            machine = rng.choice(machines)
            machine[t] = machine.get(t, 0) + 1
    copies = rng.choices((1, 2), (30, 1))[0]
    return Plan.from_patterns((p, copies, machine) for p, machine in zip(pools, machines, strict=True))


def _objective(rng: random.Random) -> ObjectiveChoice:
    weights = Objective(degradation=rng.choice((1.0, 0.5, 2.25)), price=rng.choice((0.0, 0.01, 0.3)))
    choices: tuple[ObjectiveChoice, ...] = ("degradation", "degradation", "price", "worst", weights)
    return rng.choice(choices)


def _machine_types(rng: random.Random) -> tuple[MachineType, ...]:
    total = rng.choice((1, 2, 2, 3, 3))
    first = rng.randint(rng.random() < 0.9, total)
    counts = [first] if first == total and rng.random() < 0.8 else [first, total - first]
    resources = rng.sample(_RESOURCES, rng.choice((0, 1, 1, 2)))
    return tuple(
        MachineType(
            name=f"machine-{k}",
            count=count,
            resources=dict.fromkeys(resources, 0.0),
            price=rng.choice((0.0, 1.0, 0.35, 2.5)),
        )
        for k, count in enumerate(counts)
    )


def _sized(
    rng: random.Random, kind: MachineType, types: tuple[MachineType, ...], models: tuple[InferenceModel, ...]
) -> MachineType:
    """Give a machine type about as many slots and as much of each resource as the models need."""
    machines = sum(other.count for other in types)
    replicas = sum(m.replicas for m in models)
    resources = {
        name: round(
            sum(m.replicas * m.demand.get(name, 0) for m in models) / machines * rng.uniform(1, 2.4), 1
        )
        for name in kind.resources
        if kind is types[0] or rng.random() < 0.9
    }
    slots = rng.choice((None, -(-replicas // machines) + rng.choice((0, 1, 1, 2))))
    return kind.model_copy(update={"resources": resources, "slots": slots})


def _models(rng: random.Random, types: tuple[MachineType, ...], *, soft: bool) -> tuple[InferenceModel, ...]:
    number = rng.randint(2, 6)
    replicas = [1] * number
    for _ in range(rng.randint(0, MOST_REPLICAS - number)):
        replicas[rng.randrange(number)] += 1
    return tuple(_model(rng, f"model-{t}", n, types, soft=soft) for t, n in enumerate(replicas))


def _model(
    rng: random.Random, name: str, replicas: int, types: tuple[MachineType, ...], *, soft: bool
) -> InferenceModel:
    runs_on = [kind.name for kind in types if rng.random() < 0.95] or [rng.choice(types).name]
    latency = {kind: round(rng.uniform(2.0, 20.0), rng.choice((0, 1, 2))) for kind in runs_on}
    extra: dict[str, Any] = {}
    if rng.random() < 0.35:
        extra["slo_ms"] = round(max(latency.values()) * rng.choice((1.0, 1.2, 1.4, 1.7, 2.0, 3.0)), 2)
        if soft and rng.random() < 0.4:
            extra["miss_price"] = rng.choice((0.0, 0.1, 0.25, 3.0))
    resources = sorted({r for kind in types for r in kind.resources})
    if resources and rng.random() < 0.25:
        extra["demand_on"] = {
            rng.choice(types).name: {rng.choice(resources): round(rng.uniform(0.1, 1.2), 1)}
        }
    return InferenceModel(
        name=name,
        replicas=replicas,
        weight=rng.choice((1.0, 1.0, 1.0, 0.0, 0.5, 3.7)),
        demand={r: round(rng.uniform(0.1, 1.1), 1) for r in resources if rng.random() < 0.85},
        latency_ms=latency,
        **extra,
    )


def _with_background(
    rng: random.Random, kind: MachineType, models: tuple[InferenceModel, ...]
) -> MachineType:
    return kind.model_copy(
        update={"background": _background(rng, kind, models)} if rng.random() < 0.2 else {}
    )


def _with_factor(rng: random.Random, kind: MachineType) -> MachineType:
    """Let sums of pairs be multiplied, rising or falling with the number of replicas."""
    sizes = rng.sample((2, 3, 4, 5), rng.choice((1, 2, 3))) if rng.random() < 0.2 else ()
    return kind.model_copy(update={"colocation_factor": {n: rng.choice(_FACTORS) for n in sizes}})


def _background(rng: random.Random, kind: MachineType, models: tuple[InferenceModel, ...]) -> Background:
    return Background(
        demand={r: round(rng.uniform(0.0, 0.3), 2) for r in kind.resources if rng.random() < 0.7},
        slots=rng.choice((0, 0, 0, 1)),
        degradation={m.name: round(rng.uniform(0.0, 0.2), 3) for m in models if rng.random() < 0.5},
    )


def _degradation(rng: random.Random, types: int, models: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    digits = rng.choice((1, 3, 6, 9))
    values = [round(rng.choice((0.0, rng.uniform(0, 0.1), rng.uniform(0, 0.5))), digits) for _ in range(72)]
    return np.array(values[: types * models**2]).reshape(types, models, models)


def _rules(rng: random.Random, types: tuple[MachineType, ...], models: tuple[InferenceModel, ...]) -> Rules:
    names = [m.name for m in models]
    kinds = [kind.name for kind in types if kind.count]

    def some(share: float, most: int) -> list[str]:
        return rng.sample(names, rng.randint(1, min(most, len(names)))) if rng.random() < share else []

    machines = sum(kind.count for kind in types)
    apart = rng.sample(names, rng.choice((2, 2, min(machines, len(names)))))
    return Rules(
        keep_apart=(tuple(apart),) if machines > 1 and rng.random() < 0.25 else (),
        max_per_machine={name: rng.choice((1, 2, 2, 3)) for name in some(0.25, 3)},
        min_machines={
            m.name: rng.choice((1, 2)) for m in models if m.replicas > 1 < machines and rng.random() < 0.2
        },
        allow={name: tuple(rng.sample(kinds, rng.randint(1, len(kinds)))) for name in some(0.12, 1)},
        forbid={name: (rng.choice(kinds),) if len(kinds) > 1 else () for name in some(0.15, 1)},
    )


def _pinned(
    rng: random.Random, types: tuple[MachineType, ...], models: tuple[InferenceModel, ...]
) -> tuple[Pinned, ...]:
    """Pin one or two replicas to one or two machines of some type, or give them other background load."""
    entries = []
    free = {kind.name: kind.count for kind in types}
    left = {m.name: m.replicas for m in models}
    for i in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        kind = rng.choice(types)
        machines = rng.choice((1, 1, 2))
        wanted = {m.name: 1 for m in rng.sample(models, rng.choice((0, 1, 1, 2)))}
        if free[kind.name] < machines or any(left[name] < machines for name in wanted):
            continue
        free[kind.name] -= machines
        for name in wanted:
            left[name] -= machines
        background = _background(rng, kind, models) if rng.random() < 0.4 else None
        entries.append(
            Pinned(
                name=f"pin-{i}",
                machine_type=kind.name,
                machines=machines,
                models=wanted,
                background=background,
            )
        )
    return tuple(entries)


def _priced(seed: int, pin: Pinned, models: tuple[InferenceModel, ...], objective: ObjectiveChoice) -> Pinned:
    """Let some replicas that come to pinned machines have a price."""
    rng = random.Random(f"{seed} {pin.name}")
    if objective == "worst" or rng.random() < 0.6:
        return pin
    some = rng.sample(models, rng.randint(1, len(models)))
    price = {m.name: rng.choice((0.1, 0.4, 3.0)) for m in some}
    here = {m.name: rng.randint(1, 2) for m in some if rng.random() < 0.6}
    return pin.model_copy(update={"arrival_price": price, "here": here})


def with_arrival_prices(instance: Instance, factor: int) -> Instance:
    """Return the instance with prices of arrivals times ``factor``; without any for 0."""
    return instance.replace(
        pinned=tuple(
            pin.model_copy(
                update={"arrival_price": {m: factor * p for m, p in pin.arrival_price.items() if factor}}
            )
            for pin in instance.pinned
        )
    )


@cache
def solved(seed: int) -> tuple[Instance, oracle.Answer]:
    """Return a random instance and its optimum, worked out once for all tests."""
    instance = random_instance(seed)
    return instance, oracle.solve(instance)
