"""Local search: simulated annealing and exact re-matching, from any start, for any number of machines.

*Annealing* (:mod:`solvers.anneal`) relocates a replica, exchanges two, or turns a ring of three; costs change
incrementally and exactly. The temperature falls geometrically, from and to a share of the mean cost of a
replica. *Re-matching* (:mod:`solvers.rematch`) lifts replicas from some hundred machines and gives them back
at least cost, all at once. It follows where machines hold few replicas; where they hold many, annealing
does better alone.

Where machines hold many replicas, it begins hotter and cools more slowly, for all of the time.

*Levels.* Replicas of a model are alike and machines of a pool are alike, so half of the replicas on half
of the machines is nearly the same problem at half the size. Where models have many replicas, the search
anneals an instance halved several times, gives each machine's pattern to two machines of the next finer
level, places the odd replicas where they cost least, re-matches, and so on. Exchanges that a large
fleet would need thousands of times are made once.

*Start.* ``run.start``, else the greedy plan, else the best-fit plan. A given start is searched from as it
is, without levels. Replicas without a machine wait nowhere at a penalty, for the moves to place them.

*Determinism.* The number of moves follows from the instance and the time limit, not from the clock; only
where the clock runs ahead of the moves does it drive the temperature. The plan is the best valid state
that was seen at the end of a batch of moves.

``worst`` is a search for a plan in which no degradation exceeds a threshold: the cost is the sum of the
excesses. Each time it reaches zero the threshold falls below the worst degradation of the plan found;
when it does not, half way back.

Source: S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by Simulated Annealing", Science 220,
1983; C. Walshaw, "Multilevel Refinement for Combinatorial Optimisation Problems", 2004; for re-matching
see there.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from planner.compiled import UNLIMITED, Compiled, multiplied
from planner.evaluate import objective_of
from planner.instance import Instance
from planner.plan import Plan
from solvers import first_fit, greedy
from solvers.anneal import Search, anneal, settle, start_search
from solvers.fleet import (
    BASE,
    CROWD,
    DEGRADATION,
    MODEL,
    NONE,
    NUMBER,
    POOL,
    SIZE,
    Fleet,
    arrive,
    empty_fleet,
    free_replicas,
    machines_needed,
    plan_of,
)
from solvers.rematch import rematch
from solvers.run import Outcome, Run
from solvers.terms import Ints, Terms, terms

_BATCH = 100_000  # moves between two looks at the clock
_HOT, _WARM, _COLD = 0.3, 0.02, 0.002  # temperatures, as shares of the mean cost of a replica
_BLOCK = 400  # most machines of one re-matching
_AGAIN = 5  # times that what looks like the end is warmed up and re-matched again, if there is time
_FRUITLESS = 40  # re-matchings of each machine without gain after which more have not helped
_PER_REPLICA, _PER_CROWDED = 50_000, 2_000_000  # moves after which more have not helped
_HOTTER, _LAST = 1.0, 0.1  # where machines hold many replicas: temperature; share of time below _WARM
_COARSE = 12  # mean replicas of a model on the coarsest level, at least
_ANNEALED, _FINEST = 0.35, 0.35  # of the time: annealing the coarsest level, re-matching the finest
_CROWDED = 16  # replicas a machine from which on pair costs are kept per machine and model
_LARGEST_PULL = 2**24
_LARGEST = 20_000_000


@dataclass
class _Level:
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
    def of(cls, c: Compiled, who: Ints, where: Ints, seed: int) -> _Level:
        """Return a level with free replicas of models ``who`` on machines ``where`` (or NONE)."""
        order = np.argsort(who, kind="stable")
        who, where = who[order], where[order]
        x, machines = terms(c), machines_needed(c)
        crowd = float(c.replicas.sum()) / max(int(machines.sum()), 1)
        pull = not c.factored and crowd >= _CROWDED and int(machines.sum()) * c.replicas.size <= _LARGEST_PULL
        fleet = empty_fleet(c, x, pull=pull)
        there = where != NONE
        arrive(x, fleet, where[there], who[there])
        costs = c.degradation if c.worst else c.cost
        scale = float(costs.mean()) * max(crowd - 1, 0.5) + float(c.price.mean()) / max(crowd, 1.0)
        penalty = int(4 * costs.max() * (crowd + 1) + c.price.max() + 4 * c.miss_price.max()) + 1
        return cls(c, x, fleet, start_search(c, fleet, who, where, seed), max(scale, 1.0), penalty, seed)

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
        if not self.search.penalised[0] and (self.best is None or cost < self.best_cost):
            self.best, self.best_cost = self.search.where.copy(), cost

    def report(self, run: Run, base: int | None) -> None:
        """Report the best state's objective, if ``base``, the objective at cost 0, is known."""
        run.report(objective=None if base is None or self.best is None else base + self.best_cost)

    def plan(self) -> Plan | None:
        """Return the plan of the best valid state."""
        if self.best is None:
            return None
        fleet = empty_fleet(self.c, self.x)
        arrive(self.x, fleet, self.best, self.search.who)
        return plan_of(fleet)


def solve(instance: Instance, run: Run) -> Outcome:
    """Improve a start by simulated annealing until the moves or the time are used up."""
    c = instance.compiled
    if instance.replicas > _LARGEST:
        return Outcome(note=f"moves single replicas, at most {_LARGEST:,} of them")
    start = run.start or _constructed(instance, run)
    began = None if start is None else objective_of(instance, start)
    if run.report(objective=began) or began == 0 or not free_replicas(c).any():
        return Outcome(plan=start, stop=run.stop)
    plan = _lower_the_worst(instance, run, start) if c.worst else _by_levels(instance, run, start)
    if plan is None:
        return Outcome(stop=run.stop, reasons=("some replicas found no machine",))
    return Outcome(plan=plan, stop=run.stop)


def _constructed(instance: Instance, run: Run) -> Plan | None:
    """Return the greedy plan, else the best-fit plan, else None."""
    for constructor in (greedy.solve, first_fit.solve):
        share = Run(time_limit=max(run.remaining / 4, 1e-3), seed=run.seed)
        if (plan := constructor(instance, share).plan) is not None:
            return plan
    return None


def _by_levels(instance: Instance, run: Run, start: Plan | None) -> Plan | None:
    """Search from the coarsest level to the instance itself; return the best plan, the start included."""
    c = instance.compiled
    levels = 0 if run.start is not None else _halvings(c)
    limit = run.remaining
    level = _first(_halved(c, levels), None if levels else start, run.seed)
    level.settle(run)
    between = (1 - _ANNEALED - _FINEST) / max(levels, 1) * limit
    if levels:
        _cool(level, run, _ANNEALED * limit, _HOT)
        for depth in range(levels - 1, -1, -1):
            _improve(level, run, between)
            level = _finer(level, _halved(c, depth), run.seed + depth)
            level.settle(run)
    level.keep()
    settled = level.plan()
    base = None if settled is None else objective_of(instance, settled) - level.best_cost
    if not levels:
        share, hot, cold = (1 - _FINEST, _HOT, _COLD) if level.matches else (1 - _LAST, _HOTTER, _WARM)
        _cool(level, run, share * run.remaining, _WARM if run.start else hot, base, cold)
    _improve(level, run, run.remaining, base)
    for again in range(_AGAIN if level.matches else 0):
        share = run.remaining / (_AGAIN - again) / 2
        _cool(level, run, share, _WARM, base)
        _improve(level, run, share, base)
    plans = [p for p in (level.plan(), start) if p is not None]
    return min(plans, key=lambda p: objective_of(instance, p), default=None)


def _halvings(c: Compiled) -> int:
    """Return how many times the instance can be halved and keep replicas enough of its models."""
    if c.pinned.any():
        return 0
    return max(0, int(np.log2(max(float(c.replicas.mean()) / _COARSE, 1.0))))


def _halved(c: Compiled, times: int) -> Compiled:
    """Return the problem with replicas and machines halved, rounded down."""
    replicas = c.replicas >> times
    least = np.minimum(-(-c.min_machines >> times), replicas)
    return dataclasses.replace(c, replicas=replicas, machines=c.machines >> times, min_machines=least)


def _first(c: Compiled, start: Plan | None, seed: int) -> _Level:
    """Return the level to begin with: at the start, or with all free replicas nowhere."""
    free = free_replicas(c)
    who = np.repeat(np.arange(free.size), free)
    if start is None:
        return _Level.of(c, who, np.full(who.size, NONE), seed)
    machines = machines_needed(c)
    where, who = start.expand(machines)
    pool = np.repeat(np.arange(machines.size), machines)
    order = np.lexsort((who, where))
    where, who = where[order], who[order]
    new = np.flatnonzero((np.diff(where, prepend=-1) != 0) | (np.diff(who, prepend=-1) != 0))
    rank = np.arange(where.size) - np.repeat(new, np.diff(np.append(new, where.size)))
    free_to_move = rank >= c.pinned[pool[where], who]
    return _Level.of(c, who[free_to_move], where[free_to_move], seed)


def _finer(coarse: _Level, c: Compiled, seed: int) -> _Level:
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
    return _Level.of(c, np.concatenate([who, who, extra]), homes, seed)


def _moves(level: _Level, seconds: float) -> int:
    """Return how many moves to make: what fits the time on a slow machine, at most what helps."""
    distinct = 1.0 if level.fleet.pull.size else float(level.fleet.machine[:, SIZE].mean()) + 1.0
    per_second = 1e9 / (300.0 + 60.0 * distinct)
    most = level.search.who.size * (_PER_REPLICA if level.matches else _PER_CROWDED)
    return int(min(seconds * per_second, most)) + 1


def _cool(
    level: _Level, run: Run, seconds: float, hot: float, base: int | None = None, cold: float = _COLD
) -> None:
    """Anneal for the moves planned for these seconds, from ``hot`` to ``cold``, keeping the best state.

    With ``base``, the objective at cost 0, progress is reported.
    """
    moves, made, began = _moves(level, seconds), 0, run.elapsed
    hot, cold = hot * level.scale, cold * level.scale
    while made < moves and not run.stopping:
        passed = max(made / moves, min((run.elapsed - began) / max(seconds, 1e-9), 1.0))
        if passed >= 1.0:
            break
        batch = min(_BATCH, moves - made)
        begins, ends = (hot * (cold / hot) ** min(share, 1.0) for share in (passed, passed + batch / moves))
        anneal(level.x, level.fleet, level.search, batch, begins, ends, 0, level.penalty)
        made += batch
        level.keep()
        level.report(run, base)


def _improve(level: _Level, run: Run, seconds: float, base: int | None = None) -> None:
    """Re-match machines, or anneal where that does not suit, for about these seconds; keep the best state."""
    if not level.matches:
        _cool(level, run, seconds, _WARM, base)
        return
    machines, began = level.fleet.machine.shape[0], run.elapsed
    block = min(_BLOCK, machines)
    largest = min(max(2, round(level.search.who.size / machines / 2)), 4)
    number = int(seconds / (0.001 + 1.2e-7 * largest * block**2)) + 1
    chosen, fruitless = np.random.default_rng(level.seed), 0
    for count in range(number):
        if run.stopping or run.elapsed - began > seconds or fruitless * block > _FRUITLESS * machines:
            break
        some = chosen.choice(machines, block, replace=False)
        gain = rematch(level.x, level.fleet, level.search, some, 1 + count % largest, level.penalty)
        fruitless = 0 if gain else fruitless + 1
        level.keep()
        level.report(run, base)


def _lower_the_worst(instance: Instance, run: Run, start: Plan | None) -> Plan | None:
    """Search for plans below falling thresholds of the worst degradation; return the best."""
    c = instance.compiled
    plan, step, seed = start, 0.1, run.seed
    while not run.stopping and step > 1e-4:
        worst = UNLIMITED if plan is None else objective_of(instance, plan)
        threshold = worst - max(int(worst * step), 1)
        if threshold < 0:
            break
        level = _first(c, plan, seed)
        level.settle(run)
        level.search.cost[0] = _excess(level, threshold)
        if _reach(level, run, threshold, worst):
            plan = level.plan()
            run.report(objective=None if plan is None else objective_of(instance, plan))
        elif plan is None:
            break
        else:
            step, seed = step / 2, seed + 1
    return plan


def _reach(level: _Level, run: Run, threshold: int, worst: int) -> bool:
    """Anneal until no degradation exceeds the threshold; return whether that was reached."""
    moves = min(_moves(level, run.time_limit / 8), 2_000 * level.search.who.size + 50_000)
    scale = float(min(worst - threshold, worst / 10))
    for done in range(0, moves, _BATCH // 10):
        hot, cold = (scale * 0.003 ** ((done + d) / moves) for d in (0, _BATCH // 10))
        anneal(level.x, level.fleet, level.search, _BATCH // 10, hot, cold, threshold, level.penalty)
        if level.search.cost[0] == 0 and not level.search.penalised[0]:
            level.keep()
            return True
        if run.report():
            break
    return False


def _excess(level: _Level, threshold: int) -> int:
    """Return by how much the fleet's degradations exceed the threshold, summed over replicas."""
    c, machine = level.c, level.fleet.machine
    size, pool = machine[:, SIZE], machine[:, POOL]
    offset = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    entry = level.fleet.entry[np.repeat(machine[:, BASE], size) + offset]
    factor = c.factor[c.type_of[pool], np.minimum(machine[:, CROWD], c.factor.shape[1] - 1)]
    background = c.background[np.repeat(pool, size), entry[:, MODEL]]
    suffered = multiplied(entry[:, DEGRADATION] - background, np.repeat(factor, size)) + background
    return int((np.maximum(suffered - threshold, 0) * entry[:, NUMBER]).sum())
