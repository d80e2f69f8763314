"""The cheapest mix of machines that meets every hard SLO, and the least degradation at its price.

First the price alone is minimised. Prices of plans are multiples of a unit
(:class:`planner.whatif.prices.Units`), so a bound is rounded up to the next one. Then degradation plus W for
each unit is minimised, where W is above the degradation of the plan found: a plan that is a unit dearer costs
more than that plan, so the best one is no dearer, and of all as cheap it has the least degradation.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.errors import InputError, SolverError
from planner.evaluate import objective_of
from planner.plan import Plan
from planner.whatif.point import Point
from planner.whatif.prices import Units
from planner.whatif.work import LEAST, Work

_FIRST = 0.5  # share of the time for the price alone


@dataclass(frozen=True)
class Cheapest:
    """The cheapest plan found, and what is proven of it.

    Attributes
    ----------
    units
        What prices are counted in.
    price
        The point that minimises the price; its status is that of the answer.
    plan
        The plan; None if there is none.
    degradation, degradation_bound
        Its degradation, as the objective ``degradation`` counts it, and a lower bound on that of any plan
        of the same price, in ppm.
    weight, weighed_bound
        Degradation plus ``weight`` for each unit of price is at least ``weighed_bound`` for every plan; None
        if that was not asked or is not known.
    notes
        What must be said with it.
    """

    units: Units
    price: Point
    plan: Plan | None = None
    degradation: int | None = None
    degradation_bound: int | None = None
    weight: int | None = None
    weighed_bound: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def units_bound(self) -> int | None:
        """A lower bound on the price of any plan, in units."""
        return None if self.price.bound is None else self.price.bound // self.units.unit


def cheapest(units: Units, work: Work, time_limit: float) -> Cheapest:
    """Return the cheapest mix of machines as far as ``work`` gets in ``time_limit`` seconds."""
    end = work.seconds + time_limit
    point = units.cheapest()
    if point.open:
        work.attempt(point, _FIRST * time_limit)
    if point.plan is None:
        return Cheapest(units, point)
    asked = units.degradation()
    first = objective_of(asked, point.plan)
    weight = first + 1
    try:
        weighed = units.weighted(weight)
    except InputError as error:
        return Cheapest(units, point, point.plan, first, notes=(f"degradation was not minimised: {error}",))
    weighed.take_plan(point.plan, point.label)
    if weighed.open and not work.over:
        work.attempt(weighed, min(work.left, max(end - work.seconds, LEAST)))
    plan = weighed.plan or point.plan
    if point.take_plan(plan, weighed.label) or units.price(plan) * units.unit == point.objective:
        degradation = objective_of(asked, plan)
        bound = None if weighed.bound is None else max(0, weighed.bound - weight * units.price(plan))
        return Cheapest(units, point, plan, degradation, bound, weight, weighed.bound)
    raise SolverError("a plan that costs less in degradation and price together is dearer than the cheapest")
