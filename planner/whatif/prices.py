"""Prices in whole units, so that degradation and price can be weighed against each other exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from planner.errors import InputError
from planner.instance import Instance, Objective
from planner.integers import PPM, ppm
from planner.plan import Plan
from planner.whatif.point import Point


@dataclass(frozen=True)
class Units:
    """The prices of an instance's machine types as multiples of their greatest common divisor.

    Attributes
    ----------
    unit
        The divisor, in ppm; every price of a plan is a multiple of it.
    each
        The price of a machine of each type in units, shape (K,).
    """

    instance: Instance
    unit: int
    each: tuple[int, ...]

    @classmethod
    def of(cls, instance: Instance) -> Units:
        """Return the units of an instance's prices.

        Raises
        ------
        InputError
            If every machine is free, so that there is nothing to weigh.
        """
        prices = [ppm(m.price) if m.count else 0 for m in instance.machine_types]
        unit = gcd(*prices)
        if unit == 0:
            raise InputError("must be above 0 for some machine type", field="machine_types.price", value=0)
        return cls(instance, unit, tuple(p // unit for p in prices))

    def used(self, plan: Plan) -> tuple[int, ...]:
        """Return how many machines of each type a plan uses, shape (K,)."""
        kind = self.instance.compiled.type_of[plan.pool]
        return tuple(int(plan.machines[kind == k].sum()) for k in range(len(self.each)))

    def price(self, plan: Plan) -> int:
        """Return the price of a plan in units."""
        return sum(n * each for n, each in zip(self.used(plan), self.each, strict=True))

    def cheapest(self) -> Point:
        """Return the point whose objective is the price alone; soft SLOs do not count."""
        free = {"miss_price": 0.0}
        models = (m if m.miss_price is None else m.model_copy(update=free) for m in self.instance.models)
        asked = self.instance.replace(models=tuple(models), objective="price")
        return Point("cheapest", Fraction(0), asked, unit=self.unit)

    def weighted(self, weight: int) -> Point:
        """Return the point that minimises degradation plus ``weight`` ppm for each unit of price.

        Raises
        ------
        InputError
            If that is too large for 64-bit integers.
        """
        prices = [float(Fraction(weight * each, PPM)) for each in self.each]
        types = self.instance.machine_types
        priced = tuple(m.model_copy(update={"price": p}) for m, p in zip(types, prices, strict=True))
        asked = self.instance.replace(machine_types=priced, objective=Objective(degradation=1.0, price=1.0))
        if asked.compiled.price.tolist() != [weight * self.each[k] for k in asked.compiled.type_of]:
            rule = "numbers are too large to weigh price against degradation"
            raise InputError(rule, field="machine_types.price", value=max(prices))
        return Point(f"weight {weight}", Fraction(weight), asked)

    def degradation(self) -> Instance:
        """Return the instance with the objective ``degradation``."""
        return self.instance.replace(objective="degradation")
