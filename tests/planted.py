"""Larger instances with a known optimum: tiny ones side by side that cannot mix."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from planner.instance import InferenceModel, Instance, MachineType, Pinned, Rules
from tests.random_instances import solved

_SEEDS = 5_000


def planted(seed: int, models: int) -> tuple[Instance, int]:
    """Return an instance of at least so many models and its optimum in ppm.

    Each block is a tiny instance, solved by brute force, with machine types of its own on which no other
    block's models run.
    """
    rng = random.Random(seed)
    blocks: list[Instance] = []
    total = optimum = 0
    while total < models:
        instance, answer = solved(rng.randrange(_SEEDS))
        if instance.objective == "degradation" and answer.objective is not None:
            blocks.append(_renamed(instance, f"b{len(blocks)}-"))
            total += len(instance.models)
            optimum += answer.objective
    return _together(blocks, f"planted-{seed}"), optimum


def _renamed(instance: Instance, prefix: str) -> Instance:
    """Return the instance with a prefix before the names of its types, models and pins."""
    known = {m.name for m in instance.machine_types} | {m.name for m in instance.models}
    known |= {p.name for p in instance.pinned}

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return prefix + value if value in known else value
        if isinstance(value, dict):
            return {renamed(k): renamed(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [renamed(v) for v in value]
        return value

    def again(kind: Any, part: Any) -> Any:
        return kind.model_validate(renamed(part.model_dump(mode="json", exclude_none=True)), strict=False)

    return Instance(
        name=prefix,
        machine_types=tuple(again(MachineType, m) for m in instance.machine_types),
        models=tuple(again(InferenceModel, m) for m in instance.models),
        degradation=instance.degradation,
        rules=again(Rules, instance.rules),
        pinned=tuple(again(Pinned, p) for p in instance.pinned),
    )


def _together(blocks: list[Instance], name: str) -> Instance:
    types = sum(len(b.machine_types) for b in blocks)
    models = sum(len(b.models) for b in blocks)
    degradation = np.full((types, models, models), np.nan)
    k = t = 0
    for b in blocks:
        here = slice(t, t + len(b.models))
        degradation[k : k + len(b.machine_types), here, here] = b.degradation
        k, t = k + len(b.machine_types), t + len(b.models)
    return Instance(
        name=name,
        machine_types=tuple(m for b in blocks for m in b.machine_types),
        models=tuple(m for b in blocks for m in b.models),
        degradation=degradation,
        rules=Rules(
            keep_apart=tuple(group for b in blocks for group in b.rules.keep_apart),
            max_per_machine=_merged(b.rules.max_per_machine for b in blocks),
            min_machines=_merged(b.rules.min_machines for b in blocks),
            allow=_merged(b.rules.allow for b in blocks),
            forbid=_merged(b.rules.forbid for b in blocks),
        ),
        pinned=tuple(p for b in blocks for p in b.pinned),
    )


def _merged(parts: Iterator[Any]) -> Any:
    return {key: value for part in parts for key, value in part.items()}
