"""Heuristics at size: the large instance, and a million replicas on 400,000 machines.

Run as ``make bench``. Prints the machine, then one row a run: solver, status, objective, seconds.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from planner.files import load_instance
from planner.generate import generate
from planner.instance import Instance
from solvers import load, solve

ROOT = Path(__file__).resolve().parent.parent


def row(instance: Instance, solver: str, time_limit: float) -> None:
    """Run one solver on one instance and print what came out."""
    load(solver)
    result = solve(instance, solver, time_limit=time_limit)
    objective = "-" if result.objective is None else f"{result.objective / 1e6:,.4f}"
    bound = "-" if result.bound is None else f"{result.bound / 1e6:,.4f}"
    print(
        f"{instance.name:10} {solver:13} limit {time_limit:5.0f} s  {result.status:9} "
        f"objective {objective:>14}  bound {bound:>12}  {result.seconds:6.2f} s",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    large = load_instance(ROOT / "instances" / "large.yaml")
    for solver, limit in (("greedy", 30), ("least_loaded", 30), ("local_search", 30), ("local_search", 90)):
        row(large, solver, limit)
    row(large, "milp", 30)
    million = generate(
        name="million",
        models=100,
        types=8,
        replicas=1_000_000,
        machines=400_000,
        slots=(4, 4),
        slo_fraction=0.2,
        tightness=0.7,
        feasible=True,
    )
    for solver in ("greedy", "least_loaded"):
        row(million, solver, 30)


if __name__ == "__main__":
    main()
