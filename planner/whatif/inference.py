"""What the points of a question prove of each other.

*Nested* points: every plan of a tighter point is, as it is or with replicas taken away, a plan of the looser
one that costs no more. So a bound of the looser point holds for the tighter one, and so does a proof that
there is no plan.

*Prices*: a plan that uses u machines of a type costs A + q u if one of them costs q, so the optimum is the
lowest of such lines: concave in q, not falling, and nowhere steeper than the number of machines. A chord of
bounds is a bound between its ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from planner.compiled import Compiled
from planner.plan import Plan
from planner.whatif.point import Point
from planner.whatif.thinning import thinned


class Inference(Protocol):
    """Uses at each point what is known at the others."""

    def prove(self, points: Sequence[Point]) -> None:
        """Take every bound and every proof to all points that it holds for."""

    def carry(self, plan: Plan, point: Point) -> Plan | None:
        """Return a plan, found for another point, as one to try at ``point``; None if it cannot be one."""


@dataclass(frozen=True)
class Nested:
    """Points of which some are looser than others.

    Attributes
    ----------
    looser
        For each point the positions of points of which bounds and proofs hold for it; all of them stand
        before it.
    thins
        Whether points differ in replicas, so that some must be taken away from a plan.
    """

    looser: Sequence[Sequence[int]]
    thins: bool = False

    def prove(self, points: Sequence[Point]) -> None:
        """Take every bound and every proof to all tighter points."""
        for point, positions in zip(points, self.looser, strict=True):
            for other in (points[i] for i in positions):
                if other.infeasible:
                    point.take_infeasible(other.proof_of, other.reasons)
                elif other.bound is not None and not point.infeasible:
                    point.take_bound(other.bound, other.proof_of)

    def carry(self, plan: Plan, point: Point) -> Plan | None:
        """Return the plan without the replicas that the point does not have."""
        return thinned(plan, point.instance.compiled) if self.thins else plan


def rising(c: Compiled) -> bool:
    """Whether no co-location factor falls as a machine fills, so that a replica less never hurts."""
    return bool((c.factor[:, 3:] >= c.factor[:, 2:-1]).all())


def thins(c: Compiled) -> bool:
    """Whether any plan with more replicas can lose some until it has those of ``c`` and keeps its rules.

    It can if pinned replicas and ``min_machines`` leave a choice: beside those that are pinned, one
    replica on each further machine that a model must spread over. Where they do not, ``c`` has no plan.
    """
    pinned = (c.pinned * c.machines[:, None]).sum(axis=0)
    spread = ((c.pinned > 0) * c.machines[:, None]).sum(axis=0)
    needed = pinned + (c.min_machines - spread).clip(min=0)
    return bool((c.replicas >= needed).all())


@dataclass(frozen=True)
class Prices:
    """Points that differ in the price of one machine type.

    Attributes
    ----------
    price
        What a machine of the type adds to the objective at each point, in ppm; ascending.
    machines
        How many machines of it there are.
    """

    price: Sequence[int]
    machines: int

    def prove(self, points: Sequence[Point]) -> None:
        """Take proofs to all points, and bounds along the concave envelope."""
        proven = next((p for p in points if p.infeasible), None)
        if proven is not None:
            for point in points:
                point.take_infeasible(proven.proof_of, proven.reasons)
            return
        at = list(zip(self.price, points, strict=True))
        known = [(q, p.bound, p.proof_of) for q, p in at if p.bound is not None]
        bounds = {q: bound for q, bound, _ in sorted(known)}
        for q, point in at:
            bound = concave_bound(bounds, q, self.machines)
            if bound is not None:
                nearest = min(known, key=lambda one: abs(one[0] - q))
                point.take_bound(bound, nearest[2])

    def carry(self, plan: Plan, point: Point) -> Plan | None:
        """Return the plan: a price rules none out."""
        return plan


def concave_bound(bounds: dict[int, int], at: int, steepest: int) -> int | None:
    """Return a lower bound, rounded up, on a function at ``at``; None if nothing is known of it.

    The function is concave, never falls, is never negative, and no steeper than ``steepest``. ``bounds``
    are lower bounds on it elsewhere, in ascending order.
    """
    if not bounds:
        return None
    hull: list[tuple[int, int]] = []
    for x, y in {0: 0, **bounds}.items():
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    i = bisect_right(hull, at, key=lambda corner: corner[0])
    left = max(y for x, y in hull[:i])
    if i == len(hull):
        return left
    (x1, y1), (x2, y2) = hull[i - 1], hull[i]
    chord = y1 - (y1 - y2) * (at - x1) // (x2 - x1)
    return max(left, chord, *(y - (x - at) * steepest for x, y in hull[i:]))


def _below(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether b is on or below the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])
