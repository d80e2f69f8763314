"""Instances small enough to check by hand, and the few words that tests need to vary them."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.instance import InferenceModel, Instance, MachineType
from planner.plan import Plan
from planner.rules import Violation

_GPU = MachineType(name="gpu", count=2, slots=2, resources={"memory": 16.0}, price=3.0)


def pair() -> Instance:
    """Return two machines with two slots for two replicas each of a and b, 10 ms and 4 GB apiece.

    ======  ========  ========
    victim  beside a  beside b
    ======  ========  ========
    a       0.1       0.25
    b       0.3       0.4
    ======  ========  ========

    One machine for each model: 2 x 0.1 + 2 x 0.4 = 1.0, the optimum. Both mixed: 2 x (0.25 + 0.3) = 1.1.
    """
    return Instance(
        name="pair",
        machine_types=(_GPU,),
        models=tuple(
            InferenceModel(name=name, replicas=2, latency_ms={"gpu": 10.0}, demand={"memory": 4.0})
            for name in "ab"
        ),
        degradation=np.array([[[0.1, 0.25], [0.3, 0.4]]]),
    )


def two_types() -> Instance:
    """Return :func:`pair` with one machine of ``gpu`` and one of ``cpu``, where everything is twice as bad.

    Models run at 20 ms on the cpu. One machine for each model, a on the cpu: 2 x 0.2 + 2 x 0.4 = 1.2, the
    optimum; b on the cpu: 2 x 0.1 + 2 x 0.8 = 1.8; both mixed: 0.55 + 1.1 = 1.65.
    """
    base = pair()
    cpu = MachineType(name="cpu", count=1, slots=2, resources={"memory": 8.0}, price=1.0)
    models = tuple(
        InferenceModel(**{**vars(m), "latency_ms": {"gpu": 10.0, "cpu": 20.0}}) for m in base.models
    )
    types = (_GPU.model_copy(update={"count": 1}), cpu)
    return base.replace(
        machine_types=types,
        models=models,
        degradation=np.concatenate([base.degradation, 2 * base.degradation]),
    )


def with_model(instance: Instance, model: str, **changes: Any) -> Instance:
    """Return the instance with fields of one model changed."""
    models = (InferenceModel(**{**vars(m), **changes}) if m.name == model else m for m in instance.models)
    return instance.replace(models=tuple(models))


def with_type(instance: Instance, kind: str, **changes: Any) -> Instance:
    """Return the instance with fields of one machine type changed."""
    types = (MachineType(**{**vars(m), **changes}) if m.name == kind else m for m in instance.machine_types)
    return instance.replace(machine_types=tuple(types))


def with_degradation(instance: Instance, kind: str, victim: str, aggressor: str, value: float) -> Instance:
    """Return the instance with one degradation changed."""
    values = instance.degradation.copy()
    models = instance.model_index
    values[instance.type_index[kind], models[victim], models[aggressor]] = value
    return instance.replace(degradation=values)


def plan(instance: Instance, *machines: str) -> Plan:
    """Return the plan with these machines, each written like ``"gpu: 2 a + 1 b"`` or ``"pin: 1 a"``."""
    pools = {pinned or kind: p for p, (kind, pinned) in enumerate(instance.compiled.pool_names)}
    patterns = []
    for machine in machines:
        pool, _, there = machine.partition(": ")
        counts = (part.split(" ") for part in there.split(" + "))
        patterns.append((pools[pool], 1, {instance.model_index[name]: int(n) for n, name in counts}))
    return Plan.from_patterns(patterns)


def said(violations: tuple[Violation, ...]) -> dict[str, str]:
    """Return rule -> message of violations of which each rule has one."""
    messages = {v.rule: v.message for v in violations}
    assert len(messages) == len(violations), violations
    return messages
