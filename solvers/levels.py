"""Levels of local search: an instance, or the instance halved, and the state of its search.

Replicas of a model are alike and machines of a pool are alike, so half of the replicas on half of the
machines is nearly the same problem at half the size: :func:`halved`. :func:`finer` goes back.

Source: C. Walshaw, "Multilevel Refinement for Combinatorial Optimisation Problems", 2004.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from planner.compiled import Compiled
from planner.plan import Plan
from solvers import drift, heat_bath
from solvers.anneal import Search, settle, start_search
from solvers.fleet import NONE, Fleet, arrive, empty_fleet, plan_of
from solvers.needs import free_replicas, machines_needed
from solvers.run import Run
from solvers.terms import Ints, Terms, terms

_COARSE = 12  # mean replicas of a model on the coarsest level, at least
_CROWDED = 16  # replicas a machine from which on pair costs are kept per machine and model
_LARGEST_PULL = 2**24
_BATHED = 6_000  # most replicas of which a heat bath looks at each at each step


@dataclass
class Level:
    """A level of the search: its problem, its fleet, and the best valid state so far."""

    c: Compiled
    x: Terms
    fleet: Fleet
    search: Search
    scale: float  # mean cost of a replica
    penalty: int
    seed: int
    best: Ints | None = None  # where the replicas were
    best_cost: int = 0

    @classmethod
    def of(cls, c: Compiled, who: Ints, where: Ints, seed: int) -> Level:
        """Return a level with free replicas of models ``who`` on machines ``where`` (or NONE)."""
        order = np.argsort(who, kind="stable")
        who, where = who[order], where[order]
        machines = machines_needed(c)
        crowd = float(c.replicas.sum()) / max(int(machines.sum()), 1)
        small = int(machines.sum()) * c.replicas.size <= _LARGEST_PULL
        pull = crowd >= _CROWDED and small and not c.factored and not c.worst
        x = terms(c, near=pull)
        fleet = _inhabited(c, x, who, where, pull=pull)
        costs = c.degradation if c.worst else c.cost
        scale = float(costs.mean()) * max(crowd - 1, 0.5) + float(c.price.mean()) / max(crowd, 1.0)
        penalty = int(4 * costs.max() * (crowd + 1) + c.price.max() + 4 * c.miss_price.max()) + 1
        return cls(c, x, fleet, start_search(c, fleet, who, where, seed), max(scale, 1.0), penalty, seed)

    @property
    def bathes(self) -> bool:
        """Whether a heat bath pays: pair costs are kept, and the replicas are few enough to look at all."""
        few = self.search.who.size <= _BATHED and not self.c.arrival_price.any()
        return self.fleet.pull.size > 0 and few

    @property
    def drifts(self) -> bool:
        """Whether replicas can drift: in a crowd of which only pairs and room matter."""
        return self.bathes and drift.suits(self.c)

    def twin(self, seed: int) -> Level:
        """Return a level in the same state that goes its own way."""
        twin = dataclasses.replace(self, seed=seed, best=None)
        twin.go_to(self.search.where, int(self.search.cost[0]))
        return twin

    def go_to(self, where: Ints, cost: int) -> None:
        """Have the replicas on machines ``where`` (or NONE), at a cost that is known."""
        who, where = self.search.who, where.copy()
        self.fleet = _inhabited(self.c, self.x, who, where, pull=self.fleet.pull.size > 0)
        self.search = start_search(self.c, self.fleet, who, where, self.seed)
        self.search.cost[0] = cost

    def drifting(self, seed: int) -> drift.Drifting:
        """Return the state of the search as one that drifts."""
        return drift.drifting(self.c, self.x, self.fleet, self.search, self.penalty, seed)

    def restless(self) -> float | None:
        """Return a temperature at which most steps of a heat bath move, found on a copy of the state.

        None if nothing can move.
        """
        twin = self.twin(self.seed)
        desk = heat_bath.desk(twin.x, twin.fleet, twin.search)
        return heat_bath.restless(twin.x, twin.fleet, twin.search, desk, self.scale, self.penalty)

    @property
    def nowhere(self) -> Ints:
        """The replicas that have no machine."""
        return np.flatnonzero(self.search.where == NONE)

    @property
    def matches(self) -> bool:
        """Whether machines are so many, and hold so few replicas, that re-matching them pays."""
        machines: int = self.fleet.machine.shape[0]
        return machines > 1 and self.search.who.size < _CROWDED * machines

    def settle(self, run: Run) -> None:
        """Place replicas that are nowhere where they cost least, while there is time."""
        for count, a in enumerate(self.nowhere.tolist()):
            if count % 16 == 0 and run.report():
                return
            settle(self.x, self.fleet, self.search, a, 0, self.penalty)

    def keep(self) -> None:
        """Remember the present state if it is valid and better than the best."""
        cost = int(self.search.cost[0])
        if not self.search.penalised[0]:
            self.take(self.search.where, cost)

    def learn(self, other: Level) -> None:
        """Remember the best state of another level of the same problem if it is better."""
        if other.best is not None:
            self.take(other.best, other.best_cost)

    def take(self, where: Ints, cost: int) -> None:
        """Remember a valid state if it is better than the best."""
        if self.best is None or cost < self.best_cost:
            self.best, self.best_cost = where.copy(), cost

    def report(self, run: Run, base: int | None) -> None:
        """Report the best state's objective, if ``base``, the objective at cost 0, is known."""
        run.report(objective=None if base is None or self.best is None else base + self.best_cost)

    def reached(self, base: int | None) -> bool:
        """Whether the best state costs nothing, if ``base``, the objective at cost 0, is known."""
        return base is not None and self.best is not None and base + self.best_cost == 0

    def plan(self) -> Plan | None:
        """Return the plan of the best valid state."""
        if self.best is None:
            return None
        fleet = empty_fleet(self.c, self.x)
        arrive(self.x, fleet, self.best, self.search.who)
        return plan_of(fleet)


def _inhabited(c: Compiled, x: Terms, who: Ints, where: Ints, *, pull: bool) -> Fleet:
    """Return a fleet with replicas of models ``who`` on machines ``where`` (or NONE)."""
    fleet = empty_fleet(c, x, pull=pull)
    there = where != NONE
    arrive(x, fleet, where[there], who[there])
    return fleet


def halvings(c: Compiled) -> int:
    """Return how many times the instance can be halved and keep replicas enough of its models."""
    if c.pinned.any():
        return 0
    return max(0, int(np.log2(max(float(c.replicas.mean()) / _COARSE, 1.0))))


def halved(c: Compiled, times: int) -> Compiled:
    """Return the problem with replicas and machines halved, rounded down."""
    if not times:
        return c
    replicas = c.replicas >> times
    least = np.minimum(-(-c.min_machines >> times), replicas)
    return dataclasses.replace(c, replicas=replicas, machines=c.machines >> times, min_machines=least)


def first(c: Compiled, start: Plan | None, seed: int) -> Level:
    """Return the level to begin with: at the start, or with all free replicas nowhere."""
    free = free_replicas(c)
    who = np.repeat(np.arange(free.size), free)
    if start is None:
        return Level.of(c, who, np.full(who.size, NONE), seed)
    machines = machines_needed(c)
    where, who = start.expand(machines)
    pool = np.repeat(np.arange(machines.size), machines)
    order = np.lexsort((who, where))
    where, who = where[order], who[order]
    new = np.flatnonzero((np.diff(where, prepend=-1) != 0) | (np.diff(who, prepend=-1) != 0))
    rank = np.arange(where.size) - np.repeat(new, np.diff(np.append(new, where.size)))
    free_to_move = rank >= c.pinned[pool[where], who]
    return Level.of(c, who[free_to_move], where[free_to_move], seed)


def finer(coarse: Level, c: Compiled, seed: int) -> Level:
    """Return the level of ``c``, twice the size: each machine's pattern on two, odd replicas nowhere."""
    where = coarse.search.where if coarse.best is None else coarse.best
    who = coarse.search.who
    few, many = machines_needed(coarse.c), machines_needed(c)
    shift = (np.cumsum(many) - many) - 2 * (np.cumsum(few) - few)
    pool = np.repeat(np.arange(few.size), few)
    there = where != NONE
    first = np.full(where.size, NONE)
    first[there] = 2 * where[there] + shift[pool[where[there]]]
    second = np.where(there, first + 1, NONE)
    odd = c.replicas - 2 * coarse.c.replicas
    extra = np.repeat(np.arange(odd.size), odd)
    homes = np.concatenate([first, second, np.full(extra.size, NONE)])
    return Level.of(c, np.concatenate([who, who, extra]), homes, seed)
