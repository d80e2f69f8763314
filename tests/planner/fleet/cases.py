"""Instances with plans to export: brute force's, and a generated one's."""

from __future__ import annotations

from collections.abc import Iterator

from planner.fleet.layout import Layout, layout
from planner.instance import Instance
from planner.plan import Plan
from tests.planner.fleet.names import hostile
from tests.random_instances import solved


def cases(seeds: range) -> Iterator[tuple[Instance, Plan]]:
    """Yield random instances that have a plan, every second one under hostile names."""
    for seed in seeds:
        instance, answer = solved(seed)
        if answer.plan is not None:
            yield (hostile(instance) if seed % 2 else instance), answer.plan


def layouts(seeds: range) -> Iterator[tuple[Layout, Plan]]:
    """Yield them as groups."""
    for instance, plan in cases(seeds):
        yield layout(instance, plan), plan


def pools(instance: Instance) -> dict[tuple[str, str | None], int]:
    """Return machine type and pinned entry, or None -> pool."""
    return {names: p for p, names in enumerate(instance.compiled.pool_names)}


def plan_of(plan: Layout, patterns: dict[str, dict[int, int]]) -> Plan:
    """Return the plan in which the machines of each group, by its label, carry this pattern."""
    groups, known = {group.label: group for group in plan.groups}, pools(plan.instance)
    return Plan.from_patterns(
        (known[groups[label].machine_type, groups[label].pinned], groups[label].machines, pattern)
        for label, pattern in patterns.items()
    )
