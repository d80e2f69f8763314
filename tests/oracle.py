"""Brute force: the optimum, and a second opinion on any plan, of instances with a handful of replicas.

Written from the fields of an :class:`Instance` in Python's integers and fractions. It shares no code
with :mod:`planner.evaluate`, :mod:`planner.rules` or any solver, only the rounding that
:mod:`planner.compiled` documents: decimals as written, demands up, capacities and slacks down,
degradations, weights and prices to the nearest part per million.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isnan
from operator import gt, sub

from planner.instance import Background, InferenceModel, Instance, MachineType
from planner.plan import Plan

PPM = 1_000_000

Pattern = tuple[int, ...]  # replicas of each model on one machine


@dataclass(frozen=True)
class Place:
    """Machines that are alike: the free ones of a type, or those of one ``pinned`` entry."""

    type: int
    machines: int
    pins: Pattern
    background: Background
    here: Pattern  # replicas that are here today
    asked: Pattern  # price of each replica more than that, in ppm
    felt: Pattern  # what the background adds to each model, in ppm


@dataclass(frozen=True)
class Answer:
    """The optimum in ppm and a plan that has it; both None if there is no plan."""

    objective: int | None
    plan: Plan | None

    @property
    def feasible(self) -> bool:
        """Whether there is a plan."""
        return self.plan is not None


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a plan (rule names, none if valid), and its objective in ppm."""

    broken: frozenset[str]
    objective: int

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken


def exact(value: float) -> Fraction:
    """Return the decimal that was written."""
    return Fraction(str(float(value)))


class Oracle:
    """The arithmetic of one instance, pattern by pattern, and the search over all plans."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.types: tuple[MachineType, ...] = instance.machine_types
        self.models: tuple[InferenceModel, ...] = instance.models
        self.places = [*self._places()]
        objective = instance.objective
        self.worst = objective == "worst"
        self.alpha, self.beta = {"degradation": (1.0, 0.0), "price": (0.0, 1.0), "worst": (0.0, 0.0)}.get(
            str(objective), (0.0, 0.0)
        )
        if not isinstance(objective, str):
            self.alpha, self.beta = objective.degradation, objective.price
        self.resources = {name for kind in self.types for name in kind.resources}
        self.slack = [[self._slack(kind, m) for m in self.models] for kind in self.types]
        self.need = [[self._need(kind, m) for m in self.models] for kind in self.types]
        self.left = [self._left(place) for place in self.places]

    def _slack(self, kind: MachineType, model: InferenceModel) -> int | None:
        """Return the degradation in whole ppm that still meets the SLO; None if there is none."""
        if model.slo_ms is None or kind.name not in model.latency_ms:
            return None
        return floor((exact(model.slo_ms) / exact(model.latency_ms[kind.name]) - 1) * PPM)

    def _need(self, kind: MachineType, model: InferenceModel) -> dict[str, int]:
        demand = {**model.demand, **model.demand_on.get(kind.name, {})}
        return {resource: ceil(exact(amount) * PPM) for resource, amount in demand.items()}

    def _left(self, place: Place) -> dict[str, int]:
        """Return what background load leaves of each resource; nothing if it takes more than there is."""
        have, taken = self.types[place.type].resources, place.background.demand
        return {
            r: max(floor(exact(have.get(r, 0.0)) * PPM) - ceil(exact(taken.get(r, 0.0)) * PPM), 0)
            for r in self.resources
        }

    def _places(self) -> Iterator[Place]:
        for k, kind in enumerate(self.types):
            pinned = [p for p in self.instance.pinned if p.machine_type == kind.name]
            rest = kind.count - sum(p.machines for p in pinned)
            yield self._place(k, rest, {}, kind.background, {}, {})
            for entry in pinned:
                background = entry.background or kind.background
                yield self._place(
                    k, entry.machines, entry.models, background, entry.here, entry.arrival_price
                )

    def _place(
        self,
        k: int,
        machines: int,
        pins: Mapping[str, int],
        background: Background,
        here: Mapping[str, int],
        prices: Mapping[str, float],
    ) -> Place:
        felt = background.degradation
        return Place(
            type=k,
            machines=machines,
            pins=tuple(pins.get(m.name, 0) for m in self.models),
            background=background,
            here=tuple(max(here.get(m.name, 0), pins.get(m.name, 0)) for m in self.models),
            asked=tuple(round(exact(prices.get(m.name, 0.0)) * PPM) for m in self.models),
            felt=tuple(round(exact(felt.get(m.name, 0.0)) * PPM) for m in self.models),
        )

    # One replica among others ------------------------------------------------------------------

    def neighbours(self, pattern: Pattern, t: int) -> Iterator[tuple[int, int]]:
        """Yield (model, replicas) of what one replica of t shares its machine with."""
        for u, n in enumerate(pattern):
            if beside := n - (u == t):
                yield u, beside

    def added(self, k: int, t: int, u: int, weight: float = 1.0) -> int:
        """Return what one replica of u adds to one of t on type k, times ``weight``, in ppm."""
        value = float(self.instance.degradation[k, t, u])
        return 0 if isnan(value) else round(value * weight * PPM)

    def crowded(self, k: int, pattern: Pattern, pairs: int) -> int:
        """Return a sum over pairs, in ppm, times the co-location factor of this many replicas."""
        known = [(n, f) for n, f in self.types[k].colocation_factor.items() if n <= sum(pattern)]
        factor = exact(max(known)[1]) if known else Fraction(1)
        return floor(pairs * Fraction(round(factor * PPM), PPM) + Fraction(1, 2))

    def suffered(self, place: Place, pattern: Pattern, t: int) -> int:
        """Return the degradation of one replica of t in this pattern, in ppm."""
        beside = sum(n * self.added(place.type, t, u) for u, n in self.neighbours(pattern, t))
        return self.crowded(place.type, pattern, beside) + place.felt[t]

    def misses(self, place: Place, pattern: Pattern, t: int) -> bool:
        """Whether a replica of t is over its SLO."""
        slack = self.slack[place.type][t]
        return slack is not None and self.suffered(place, pattern, t) > slack

    # One machine -------------------------------------------------------------------------------

    def broken_on_machine(self, p: int, pattern: Pattern) -> Iterator[str]:
        """Yield the names of the rules that one machine of place p with this pattern breaks."""
        place = self.places[p]
        kind = self.types[place.type]
        there = [t for t, n in enumerate(pattern) if n]
        if any(n < least for n, least in zip(pattern, place.pins, strict=True)):
            yield "pinned"
        if not all(self._may_use(self.models[t], kind) for t in there):
            yield "permitted"
        if kind.slots is not None and there and sum(pattern) > kind.slots - place.background.slots:
            yield "slots"
        if any(self._used(place.type, pattern, r) > self.left[p][r] for r in self.resources):
            yield "resources"
        if any(self.models[t].miss_price is None and self.misses(place, pattern, t) for t in there):
            yield "slo"
        names = {self.models[t].name for t in there}
        if any(len(names & set(group)) > 1 for group in self.instance.rules.keep_apart):
            yield "keep_apart"
        limits = self.instance.rules.max_per_machine
        if any(n > limits.get(m.name, n) for m, n in zip(self.models, pattern, strict=True)):
            yield "max_per_machine"

    def _may_use(self, model: InferenceModel, kind: MachineType) -> bool:
        rules = self.instance.rules
        allowed = kind.name in rules.allow.get(model.name, (kind.name,))
        return kind.name in model.latency_ms and allowed and kind.name not in rules.forbid.get(model.name, ())

    def _used(self, k: int, pattern: Pattern, resource: str) -> int:
        return sum(n * self.need[k][t].get(resource, 0) for t, n in enumerate(pattern))

    def cost(self, place: Place, pattern: Pattern) -> int:
        """Return what one machine with this pattern adds to the objective, or its ``worst``, in ppm."""
        there = [t for t, n in enumerate(pattern) if n]
        if not there:
            return 0
        if self.worst:
            return max(self.suffered(place, pattern, t) for t in there)
        total = round(exact(self.beta * self.types[place.type].price) * PPM)
        for t in there:
            weight = self.alpha * self.models[t].weight
            each = sum(n * self.added(place.type, t, u, weight) for u, n in self.neighbours(pattern, t))
            each = self.crowded(place.type, pattern, each) + round(place.felt[t] * weight)
            if self.models[t].miss_price is not None and self.misses(place, pattern, t):
                each += round(exact(self.models[t].miss_price or 0.0) * PPM)
            total += pattern[t] * each + place.asked[t] * max(0, pattern[t] - place.here[t])
        return total

    # A plan ------------------------------------------------------------------------------------

    def judge(self, plan: Plan) -> Verdict:
        """Return which rules a plan breaks, and its objective."""
        broken: set[str] = set()
        machines = [0] * len(self.places)
        placed, spread = [0] * len(self.models), [0] * len(self.models)
        costs = [0]
        for p, copies, counts in plan.patterns():
            pattern = tuple(counts.get(t, 0) for t in range(len(self.models)))
            broken |= set(self.broken_on_machine(p, pattern))
            machines[p] += copies
            costs.append(self.cost(self.places[p], pattern) * (1 if self.worst else copies))
            for t, n in counts.items():
                placed[t] += n * copies
                spread[t] += copies
        if placed != [m.replicas for m in self.models]:
            broken.add("replicas")
        for place, used in zip(self.places, machines, strict=True):
            if used > place.machines:
                broken.add("machines")
            if any(place.pins) and used < place.machines:
                broken.add("pinned")
        wanted = self.instance.rules.min_machines
        if any(n < wanted.get(m.name, 0) for m, n in zip(self.models, spread, strict=True)):
            broken.add("min_machines")
        return Verdict(frozenset(broken), max(costs) if self.worst else sum(costs))

    def solve(self) -> Answer:
        """Return the optimum over all plans.

        Machines are filled one after the other; of all ways that leave the same replicas to place and
        have the same models spread as far, only the cheapest goes on.
        """
        wanted = [self.instance.rules.min_machines.get(m.name, 0) for m in self.models]
        start = (tuple(m.replicas for m in self.models), (0,) * len(self.models))
        best: dict[tuple[Pattern, Pattern], tuple[int, Chosen]] = {start: (0, ())}
        for p, place in enumerate(self.places):
            patterns = [(c, self.cost(place, c)) for c in self._feasible(p)] if place.machines else []
            for _ in range(place.machines):
                best = self._fill_one(best, p, patterns, wanted)
        end = best.get(((0,) * len(self.models), tuple(wanted)))
        if end is None:
            return Answer(None, None)
        objective, chosen = end
        return Answer(objective, Plan.from_patterns((p, 1, dict(enumerate(c))) for p, c in chosen))

    def _feasible(self, p: int) -> list[Pattern]:
        ranges = [range(m.replicas + 1) for m in self.models]
        return [c for c in itertools.product(*ranges) if not any(self.broken_on_machine(p, c))]

    def _fill_one(
        self,
        best: Mapping[tuple[Pattern, Pattern], tuple[int, Chosen]],
        p: int,
        patterns: list[tuple[Pattern, int]],
        wanted: list[int],
    ) -> dict[tuple[Pattern, Pattern], tuple[int, Chosen]]:
        after: dict[tuple[Pattern, Pattern], tuple[int, Chosen]] = {}
        for (left, spread), (before, chosen) in best.items():
            for pattern, cost in patterns:
                if any(map(gt, pattern, left)):
                    continue
                rest = tuple(map(sub, left, pattern))
                wide = tuple(min(s + (n > 0), w) for s, n, w in zip(spread, pattern, wanted, strict=True))
                total = max(before, cost) if self.worst else before + cost
                known = after.get((rest, wide))
                if known is None or total < known[0]:
                    after[rest, wide] = (total, (*chosen, (p, pattern)))
        return after


Chosen = tuple[tuple[int, Pattern], ...]  # a place and a pattern for each machine so far


def solve(instance: Instance) -> Answer:
    """Return the optimum of ``instance`` and a plan that has it."""
    return Oracle(instance).solve()


def judge(instance: Instance, plan: Plan) -> Verdict:
    """Return which rules ``plan`` breaks, and its objective."""
    return Oracle(instance).judge(plan)
