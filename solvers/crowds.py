"""Search where machines hold many replicas: single exchanges are refused almost always there.

Where only pairs and room matter, replicas *drift* (:mod:`solvers.drift`); a *heat bath*
(:mod:`solvers.heat_bath`) sees to the rest, and to plans that were given. As many searches as there are
processors, at most eight, go their own ways in threads; the best plan of any counts.

A warm drift is some moves away from a good state, so now and then a copy is *quenched*: cooled in a moment.
A plan without any conflict is found so long before the end.

At the end a *neighbourhood* after another drifts once more, while the rest stays where it is. What is gained
in one corner then does not wait for all others to be as lucky at the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from solvers import drift, heat_bath
from solvers.cooling import Cooling
from solvers.levels import Level
from solvers.run import Run
from solvers.terms import Ints

_BATCH_NS = 1e8  # nanoseconds between two looks at the clock in a heat bath
_BATCH, _ENDLESS = 1_000_000, 2**62  # replicas asked between two in a drift; and in all
_TEPID, _FROZEN = 0.1, 0.01  # temperatures of a heat bath, as shares of the one at which most moves
_LEAST, _PER_BATHED = 40_000, 100_000  # its steps, below which it does not pay; and after which, a replica
# Of the time of a drift: the first rounds find what is easy soon, the last what is hard.
# One begins cooler: the best plans of random conflicts were found so, those of others from higher.
_ROUNDS = ((0.03, 1.0), (0.1, 1.0), (0.27, 0.6), (0.6, 1.0))
_COLD, _QUENCHED = 0.25, 0.02  # temperatures of a drift at the end and of a quench, as shares of the first
_EVERY = 4  # batches between two quenches, each as long as one
_FIRM = 10  # times the pressure of a drift that ends a quench where limits are exceeded
# At the end: replicas of a neighbourhood; sweeps and temperatures, as shares of the first, of its drift; and
# how many drift between two looks at the clock.
_SOME, _SWEEPS, _SOME_HOT, _SOME_COLD, _AT_ONCE = 200, 2000, 0.45, 0.18, 3
_FRUITLESS = 0.25  # neighbourhoods, a replica, without gain after which they drift in twice the sweeps,
_SLOWEST = 16  # up to so many times as many, where they are not all; then more have not helped
_TWINS = min(os.cpu_count() or 1, 8) - 1  # searches beside the first, one a processor


def bathe(level: Level, run: Run, seconds: float, base: int | None = None, *, warm: bool = False) -> None:
    """Cool in a heat bath for about these seconds: from where most moves or, if warm, from the best state."""
    each = heat_bath.step_ns(level.fleet, level.search)
    if seconds * 1e9 < _LEAST * each:
        return
    began, restless = run.elapsed, level.restless()
    if restless is None:
        return
    if warm and level.best is not None:
        level.go_to(level.best, level.best_cost)
    levels = _twins(level)
    desks = [heat_bath.desk(one.x, one.fleet, one.search) for one in levels]
    seconds -= run.elapsed - began
    steps = int(min(seconds * 1e9 / each, level.search.who.size * _PER_BATHED)) + 1
    hot = _TEPID * restless if warm else restless
    cooling = Cooling(seconds, steps, int(_BATCH_NS / each) + 1, hot, _FROZEN * restless)
    with _threads(len(levels)) as each_of:

        def batch(steps: int, hot: float, cold: float) -> None:
            def one(n: int) -> None:
                x = levels[n]
                heat_bath.bathe(x.x, x.fleet, x.search, desks[n], steps, hot, cold, x.penalty)
                x.keep()

            each_of(one)
            for twin in levels[1:]:
                level.learn(twin)

        cooling.run(level, run, base, batch)


def let_drift(level: Level, run: Run, seconds: float, base: int | None = None) -> None:
    """Let replicas drift for about these seconds, first briefly and then slowly; keep the best state."""
    began = run.elapsed
    states, restless = _adrift(level)
    if restless is None:
        return
    seconds -= run.elapsed - began
    sweeps = _BATCH // level.search.who.size + 1
    pressure, cold = drift.PRESSURE * restless, _COLD * restless
    with _threads(len(states)) as each_of:
        batches = 0

        def batch(sweeps: int, hot: float, cold: float) -> None:
            nonlocal batches
            batches += 1
            quench = batches % _EVERY == 0

            def one(n: int) -> None:
                drift.drift(states[n], sweeps, hot, cold, pressure)
                if quench:
                    _quench(states[n], sweeps, cold, pressure)

            each_of(one)
            for d in states:
                if d.best[0] != drift.NOTHING:
                    level.take(d.best_where, int(d.best[0]))

        for share, hot in _ROUNDS:
            Cooling(share * seconds, _ENDLESS, sweeps, hot * restless, cold).run(level, run, base, batch)


def _quench(d: drift.Drifting, sweeps: int, hot: float, pressure: float) -> None:
    """Cool a copy of a drifting state fast; if what it finds is better, keep it."""
    x = d.copy()
    drift.drift(x, sweeps, hot, _QUENCHED * hot, pressure)
    if x.exceeded[0]:
        drift.drift(x, sweeps, _QUENCHED * hot, _QUENCHED * hot, _FIRM * pressure)
    if x.best[0] < d.best[0]:
        d.best[:], d.best_where[:] = x.best, x.best_where


def let_some_drift(level: Level, run: Run, seconds: float, base: int | None = None) -> None:
    """Let one neighbourhood after another drift for about these seconds; keep what betters the best state."""
    began = run.elapsed
    if level.best is None:
        return
    level.go_to(level.best, level.best_cost)
    states, restless = _adrift(level)
    if restless is None:
        return
    chosen = np.random.default_rng(level.seed).spawn(len(states))

    def one(n: int) -> None:
        d = states[n]
        for _ in range(_AT_ONCE):
            some = _around(d, chosen[n])
            x = d.part(some)
            drift.drift(x, sweeps, _SOME_HOT * restless, _SOME_COLD * restless, drift.PRESSURE * restless)
            drift.go_back(x)
            d.where[some] = x.where

    replicas, fruitless, sweeps = level.search.who.size, 0, _SWEEPS
    slowest = _SWEEPS * (_SLOWEST if replicas > _SOME else 1)
    with _threads(len(states)) as each_of:
        while run.elapsed - began < seconds and fruitless <= _FRUITLESS * replicas:
            if run.stopping or level.reached(base):
                break
            before = level.best_cost
            each_of(one)
            for d in states:
                level.take(d.where, int(d.cost[0]))
            gained = level.best_cost < before
            fruitless = 0 if gained else fruitless + _AT_ONCE
            if fruitless > _FRUITLESS * replicas and sweeps < slowest:
                fruitless, sweeps = 0, 2 * sweeps
            level.report(run, base)


def _adrift(level: Level) -> tuple[list[drift.Drifting], float | None]:
    """Return a drifting state for each search, and the first temperature, None if nothing can move."""
    states = [level.drifting(level.seed + n) for n in range(_TWINS + 1)]
    return states, drift.restless(states[0].copy(), level.scale)


def _around(d: drift.Drifting, chosen: np.random.Generator) -> Ints:
    """Return some replicas: one, those of models near its own, those of models near these, and so on."""
    a = int(chosen.integers(d.who.size))
    k, ring = d.kind[d.where[a]], d.who[[a]]
    known = np.zeros(d.first.shape[1] - 1, dtype=np.bool_)
    some = np.zeros(0, dtype=np.int64)
    while ring.size and some.size < _SOME:
        new = np.zeros_like(known)
        new[ring] = True
        some = np.concatenate([some, chosen.permutation(np.flatnonzero(new[d.who]))[: _SOME - some.size]])
        known |= new
        near = np.unique(np.concatenate([d.near[d.first[k, t] : d.first[k, t + 1]] for t in ring.tolist()]))
        ring = near[~known[near]]
    return some


def _twins(level: Level) -> list[Level]:
    return [level, *(level.twin(level.seed + 1 + n) for n in range(_TWINS))]


@contextmanager
def _threads(number: int) -> Iterator[Callable[[Callable[[int], None]], None]]:
    """Yield a function that calls another with each number, in threads, and waits."""
    with ThreadPoolExecutor(number) as threads:

        def each(function: Callable[[int], None]) -> None:
            list(threads.map(function, range(number)))

        yield each
