"""Local search: simulated annealing and exact re-matching, from any start, for any number of machines.

*Annealing* (:mod:`solvers.anneal`) relocates a replica, exchanges two, or turns a ring of three; costs change
incrementally and exactly. The temperature falls geometrically, from and to a share of the mean cost of a
replica. *Re-matching* (:mod:`solvers.rematch`) lifts replicas from some hundred machines and gives them back
at least cost, all at once. It follows where machines hold few replicas; where they hold many, annealing
does better alone.

Where machines hold many replicas, single exchanges are refused almost always: :mod:`solvers.crowds` searches
there, in as many threads as there are processors, for all of the time. With co-location factors, which it
does not know, annealing begins hotter and cools more slowly there.

*Levels.* Replicas of a model are alike and machines of a pool are alike, so half of the replicas on half
of the machines is nearly the same problem at half the size. Where models have many replicas, the search
anneals an instance halved several times, gives each machine's pattern to two machines of the next finer
level, places the odd replicas where they cost least, re-matches, and so on. Exchanges that a large
fleet would need thousands of times are made once.

*Start.* ``run.start``, else the greedy plan, else the best-fit plan. A given start is searched from as it
is, without levels. Replicas without a machine wait nowhere at a penalty, for the moves to place them.

*Determinism.* The number of moves follows from the instance and the time limit, not from the clock; only
where the clock runs ahead of the moves does it drive the temperature: on a slow machine, and on most in
:mod:`solvers.crowds`, which uses all of the time. The plan is the best valid state that was seen at the
end of a batch.

``worst`` is a search for a plan in which no degradation exceeds a threshold: the cost is the sum of the
excesses. Each time it reaches zero the threshold falls below the worst degradation of the plan found;
when it does not, half way back.

Source: S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, "Optimization by Simulated Annealing", Science 220,
1983; C. Walshaw, "Multilevel Refinement for Combinatorial Optimisation Problems", 2004; for re-matching
see there.
"""

from __future__ import annotations

import numpy as np

from planner.compiled import UNLIMITED, multiplied
from planner.evaluate import objective_of
from planner.instance import Instance
from planner.plan import Plan
from planner.result import Progress
from solvers import first_fit, greedy
from solvers.anneal import anneal
from solvers.cooling import Cooling
from solvers.crowds import bathe, let_drift, let_some_drift
from solvers.fleet import BASE, CROWD, DEGRADATION, MODEL, NUMBER, POOL, SIZE
from solvers.levels import Level, finer, first, halved, halvings
from solvers.needs import free_replicas
from solvers.place import uncured
from solvers.rematch import rematch
from solvers.run import Outcome, Run

_BATCH = 100_000  # moves between two looks at the clock
_HOT, _WARM, _COLD = 0.3, 0.02, 0.002  # temperatures, as shares of the mean cost of a replica
_BLOCK = 400  # most machines of one re-matching
_AGAIN = 5  # times that what looks like the end is warmed up and re-matched again, if there is time
_FRUITLESS = 40  # re-matchings of each machine without gain after which more have not helped
_PER_PAIR, _PER_REPLICA, _PER_CROWDED = 1_000, 50_000, 2_000_000  # moves after which more have not helped
_HOTTER, _LAST = 1.0, 0.1  # where machines hold many replicas: temperature; share of time below _WARM
_ANNEALED, _FINEST = 0.35, 0.35  # of the time: annealing the coarsest level, re-matching the finest
_CONSTRUCTING = 0.8  # of the time left, at most, for a first plan
_GRACE = 0.6  # seconds beyond the limit that it may take: better late than none
_LARGEST = 20_000_000


def solve(instance: Instance, run: Run) -> Outcome:
    """Improve a start by simulated annealing until the moves or the time are used up."""
    if instance.replicas > _LARGEST:
        return Outcome(note=f"moves single replicas, at most {_LARGEST:,} of them")
    return improved(instance, run, run.start or constructed(instance, run))


def improved(instance: Instance, run: Run, start: Plan | None) -> Outcome:
    """Improve a plan; if ``run`` has a start, from there and not from far away."""
    c = instance.compiled
    began = None if start is None else objective_of(instance, start)
    still = began == 0 or not free_replicas(c).any() or instance.replicas > _LARGEST
    if run.report(objective=began) or still:
        return Outcome(plan=start, stop=run.stop)
    plan = _lower_the_worst(instance, run, start) if c.worst else _by_levels(instance, run, start)
    reasons = ("some replicas found no machine",) if plan is None else uncured(instance, plan)
    if reasons and start is None:
        return Outcome(stop=run.stop, reasons=reasons)
    return Outcome(plan=start if reasons else plan, stop=run.stop)


def constructed(instance: Instance, run: Run) -> Plan | None:
    """Return the greedy plan, else the best-fit plan, else None; at most ``_GRACE`` seconds late."""

    def interrupted(_: Progress) -> bool:
        run.report()
        return run.interrupted

    for constructor in (greedy.solve, first_fit.solve):
        left = run.time_limit + _GRACE - run.elapsed
        share = Run(time_limit=max(_CONSTRUCTING * left, 1e-3), seed=run.seed, on_progress=interrupted)
        if (plan := constructor(instance, share).plan) is not None:
            return plan
    return None


def _by_levels(instance: Instance, run: Run, start: Plan | None) -> Plan | None:
    """Search from the coarsest level to the instance itself; return the best plan, the start included."""
    c = instance.compiled
    levels = 0 if run.start is not None else halvings(c)
    limit = run.remaining
    level = first(halved(c, levels), None if levels else start, run.seed)
    level.settle(run)
    between = (1 - _ANNEALED - _FINEST) / max(levels, 1) * limit
    if levels:
        _anneal(level, run, _ANNEALED * limit)
        for depth in range(levels - 1, -1, -1):
            _improve(level, run, between)
            level = finer(level, halved(c, depth), run.seed + depth)
            level.settle(run)
    level.keep()
    settled = level.plan()
    base = None
    if settled is not None and not uncured(instance, settled):
        base = objective_of(instance, settled) - level.best_cost
    if not levels:
        share = 1 - _FINEST if level.matches else 1 - _LAST
        _anneal(level, run, share * run.remaining, base, warm=run.start is not None)
    _improve(level, run, run.remaining, base)
    for again in range(_AGAIN if level.matches else 0):
        share = run.remaining / (_AGAIN - again) / 2
        _cool(level, run, share, _WARM, base)
        _improve(level, run, share, base)
    plans = [p for p in (level.plan(), start) if p is not None]
    return min(plans, key=lambda p: objective_of(instance, p), default=None)


def _anneal(level: Level, run: Run, seconds: float, base: int | None = None, *, warm: bool = False) -> None:
    """Search at falling temperatures for about these seconds, not from the highest if ``warm``."""
    if level.drifts and not warm:
        let_drift(level, run, seconds, base)
    elif level.bathes:
        bathe(level, run, seconds, base, warm=warm)
    elif warm:
        _cool(level, run, seconds, _WARM, base)
    elif level.matches:
        _cool(level, run, seconds, _HOT, base)
    else:
        _cool(level, run, seconds, _HOTTER, base, _WARM)


def _moves(level: Level, seconds: float) -> int:
    """Return how many moves to make: what fits the time on a slow machine, at most what helps."""
    distinct = 1.0 if level.fleet.pull.size else float(level.fleet.machine[:, SIZE].mean()) + 1.0
    replicas = int(level.search.who.size)
    each = min(_PER_REPLICA, _PER_PAIR * replicas) if level.matches else _PER_CROWDED
    return int(min(seconds * 1e9 / (300.0 + 60.0 * distinct), replicas * each)) + 1


def _cool(
    level: Level, run: Run, seconds: float, hot: float, base: int | None = None, cold: float = _COLD
) -> None:
    """Anneal for the moves planned for these seconds; ``hot``, ``cold``: shares of a replica's mean cost."""

    def batch(moves: int, hot: float, cold: float) -> None:
        anneal(level.x, level.fleet, level.search, moves, hot, cold, 0, level.penalty)

    cooling = Cooling(seconds, _moves(level, seconds), _BATCH, hot * level.scale, cold * level.scale)
    cooling.run(level, run, base, batch)


def _improve(level: Level, run: Run, seconds: float, base: int | None = None) -> None:
    """Re-match machines, or anneal where that does not suit, for about these seconds; keep the best state."""
    if not level.matches:
        if level.drifts and level.best is not None:
            let_some_drift(level, run, seconds, base)
        else:
            _anneal(level, run, seconds, base, warm=True)
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
        level = first(c, plan, seed)
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


def _reach(level: Level, run: Run, threshold: int, worst: int) -> bool:
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


def _excess(level: Level, threshold: int) -> int:
    """Return by how much the fleet's degradations exceed the threshold, summed over replicas."""
    c, machine = level.c, level.fleet.machine
    size, pool = machine[:, SIZE], machine[:, POOL]
    offset = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    entry = level.fleet.entry[np.repeat(machine[:, BASE], size) + offset]
    factor = c.factor[c.type_of[pool], np.minimum(machine[:, CROWD], c.factor.shape[1] - 1)]
    background = c.background[np.repeat(pool, size), entry[:, MODEL]]
    suffered = multiplied(entry[:, DEGRADATION] - background, np.repeat(factor, size)) + background
    return int((np.maximum(suffered - threshold, 0) * entry[:, NUMBER]).sum())
