"""Replanning: what moves buy, and how close to the best within so many moves.

Run as ``python -m benchmarks.replan``. The plan that runs today is least-loaded's on the medium instance (200
replicas on 60 machines) and greedy's on the large one (20,000 on 6,000); each row is a replanning of its own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.machine import fingerprint, in_words
from planner.current import current
from planner.files import load_instance
from planner.integers import PPM
from planner.move_order import Kind, order
from planner.plan_files import plan_document
from planner.plan_form import PlanFile
from solvers import solve
from solvers.replan import replan

INSTANCES = Path(__file__).parent.parent / "instances"
CASES = (
    ("medium", "least_loaded", (0, 5, 20, 60, None)),
    ("large", "greedy", (100, 1_000, None)),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=30.0)
    limit = parser.parse_args().time_limit
    print(f"{limit:g} s each, on {in_words(fingerprint())}\n")
    print(
        "| instance | today | moves allowed | moved | objective | bound | gap | detours | pauses | seconds |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, solver, allowed in CASES:
        instance = load_instance(INSTANCES / f"{name}.yaml")
        before = solve(instance, solver, time_limit=limit)
        now = current(PlanFile.model_validate(plan_document(instance, before)), instance)
        for most in allowed:
            began = time.monotonic()
            found = replan(now, max_moves=most, time_limit=limit)
            seconds, best, bound = time.monotonic() - began, found.best, found.bound
            if best is None or bound is None:
                print(f"| {name} | {solver} | {most} | {'; '.join(found.reasons)} |", flush=True)
                continue
            way = order(now, best.became)
            gap = 100 * (best.objective - bound) / max(best.objective, 1)
            shown = "any" if most is None else f"{most:,}"
            values = f"{best.moves:,} | {best.objective / PPM:,.4f} | {bound / PPM:,.4f} | {gap:.2g} %"
            ways = f"{way.count(Kind.PARK)} | {way.count(Kind.PAUSE)} | {seconds:.0f}"
            print(f"| {name} | {solver} | {shown} | {values} | {ways} |", flush=True)


if __name__ == "__main__":
    main()
