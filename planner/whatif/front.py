"""Plans by price and degradation, and what is proven of all plans there are.

Prices M are in units, degradations D in ppm. Every solve with a weight w proves D + w M >= b for all plans,
and every mix of machines a bound on D for plans within it. Together they say for each price what degradation
no plan at most as dear can be below: :meth:`Front.least`. A plan (M, D) is on the front if ``least(M) >= D``
and ``least(M - 1) > D``: none as cheap is better, and each cheaper one is worse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from planner.evaluate import objective_of
from planner.instance import Instance
from planner.plan import Plan
from planner.whatif.prices import Units


@dataclass(frozen=True)
class Choice:
    """A plan, its price in units and its degradation in ppm."""

    price: int
    degradation: int
    plan: Plan


@dataclass
class Front:
    """What is known of the trade between price and degradation.

    Attributes
    ----------
    units
        What prices are counted in.
    choices
        Plans of which none is as good as another in both, by price.
    lines
        ``(weight, bound)``: degradation plus weight times price is at least the bound.
    cheapest
        A lower bound on the price.
    mixes
        ``(price, bound)`` of all mixes of machines: the least degradation within each, infinite where there
        is no plan; empty if they were not looked at.
    """

    units: Units
    choices: list[Choice] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)
    cheapest: int = 0
    mixes: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._asked: Instance = self.units.degradation()

    def add(self, plan: Plan) -> bool:
        """Keep a valid plan unless another is as good in both; return whether it is kept."""
        new = Choice(self.units.price(plan), objective_of(self._asked, plan), plan)
        if any(c.price <= new.price and c.degradation <= new.degradation for c in self.choices):
            return False
        rest = [c for c in self.choices if c.price < new.price or c.degradation < new.degradation]
        self.choices = sorted([*rest, new], key=lambda c: c.price)
        return True

    def least(self, price: int) -> float:
        """Return a bound on the degradation of plans of at most this price; infinite if there is none."""
        if price < self.cheapest:
            return inf
        by_weight = max((bound - weight * price for weight, bound in self.lines), default=0)
        by_mix = min((bound for dear, bound in self.mixes if dear <= price), default=inf if self.mixes else 0)
        return max(0, by_weight, by_mix)

    def proven(self, choice: Choice) -> bool:
        """Whether it is proven that no plan is better in one and as good in the other."""
        return self.least(choice.price) >= choice.degradation < self.least(choice.price - 1)

    @property
    def complete(self) -> bool:
        """Whether it is proven that no plan beyond the choices is on the front."""
        if not self.choices or not all(map(self.proven, self.choices)):
            return False
        ends = [c.price - 1 for c in self.choices[1:]] + [self.dearest]
        return all(self.least(end) >= c.degradation for c, end in zip(self.choices, ends, strict=True))

    @property
    def dearest(self) -> int:
        """The price of all machines."""
        types = zip(self.units.instance.machine_types, self.units.each, strict=True)
        return sum(m.count * each for m, each in types)
