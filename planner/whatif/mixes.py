"""Every mix of machines, where these are few: the least degradation of each."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import prod

from planner.instance import Instance
from planner.whatif.inference import Nested
from planner.whatif.point import Point
from planner.whatif.prices import Units

MOST = 60

Counts = tuple[int, ...]  # machines of each type


def mixes(units: Units) -> list[Counts]:
    """Return all counts of the machine types that have a price, dearest first; none if they are many.

    Machines that cost nothing stay as many as there are, and pinned ones cannot be left out.
    """
    instance = units.instance
    ranges = []
    for kind, each in zip(instance.machine_types, units.each, strict=True):
        pinned = sum(p.machines for p in instance.pinned if p.machine_type == kind.name)
        ranges.append(range(pinned if each else kind.count, kind.count + 1))
    if prod(len(r) for r in ranges) > MOST:
        return []
    return sorted(itertools.product(*ranges), key=lambda counts: -price(units, counts))


def price(units: Units, counts: Counts) -> int:
    """Return the price of these machines in units."""
    return sum(n * each for n, each in zip(counts, units.each, strict=True))


def points(units: Units, counts: list[Counts]) -> tuple[list[Point], Nested]:
    """Return a point for each mix, whose objective is the degradation, and which are looser than which."""
    asked = units.degradation()
    looser = [
        [i for i in range(j) if all(a >= b for a, b in zip(counts[i], counts[j], strict=True))]
        for j in range(len(counts))
    ]
    found = [Point(_label(mix), Fraction(price(units, mix)), _limited(asked, mix)) for mix in counts]
    return found, Nested(looser)


def _label(counts: Counts) -> str:
    return "mix " + "+".join(map(str, counts))


def _limited(instance: Instance, counts: Counts) -> Instance:
    types = zip(instance.machine_types, counts, strict=True)
    return instance.replace(machine_types=tuple(m.model_copy(update={"count": n}) for m, n in types))
