"""Instances of distinct models: quadratic bin packing, and few big machines.

*Quadratic bin packing*: every model has one replica, one resource limits what a machine holds, a machine has
a price, pairs that share one have a cost. Weights are uniform in 1-50, costs uniform in 1-100, a share of the
pairs has one, as in the literature; capacity and price are our own choice (``CAPACITIES``, ``PRICE``).

*Few big machines*: hundreds of models on each of 2 to 15 machines, so that patterns cannot be listed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.files import save_instance
from planner.instance import InferenceModel, Instance, MachineType, Objective

CAPACITIES = (60, 100, 150)
PRICE = 100
SCALE = 0.01

Floats = NDArray[np.float64]


def quadratic(
    items: int, density: float, capacity: int, *, types: int = 1, machines: int = 0, seed: int = 0
) -> Instance:
    """Return a quadratic bin packing instance.

    Parameters
    ----------
    density
        Share of the pairs that cost something beside each other.
    types
        With more than one, each type has costs of its own, and what t does to u is not what u does to t.
    machines
        If given, there are so many of each type, and they cost nothing; else as many as models.
    """
    rng = np.random.default_rng([seed, items, round(100 * density), capacity, types])
    weight = rng.integers(1, 51, items).astype(float)
    degradation = np.zeros((types, items, items))
    for k in range(types):
        cost: Floats = rng.uniform(1, 101, (items, items)) // 1 * (rng.random((items, items)) < density)
        if types == 1:
            upper = np.triu(cost, 1)
            cost = (upper + upper.T) / 2
        degradation[k] = cost * SCALE
    name = f"quadratic-{items}-{round(100 * density)}-{capacity}-{types}-{seed}"
    if machines:
        return _instance(f"{name}-on-{machines}", degradation, weight, [machines] * types, capacity, 0.0)
    return _instance(name, degradation, weight, [items] * types, capacity, PRICE * SCALE)


def _instance(
    name: str, degradation: Floats, weight: Floats, machines: list[int], capacity: float, price: float
) -> Instance:
    kinds = [f"type-{k}" for k in range(len(machines))]
    return Instance(
        name=name,
        machine_types=tuple(
            MachineType(name=kind, count=count, resources={"memory_gb": capacity}, price=price)
            for kind, count in zip(kinds, machines, strict=True)
        ),
        models=tuple(
            InferenceModel(
                name=f"model-{t:04d}",
                replicas=1,
                demand={"memory_gb": float(weight[t])},
                latency_ms=dict.fromkeys(kinds, 10.0),
            )
            for t in range(weight.size)
        ),
        degradation=degradation,
        objective=Objective(degradation=1.0, price=1.0) if price else "degradation",
    )


def crowded(models: int, machines: int, kind: str, *, slots: bool, seed: int = 0) -> Instance:
    """Return an instance of few big machines: conflicts between distinct models cost something or nothing.

    Parameters
    ----------
    kind
        ``random``: a model conflicts with five times ``machines`` others on average; ``geometric``: with as
        many that are near it in a square; ``colourable``: with three times ``machines`` others that a hidden
        plan puts elsewhere, so that 0 can be reached.
    slots
        Whether a machine holds no more than its even share of the models.
    """
    rng = np.random.default_rng([seed, models, machines, len(kind), slots])
    conflicts = (3 if kind == "colourable" else 5) * machines
    pairs = rng.random((models, models)) < conflicts / models
    if kind == "geometric":
        place = rng.random((models, 2))
        distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
        pairs = distance < np.sqrt(conflicts / models / np.pi)
    elif kind == "colourable":
        hidden = rng.permutation(np.arange(models) % machines)
        pairs &= hidden[:, None] != hidden[None, :]
    pairs = np.triu(pairs, 1)
    cost = np.where(pairs, rng.integers(1, 101, (models, models)), 0)
    degradation: Floats = (cost + cost.T)[None] * SCALE / 2
    share = float(-(-models // machines) if slots else models)
    name = f"crowded-{kind}-{models}-{machines}{'-slots' if slots else ''}-{seed}"
    return _instance(name, degradation, np.ones(models), [machines], share, 0.0)


def main() -> None:
    """Write instances that :mod:`benchmarks.exact` can compare all peers on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for instance in (
        quadratic(25, 0.75, 100, machines=7),
        quadratic(45, 0.75, 150, machines=9),
        crowded(800, 8, "random", slots=True),
    ):
        save_instance(instance, folder / f"{instance.name}.yaml")


if __name__ == "__main__":
    main()
