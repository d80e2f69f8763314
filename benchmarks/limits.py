"""Time limits: whether ``auto`` ends in time with a plan that is no worse than greedy's.

Run as ``python -m benchmarks.limits``; ``--limits 1 5`` picks the limits. One row an instance and limit; the
exit code is 1 if any is more than a second late, has no plan, or a plan worse than greedy's. Each is solved
in a child, as ``planner plan`` does it, which has touched little memory before. That the checker accepts a
plan, and that no bound is above its objective, :func:`solvers.solve` makes sure of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from benchmarks.bounds import fleet
from benchmarks.distinct import crowded, quadratic
from benchmarks.machine import fingerprint, in_words
from planner.generate import generate
from planner.instance import Instance
from solvers.child import solve_in_child

LIMITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
LATE = 1.0


def instances() -> Iterator[Instance]:
    """Yield instances of every regime, those that end early last."""
    yield fleet(100, 3, 20_000, 6_000, (4, 6))
    yield fleet(200, 8, 100_000, 30_000, (4, 6))
    yield fleet(100, 3, 20_000, 3_000, (8, 12))
    yield generate(name="worst", models=40, replicas=4_000, types=3, feasible=True, objective="worst", seed=1)
    yield generate(name="price", models=40, replicas=4_000, types=3, feasible=True, objective="price", seed=1)
    yield crowded(800, 8, "random", slots=True)
    yield crowded(2_000, 15, "geometric", slots=True)
    yield crowded(5_000, 15, "random", slots=True)
    yield quadratic(45, 0.75, 150, types=2)


def main() -> int:
    """Print the table; return 1 if a limit or a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS)
    limits: list[float] = parser.parse_args().limits
    print(f"auto on {in_words(fingerprint())}\n")
    print("| instance | limit, s | late, s | objective | greedy | bound |\n|---|---:|---:|---:|---:|---:|")
    broken = 0
    for instance in instances():
        greedy = solve_in_child(instance, "greedy", time_limit=600.0).objective
        for limit in limits:
            result = solve_in_child(instance, time_limit=limit)
            late = result.seconds - limit
            worse = result.objective is None or (greedy is not None and result.objective > greedy)
            broken += late > LATE or worse
            shown = ("-" if v is None else f"{v / 1e6:.4f}" for v in (result.objective, greedy, result.bound))
            print(f"| {instance.name} | {limit:g} | {late:.2f} | {' | '.join(shown)} |", flush=True)
    print(f"\n{broken} broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
