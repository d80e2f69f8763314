"""Meta's Rebalancer (``rebalancer`` on PyPI), local search over pair affinities, from the first-fit plan.

It needs Python 3.12 or later: an environment of its own, whose interpreter ``REBALANCER_PYTHON`` names. Its
affinities are undirected and the same on all machines, so it states distinct models on one machine type
with one resource, without SLOs and rules; costs in both directions are added.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from benchmarks.peers.answer import Found, main
from planner.compiled import UNLIMITED
from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from solvers import solve as solve_with

INTERPRETER = "REBALANCER_PYTHON"
_WORKER = Path(__file__).with_name("meta_rebalancer_worker.py")


def solve(instance: Instance, time_limit: float) -> Found:
    """Improve the first-fit plan until time is up."""
    began = time.monotonic()
    _check(instance)
    c = instance.compiled
    start = solve_with(instance, "first_fit", time_limit=10.0).plan
    if start is None:
        return Found("no plan to begin from", None, None, 0, 0, 0.0)
    machine, model = start.expand(c.machines)
    there: dict[str, list[str]] = {f"m{i}": [] for i in range(int(c.machines[0]))}
    for i, t in zip(machine.tolist(), model.tolist(), strict=True):
        there[f"m{i}"].append(str(t))
    both = np.triu(c.cost[0] + c.cost[0].T, 1)
    problem = {
        "assignment": there,
        "size": {str(t): float(n) for t, n in enumerate(c.demand[0, :, 0].tolist())},
        "capacity": float(c.capacity[0, 0]),
        "pairs": [(str(t), str(u), float(both[t, u])) for t, u in np.argwhere(both).tolist()],
        "seconds": max(1, int(time_limit)),
    }
    building = time.monotonic() - began
    done = subprocess.run(
        [os.environ[INTERPRETER], str(_WORKER)],
        input=json.dumps(problem),
        capture_output=True,
        text=True,
        check=True,
    )
    assignment = json.loads(done.stdout)
    where = np.array([int(assignment[str(t)][1:]) for t in range(c.replicas.size)])
    pool = np.zeros(int(c.machines[0]), dtype=np.int64)
    return Found("feasible", Plan.from_assignment(pool, where, np.arange(where.size)), None, 0, 0, building)


def _check(instance: Instance) -> None:
    c = instance.compiled
    stated = c.machines.size == 1 and len(c.resources) == 1 and bool((c.replicas == 1).all())
    free = bool((c.slack == UNLIMITED).all()) and not c.apart.any() and not (c.min_machines > 1).any()
    if not (stated and free and c.slots[0] >= c.replicas.size):
        rule = "must be distinct models on one machine type, one resource, no slots, SLOs or rules"
        raise InputError(rule, field="instance", value=instance.name)


if __name__ == "__main__":
    main(solve, "meta_rebalancer")
