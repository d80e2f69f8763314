"""For each rule an instance, a plan that just keeps the rule, and one that breaks it and no other.

All are ``pair`` or ``two_types`` of :mod:`tests.tiny`, where the arithmetic stands, with one thing changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.instance import Instance, Pinned, Rules
from planner.plan import Plan
from tests.tiny import pair, plan, two_types, with_model, with_type

SEPARATE = ("gpu: 2 a", "gpu: 2 b")
MIXED = ("gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
UNEVEN = ("gpu: 2 a + 1 b", "gpu: 1 b")


@dataclass(frozen=True)
class Case:
    """An instance and two plans of it."""

    instance: Instance
    keeps: Plan
    breaks: Plan


def case(instance: Instance, keeps: tuple[str, ...], breaks: tuple[str, ...]) -> Case:
    """Return a case from plans in words."""
    return Case(instance, plan(instance, *keeps), plan(instance, *breaks))


def placement() -> Case:
    """One replica of b is left over."""
    return case(pair(), SEPARATE, ("gpu: 2 a", "gpu: 1 b"))


def machines() -> Case:
    """There are two machines, not three."""
    return case(pair(), SEPARATE, ("gpu: 2 a", "gpu: 1 b", "gpu: 1 b"))


def slots() -> Case:
    """There are two slots, not three."""
    return case(pair(), SEPARATE, UNEVEN)


def resources() -> Case:
    """Three replicas need 12 GB, and there are 8."""
    return case(with_type(pair(), "gpu", slots=4, resources={"memory": 8.0}), SEPARATE, UNEVEN)


def slo() -> Case:
    """Beside a, a takes 11 ms; beside b 12.5 ms; the limit is 12."""
    return case(with_model(pair(), "a", slo_ms=12.0), SEPARATE, MIXED)


def keep_apart() -> Case:
    """No a beside b."""
    return case(pair().replace(rules=Rules(keep_apart=(("a", "b"),))), SEPARATE, MIXED)


def max_per_machine() -> Case:
    """One b on a machine, not two."""
    return case(pair().replace(rules=Rules(max_per_machine={"b": 1})), MIXED, SEPARATE)


def min_machines() -> Case:
    """Two machines for b, not one."""
    return case(pair().replace(rules=Rules(min_machines={"b": 2})), MIXED, SEPARATE)


def pinned() -> Case:
    """The pinned machine holds an a."""
    old = Pinned(name="old", machine_type="gpu", models={"a": 1})
    return case(pair().replace(pinned=(old,)), ("old: 2 a", "gpu: 2 b"), ("old: 2 b", "gpu: 2 a"))


def permitted() -> Case:
    """No b on the cpu."""
    instance = two_types().replace(rules=Rules(forbid={"b": ("cpu",)}))
    return case(instance, ("cpu: 2 a", "gpu: 2 b"), ("cpu: 2 b", "gpu: 2 a"))


def miss() -> Instance:
    """Return :func:`pair` where both b miss their soft SLO beside each other, at 0.01 apiece."""
    return with_model(pair(), "b", slo_ms=13.5, miss_price=0.01)


def price() -> Instance:
    """Return :func:`two_types` where only the price of used machines counts, 3 and 1."""
    return with_type(two_types(), "gpu", slots=4).replace(objective="price")


def worst() -> Instance:
    """Return :func:`pair` where the worst degradation counts, 0.4 for separate and 0.3 for mixed models."""
    return pair().replace(objective="worst")
