"""Which co-locations a spec asks for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from planner.errors import InputError
from planner.measure.select import Candidate
from planner.measure.spec import MachineTypeForm, Spec

MOST = 200_000


def colocations(spec: Spec) -> list[Candidate]:
    """Return every co-location that a spec asks for, on each machine type as large as its slots allow.

    Of those sizes for which the spec names a number, as many are drawn, always the same ones.

    Raises
    ------
    InputError
        If there are more than 200,000.
    """
    models = sorted(spec.subjects)
    found: list[Candidate] = []
    for k, machine_type in enumerate(spec.form.machine_types):
        for size, share in sorted(spec.form.sets.items()):
            if int(size) > machine_type.slots:
                continue
            every = comb(len(models) + int(size) - 1, int(size))
            wanted = every if share == "all" else min(share, every)
            if len(found) + wanted > MOST:
                rule = f"must ask for at most {MOST:,} co-locations; name a number in place of all"
                raise InputError(rule, field=f"sets.{size}", value=share)
            rng = np.random.default_rng([spec.form.protocol.seed, k, int(size)])
            sets = _sets(models, int(size), wanted, every, rng)
            found += [Candidate(machine_type.name, members) for members in sets]
    return found


def _sets(
    models: list[str], size: int, wanted: int, every: int, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Return multisets of models: all, or a sample without repetition."""
    if every <= max(MOST, 2 * wanted):
        each = list(combinations_with_replacement(models, size))
        return each if wanted == every else [each[i] for i in sorted(rng.permutation(every)[:wanted])]
    drawn: dict[tuple[str, ...], None] = {}
    while len(drawn) < wanted:
        picked = rng.integers(len(models), size=size)
        drawn[tuple(sorted(models[i] for i in picked))] = None
    return list(drawn)


def fits(candidate: Candidate, machine_type: MachineTypeForm, working_set_mb: Mapping[str, float]) -> bool:
    """Return whether the models' working sets, as far as they are known, fit the machine type's memory."""
    if machine_type.memory_gb is None:
        return True
    return sum(working_set_mb.get(name, 0.0) for name in candidate.members) <= 1e3 * machine_type.memory_gb
