"""The front of degradation and price: weighted sums, and every mix of machines where these are few.

The ends are the cheapest plan (:mod:`planner.whatif.cheapest`) and the one with the least degradation.
Between two neighbours (M1, D1) and (M2, D2) the weight (D1 - D2) / (M2 - M1), rounded down, makes both cost
the same: the optimum for it is a plan below the line through them, or proves that there is none. The least of
D + w M is concave in w, so weights solved before bound it for others, and may answer without a solve (Aneja
and Nair, "Bicriteria Transportation Problem", Management Science 25, 1979).

Plans above such lines, that no weight finds, are found by limiting the machines to each mix there is.
"""

from __future__ import annotations

from math import inf

from planner.errors import InputError
from planner.whatif import mixes
from planner.whatif.cheapest import Cheapest, cheapest
from planner.whatif.front import Choice, Front
from planner.whatif.inference import concave_bound
from planner.whatif.point import Point
from planner.whatif.prices import Units
from planner.whatif.work import Work

_CHEAPEST = 0.3  # share of the time
_EACH = 2.0  # shares of what is left for each weight


def pareto(units: Units, work: Work, most: int) -> tuple[Cheapest, Front]:
    """Return the cheapest plan and the front, as far as ``work`` gets.

    Weights look for at most ``most`` plans; where all mixes of machines were looked at there may be more.
    """
    front = Front(units)
    first = cheapest(units, work, _CHEAPEST * work.left)
    if first.plan is None:
        return first, front
    front.cheapest = first.units_bound or 0
    if first.weight is not None and first.weighed_bound is not None:
        front.lines.append((first.weight, first.weighed_bound))
    front.add(first.plan)
    _weigh(front, work, 0, most)
    _weigh(front, work, 1, most)
    tried: set[tuple[int, int]] = set()
    while len(front.choices) < most and not work.over and (pair := _widest(front, tried)) is not None:
        a, b = pair
        tried.add((a.price, b.price))
        _weigh(front, work, max(1, (a.degradation - b.degradation) // (b.price - a.price)), most)
    if not work.over and not front.complete:
        _mix(front, work)
    return first, front


def _widest(front: Front, tried: set[tuple[int, int]]) -> tuple[Choice, Choice] | None:
    """Return the neighbours with the most between them that were not looked between."""
    pairs = [p for p in zip(front.choices, front.choices[1:], strict=False) if _open(front, *p)]
    left = [(a, b) for a, b in pairs if (a.price, b.price) not in tried]
    return max(left, key=lambda pair: _area(*pair), default=None)


def _area(a: Choice, b: Choice) -> int:
    return (b.price - a.price) * (a.degradation - b.degradation)


def _open(front: Front, a: Choice, b: Choice) -> bool:
    """Whether there may be a plan between two neighbours."""
    return front.least(b.price - 1) < a.degradation and b.price - a.price > 1


def _weigh(front: Front, work: Work, weight: int, most: int) -> None:
    """Minimise degradation plus ``weight`` for each unit of price, unless that is known."""
    if work.over:
        return
    try:
        point = front.units.weighted(weight)
    except InputError:  # too large to weigh
        return
    for choice in front.choices:
        point.take_plan(choice.plan, "")
    known = concave_bound(dict(sorted(front.lines)), weight, front.dearest)
    if known is not None:
        point.take_bound(known, "")
    if point.open:
        work.attempt(point, work.left * min(0.5, _EACH / max(1, most - len(front.choices))))
    if point.bound is not None:
        front.lines.append((weight, point.bound))
    if point.plan is not None:
        front.add(point.plan)


def _mix(front: Front, work: Work) -> None:
    """Look at every mix of machines, if there are few."""
    counts = mixes.mixes(front.units)
    if not counts:
        return
    points, inference = mixes.points(front.units, counts)
    for point in points:
        least = front.least(int(point.value))
        if least == inf:
            point.take_infeasible("weights", ("it is cheaper than the cheapest plan",))
        else:
            point.take_bound(int(least), "weights")
        for choice in front.choices:
            if not point.infeasible:
                point.take_plan(choice.plan, "weights")
    work.settle(points, inference)
    front.mixes = [(int(p.value), _proven(p)) for p in points]
    for point in points:
        if point.plan is not None:
            front.add(point.plan)


def _proven(point: Point) -> float:
    return inf if point.infeasible else (point.bound or 0)
