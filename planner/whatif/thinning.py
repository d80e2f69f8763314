"""A plan for fewer replicas from a plan for more: those go that add most to the objective."""

from __future__ import annotations

from planner.compiled import Compiled
from planner.plan import Plan

Group = tuple[int, int, dict[int, int]]  # pool, machines, replicas of each model on each of them


def thinned(plan: Plan, c: Compiled) -> Plan | None:
    """Return ``plan`` without the replicas that ``c`` does not have; None if that is not possible.

    Pinned replicas stay, and models stay spread over ``min_machines``. Greedy: at each step the replica
    goes that adds most to the cost of its machine (to its degradations for the objective ``worst``).
    """
    surplus = plan.placed(c.replicas.size) - c.replicas
    if (surplus < 0).any():
        return None
    groups = list(plan.patterns())
    for t in surplus.nonzero()[0].tolist():
        left = int(surplus[t])
        while left:
            groups, removed = _remove(groups, c, t, left)
            if not removed:
                return None
            left -= removed
    return Plan.from_patterns(groups)


def _remove(groups: list[Group], c: Compiled, t: int, most: int) -> tuple[list[Group], int]:
    """Take at most one replica of t from each machine, ``most`` in all; return what remains and how many."""
    with_t = [g for g in groups if t in g[2]]
    result = [g for g in groups if t not in g[2]]
    spare = sum(machines for _, machines, _ in with_t) - int(c.min_machines[t])
    left = most
    for pool, machines, pattern in sorted(with_t, key=lambda g: -_added(c, g, t)):
        n = min(machines, left) if pattern[t] > c.pinned[pool, t] else 0
        if pattern[t] == 1:
            n = max(0, min(n, spare))
            spare -= n
        left -= n
        result += [(pool, machines - n, pattern), (pool, n, {**pattern, t: pattern[t] - 1})]
    return [(p, n, {u: k for u, k in pattern.items() if k}) for p, n, pattern in result if n], most - left


def _added(c: Compiled, group: Group, t: int) -> int:
    """Return what one replica of t adds to the cost of a machine of the group, without its factor."""
    pool, _, pattern = group
    cost = (c.degradation if c.worst else c.cost)[c.type_of[pool]]
    added = int(c.background_cost[pool, t])
    for u, n in pattern.items():
        added += (n - (u == t)) * int(cost[t, u] + cost[u, t])
    return added + (int(c.price[pool]) if sum(pattern.values()) == 1 else 0)
