"""Capacity questions beside independent solves of each of their points.

Run as ``python -m benchmarks.whatif [NAME ...]``, on ``medium`` and ``large``. Prints the machine, then for
each question the seconds of solving every point alone, one after the other without a start, and those of
the sweep, how many solves it made, and the widest and the mean gap of each. Points of which both know the
optimum must agree.

On ``medium`` there is time to prove everything. On ``large`` (20,000 replicas) few solves prove the last
of the gap, so each point alone has 10 s and the sweep has 60 s for all 20.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.machine import fingerprint, in_words
from planner.files import load_instance
from planner.instance import Instance, Objective
from planner.result import Result, Status
from planner.whatif import ranges, sweeps
from planner.whatif.point import Point
from planner.whatif.sweeps import Sweep
from planner.whatif.work import Work
from solvers import load, solve

ROOT = Path(__file__).resolve().parent.parent
_POINTS = 20
_ASKED = {"medium": ("slo", "price", "growth", "machines"), "large": ("slo", "machines")}
_LIMITS = {"medium": (60.0, 300.0), "large": (10.0, 60.0)}  # seconds for a point alone, for a sweep


@dataclass(frozen=True)
class Column:
    """How one of the two went."""

    seconds: float
    processor: float  # seconds of all threads; other load on the machine does not count
    solves: int
    statuses: list[Status]
    objectives: list[int | None]
    gaps: list[float | None]

    def __str__(self) -> str:
        known = [gap for gap in self.gaps if gap is not None]
        proven = sum(status in (Status.OPTIMAL, Status.INFEASIBLE) for status in self.statuses)
        gaps = f"{100 * max(known):.4f} % {100 * sum(known) / len(known):.4f} %" if known else "- -"
        spent = f"{self.seconds:7.1f} s {self.processor:7.1f} s of processor"
        return f"{spent} {self.solves:3} solves {proven:3} proven  gaps {gaps}"


def questions(instance: Instance) -> dict[str, Callable[[], Sweep]]:
    """Return the sweeps of one instance, 20 points each."""
    kind = instance.machine_types[0]
    step = kind.count // 20
    low = kind.count - 4 * step
    counted = ranges.counts(f"{low}..{low + step * (_POINTS - 1)}:{step}", "machines")
    priced = instance.replace(objective=Objective(degradation=1.0, price=0.1))
    return {
        "machines": partial(sweeps.machines, instance, kind.name, counted),
        "slo": partial(sweeps.slo, instance, ranges.decimals(f"0.9..1.3:{_POINTS}", "slo")),
        "growth": partial(sweeps.growth, instance, ranges.decimals(f"0.9..1.2:{_POINTS}", "growth")),
        "price": partial(sweeps.price, priced, kind.name, ranges.decimals(f"1..4:{_POINTS}", "price")),
    }


def alone(points: Sequence[Point], limit: float) -> Column:
    """Solve every point without what is known of the others."""
    before = time.process_time()
    results = [solve(point.instance, "auto", time_limit=limit) for point in points]
    return _column(results, sum(r.seconds for r in results), before, len(results))


def together(sweep: Sweep, limit: float) -> Column:
    """Solve the sweep."""
    before = time.process_time()
    work = Work(partial(solve, solver="auto"), limit)
    work.settle(sweep.points, sweep.inference)
    return _column([p.result("auto", 0) for p in sweep.points], work.seconds, before, work.solves)


def _column(results: Sequence[Result], seconds: float, before: float, solves: int) -> Column:
    return Column(
        seconds,
        time.process_time() - before,
        solves,
        [r.status for r in results],
        [r.objective for r in results],
        [r.gap for r in results],
    )


def contradictions(a: Column, b: Column) -> int:
    """Return at how many points the two cannot both be right."""
    wrong = 0
    for first, second, x, y in zip(a.statuses, b.statuses, a.objectives, b.objectives, strict=True):
        both = first is second is Status.OPTIMAL and x != y
        refused = {first, second} == {Status.INFEASIBLE, Status.OPTIMAL}
        wrong += both or refused
    return wrong


def main() -> None:
    """Print the table."""
    load("auto")
    print(in_words(fingerprint()), flush=True)
    for name in sys.argv[1:] or list(_LIMITS):
        each, limit = _LIMITS[name]
        asks = questions(load_instance(ROOT / "instances" / f"{name}.yaml"))
        for question in _ASKED[name]:
            ask = asks[question]
            swept = together(ask(), limit)
            cold = alone(ask().points, each)
            head = f"{name:7} {question:10} {len(cold.statuses):3} points"
            print(f"{head}  alone    {cold}")
            print(f"{head}  together {swept}  contradictions {contradictions(cold, swept)}", flush=True)


if __name__ == "__main__":
    main()
