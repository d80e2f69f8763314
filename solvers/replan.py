"""Replanning: the best plan within N moves of what runs today, or at a price for each move.

With f the objective and a the *arrivals*, the replicas that come to a machine that they are not on today
(moves, and the replicas that have no machine yet, whose number z does not depend on the plan), it is

    min f(plan)   s.t.   a(plan) <= N + z                                              (1)

*Lagrangian relaxation.* At a price C of an arrival, ``L(C) = min f + C a`` is an ordinary instance in which
holdings are pools (:func:`planner.current.priced`), and any solver plans it. Its bound gives one for (1):
``f >= L(C) - C (N + z)``. The search over C is dichotomic: between a plan within N moves and a better one
with more, the next price is the slope between the two, at which both cost the same; what is cheaper than
both replaces one of them. Every plan found on the way is a point of the curve of objective against moves.

*Closing the gap.* Plans between the corners of the lower convex hull are the cheapest at no price. The
mixed-integer program of :mod:`solvers.within_moves`, with (1) as a row, finds them.

Where there are more than :data:`_POOLS` holdings, local search plans the priced instances, without a bound;
then only the unrestricted optimum bounds (1).

Source: H. Everett, "Generalized Lagrange Multiplier Method for Solving Problems of Optimum Allocation of
Resources", Operations Research 11, 1963; Y. P. Aneja, K. P. K. Nair, "Bicriteria Transportation Problem",
Management Science 25, 1979, for the dichotomic search.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, isfinite

from planner.current import Current, joined, priced, split
from planner.errors import InputError
from planner.evaluate import objective_of, verdict
from planner.instance import Instance
from planner.integers import PPM
from planner.moves import moved, turns
from planner.plan import Plan
from planner.replanned import Point, Replanned
from planner.result import OnProgress, Progress, Result, Status, Stop
from solvers import load, solve
from solvers.run import Run
from solvers.within_moves import closest

_POOLS = 150
_FREE, _FEWEST, _STEP, _CLOSING = 0.3, 0.2, 0.3, 0.6  # shares of the time left
_BRIEF = 0.2  # seconds that no solve is worth less than


def replan(
    now: Current,
    *,
    max_moves: int | None = None,
    move_price: int | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Replanned:
    """Return the best plan within ``max_moves``, or at ``move_price`` a move; with neither, the best at all.

    Parameters
    ----------
    max_moves
        Most replicas that may leave their machine for another.
    move_price
        In ppm of the objective.

    Raises
    ------
    InputError
        If the objective is ``worst``, in which moves can have no price, or both limits are given.
    """
    if now.instance.compiled.worst:
        raise InputError("cannot be 'worst' for replanning: moves have no price in it", field="objective")
    if not (time_limit > 0 and isfinite(time_limit)):
        raise InputError("must be a positive number of seconds", field="time_limit", value=time_limit)
    if max_moves is not None and move_price is not None:
        raise InputError("cannot be given beside a price of moves", field="max_moves", value=max_moves)
    for solver in ("auto", "milp"):  # compile before the clock starts
        load(solver)
    search = _Search(now, Run(time_limit=time_limit, seed=seed, on_progress=on_progress), max_moves)
    without = search.begin()
    if without is not None:
        return without
    if move_price is not None:
        search.at(move_price, _CLOSING)
    elif max_moves is not None:
        search.approach(max_moves)
    search.refine()
    return search.answer(move_price)


@dataclass
class _Search:
    """The best plan for each number of moves, and what was proven at each price."""

    now: Current
    run: Run
    most: int | None
    points: dict[int, Point] = field(default_factory=dict)
    proven: dict[int, int] = field(default_factory=dict)  # price of an arrival -> L(price)
    limited: dict[int, int] = field(default_factory=dict)  # moves -> a bound on plans within them
    fewest: int = 0

    def begin(self) -> Replanned | None:
        """Find the best plan at all and one of few moves; return an answer if there is no plan."""
        instance, today = self.now.instance, self.now.plan()
        valid = today is not None and not verdict(instance, today).violations
        start = self._keep(today).plan if today is not None and valid else None
        result = self._solve(instance, "auto", _FREE, start)
        if result.plan is None:
            infeasible = result.status is Status.INFEASIBLE
            return Replanned(infeasible=infeasible, reasons=result.reasons, stop=result.stop)
        self.proven[0] = result.bound or 0
        found = self._keep(result.plan)
        if not valid:
            self._seek_fewest(found)
        return None

    def _seek_fewest(self, known: Point) -> None:
        """Look for the fewest moves that any plan needs, and for the best plan of those."""
        counted = _only_arrivals(priced(self.now, PPM))
        result = self._solve(counted, self._solver, _FEWEST, split(self.now, known.became))
        if result.plan is not None:
            self._keep(joined(self.now, result.plan))
        self.fewest = max(-(-(result.bound or 0) // PPM) - self.now.placements, 0)
        self.at(min(self.points.values(), key=lambda p: p.moves).objective + 1, _FEWEST)

    @property
    def _solver(self) -> str:
        return "auto" if len(self.now.holdings) <= _POOLS else "local_search"

    def at(self, price: int, share: float) -> None:
        """Plan at a price of arrivals, for a share of the time left."""
        cheapest = min(self.points.values(), key=lambda p: p.cost(price))
        result = self._solve(priced(self.now, price), self._solver, share, split(self.now, cheapest.became))
        if result.plan is not None:
            self._keep(joined(self.now, result.plan))
        self.proven[price] = max(self.proven.get(price, 0), result.bound or 0)

    def approach(self, most: int) -> None:
        """Look for better plans within so many moves."""
        while self._within(most) and (more := [p for p in self._front() if p.moves > most]):
            if not self._between(self._within(most)[-1], more[0]):
                break
        start = self._within(most)[-1] if self._within(most) else None
        if self.run.stopping or (start is not None and self._bound(most) == start.objective):
            return
        found = closest(self.now, self._front(), start, most, self._share(_CLOSING))
        if found.plan is not None:
            self._keep(found.plan)
        self.limited[most] = found.bound
        if found.infeasible:
            self.fewest = max(self.fewest, most + 1)

    def _between(self, low: Point, high: Point) -> bool:
        """Plan at the slope between two points; return whether that found a plan below both."""
        price = (low.objective - high.objective) // (high.moves - low.moves)
        if price < 1 or price in self.proven or self.run.remaining < _BRIEF or self.run.stopping:
            return False
        below = min(p.cost(price) for p in self.points.values())
        self.at(price, _STEP)
        return min(p.cost(price) for p in self.points.values()) < below

    def refine(self) -> None:
        """Find more points of the curve, between neighbours, as long as that finds any."""
        open_ = True
        while open_:
            open_ = any(self._between(low, high) for low, high in pairwise(self._front()))

    def _front(self) -> list[Point]:
        """Return the points that no other beats, by rising moves."""
        front: list[Point] = []
        for moves in sorted(self.points):
            if not front or self.points[moves].objective < front[-1].objective:
                front.append(self.points[moves])
        return front

    def _within(self, most: float) -> list[Point]:
        return [p for p in self._front() if p.moves <= most]

    def _bound(self, moves: int) -> int:
        """Return a bound on the objective of every plan within so many moves."""
        arrivals = moves + self.now.placements
        by_price = (value - price * arrivals for price, value in self.proven.items())
        return max(*by_price, *(v for n, v in self.limited.items() if n >= moves), 0)

    def answer(self, price: int | None) -> Replanned:
        """Return what was found, at this price of a move or within ``most`` of them."""
        curve = tuple(dataclasses.replace(p, bound=self._bound(p.moves)) for p in self._front())
        stop = self.run.stop
        if price is not None:
            best = min(curve, key=lambda p: p.cost(price))
            paid = (
                value - c * self.now.placements + (price - c) * self.fewest
                for c, value in self.proven.items()
                if c <= price
            )
            return Replanned(best, max(paid), self.proven[0], curve, self.fewest, stop=stop)
        fits = [p for p in curve if self.most is None or p.moves <= self.most]
        if fits:
            bound = self.proven[0] if self.most is None else self._bound(self.most)
            return Replanned(fits[-1], bound, self.proven[0], curve, self.fewest, stop=stop)
        proven = self.fewest > (self.most or 0)
        reason = f"of the plans found, the one that moves least moves {curve[0].moves:,} replicas"
        reasons = (reason, f"proven: {self.fewest:,} have to move" if proven else "fewer are not excluded")
        return Replanned(None, None, self.proven[0], curve, self.fewest, proven, reasons, stop)

    def _solve(self, instance: Instance, solver: str, share: float, start: Plan | None) -> Result:
        """Plan for a share of the time left."""
        most = inf if self.most is None else self.most

        def watch(_: Progress) -> bool:
            best = min((p.objective for p in self._within(most)), default=None)
            return self.run.report(best, note=f"{len(self.points)} on the curve")

        limit = max(share * self.run.remaining, _BRIEF)
        result = solve(instance, solver, time_limit=limit, seed=self.run.seed, start=start, on_progress=watch)
        if result.stop is Stop.INTERRUPTED:
            self.run.interrupt()
        return result

    def _share(self, share: float) -> Run:
        """Return a run of its own with a share of the time left."""
        limit = max(share * self.run.remaining, _BRIEF)
        return Run(time_limit=limit, seed=self.run.seed, on_progress=lambda _: self.run.report())

    def _keep(self, plan: Plan) -> Point:
        """Keep a plan if no other with as many moves is as good; return it as a point."""
        became = turns(self.now, plan)
        point = Point(moved(self.now, became), objective_of(self.now.instance, plan), 0, plan, became)
        known = self.points.get(point.moves)
        if known is None or point.objective < known.objective:
            self.points[point.moves] = point
        return point


def _only_arrivals(instance: Instance) -> Instance:
    """Return the same instance with nothing in its objective but the prices of arrivals."""
    free = tuple(m.model_copy(update={"price": 0.0}) for m in instance.machine_types)
    models = tuple(
        m if m.miss_price is None else m.model_copy(update={"miss_price": 0.0}) for m in instance.models
    )
    return instance.replace(machine_types=free, models=models, objective="price")
