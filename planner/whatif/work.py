"""Solves the points of a question within one time limit, as few of them as it takes.

The ends first, then the middle of the longest run of open points that were not solved; each plan, bound and
proof is used wherever it holds. So equal ends settle everything between them, and where plans begin is found
by bisection. Time that is left goes to the widest gaps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from planner.result import Progress, Solve, Stop
from planner.whatif.inference import Inference
from planner.whatif.point import Point

LEAST = 0.1  # seconds; a shorter solve finds nothing
_AHEAD = 2.0  # shares of the time for each end, because the others live on them
_FIRST = 1.0  # seconds at first: solvers search for a share of their limit before they prove
_LONGER = 3.0  # times as long, where that was not enough
_SMALL = 1e-3  # a gap that can wait until all points were solved


class Work:
    """Solves within a time limit for all of them together, until it is over or interrupted.

    Parameters
    ----------
    solve, seed, solver
        The way into the solvers, and which of them to use with which seed.
    time_limit
        Seconds for everything, from now on.
    """

    def __init__(self, solve: Solve, time_limit: float, seed: int = 0, solver: str = "auto") -> None:
        self._solve, self._solver, self._seed, self._limit = solve, solver, seed, time_limit
        self._began = time.monotonic()
        self._enough = _FIRST
        self.interrupted = False
        self.solves = 0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the time limit; may be negative."""
        return self._limit - self.seconds

    @property
    def over(self) -> bool:
        """Whether there is no more solving to do: no time left, or interrupted."""
        return self.interrupted or self.left < LEAST

    def attempt(self, point: Point, time_limit: float) -> None:
        """Solve one point, until what is known elsewhere of it proves its plan optimal."""
        satisfied = False

        def on_progress(now: Progress) -> bool:
            nonlocal satisfied
            satisfied = satisfied or _closed(point, now)
            return satisfied

        self.solves += 1
        point.solves += 1
        point.longest = max(point.longest, time_limit)
        try:
            result = self._solve(
                point.instance,
                self._solver,
                time_limit=time_limit,
                seed=self._seed,
                start=point.plan,
                on_progress=on_progress,
            )
        except KeyboardInterrupt:
            self.interrupted = True
            return
        self.interrupted |= result.stop is Stop.INTERRUPTED and not satisfied
        point.exhausted = result.stop in (Stop.FINISHED, Stop.FAILED)
        point.take(result)

    def settle(self, points: Sequence[Point], inference: Inference) -> None:
        """Solve points until nothing is open or the work is over."""
        try:
            inference.prove(points)
            while not self.over and (i := _next(points, self.left)) is not None:
                waiting = sum(p.open and not p.exhausted for p in points)
                ends = _AHEAD if sum(p.solves > 0 for p in points) < 2 else 1.0
                share = self.left * (min(0.5, ends / waiting) if waiting > 1 else 1.0)
                self._persist(points[i], min(max(share, _LONGER * points[i].longest), self.left))
                _share(points, i, inference)
        except KeyboardInterrupt:  # between two solves; a solve itself hands back what it has
            self.interrupted = True

    def _persist(self, point: Point, most: float) -> None:
        """Solve one point for longer and longer, from what was enough for the one before."""
        limit = min(max(self._enough, _LONGER * point.longest), most)
        self.attempt(point, limit)
        while _wideness(point) > _SMALL and not point.exhausted and limit < most and not self.over:
            limit = min(_LONGER * limit, most, self.left)
            self.attempt(point, limit)
        self._enough = limit


def _share(points: Sequence[Point], i: int, inference: Inference) -> None:
    """Use what was found at point i at all the others."""
    inference.prove(points)
    plan = points[i].plan
    if plan is None or points[i].plan_of != points[i].label:
        return
    for point in points:
        if point is not points[i] and point.open:
            carried = inference.carry(plan, point)
            if carried is not None:
                point.take_plan(carried, points[i].label)


def _closed(point: Point, now: Progress) -> bool:
    """Whether what a solve reports and what is known of its point leave nothing to find."""
    objectives = [v for v in (point.objective, now.objective) if v is not None]
    bounds = [-(-v // point.unit) * point.unit for v in (point.bound, now.bound) if v is not None]
    return bool(objectives and bounds and max(bounds) >= min(objectives))


def _next(points: Sequence[Point], left: float) -> int | None:
    """Return which point to solve next; None if there is nothing that ``left`` seconds could change."""
    fresh = [i for i, p in enumerate(points) if p.open and not p.solves]
    solved = [i for i, p in enumerate(points) if p.solves]
    if fresh:
        if not solved or fresh[0] < solved[0]:
            return fresh[0]
        return fresh[-1] if fresh[-1] > solved[-1] else _middle(fresh)
    waiting = [i for i, p in enumerate(points) if p.open and not p.exhausted and p.longest < left]
    return max(waiting, key=lambda i: _wideness(points[i]), default=None)


def _wideness(point: Point) -> float:
    """Return the gap of a point that is open, infinite if it has none, 0 if nothing is left to find."""
    if not point.open:
        return 0.0
    return inf if point.gap is None else point.gap


def _middle(positions: Sequence[int]) -> int:
    """Return the middle of the longest run of consecutive positions."""
    runs: list[list[int]] = []
    for i in positions:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    longest = max(runs, key=len)
    return longest[len(longest) // 2]
