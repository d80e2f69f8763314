"""Search where machines hold many replicas: single exchanges are refused almost always there.

Where only pairs and room matter, replicas *drift* (:mod:`solvers.drift`), and a *heat bath*
(:mod:`solvers.heat_bath`) sees to the rest and to the end. As many searches as there are processors, at most
eight, go their own ways in threads; the best plan of any counts.

Most states of a warm drift are some moves away from a good one, so now and then a copy is *quenched*: cooled
in a moment, every eighth time in eight moments. A plan without any conflict is found so long before the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from solvers import drift, heat_bath
from solvers.cooling import Cooling
from solvers.levels import Level
from solvers.run import Run

_BATCH_NS = 1e8  # nanoseconds between two looks at the clock in a heat bath
_BATCH = 1_000_000  # steps between two in a drift
_TEPID, _FROZEN = 0.1, 0.01  # temperatures of a heat bath, as shares of the one at which most moves
_LEAST, _PER_BATHED = 40_000, 100_000  # its steps, below which it does not pay; and after which, a replica
_STEP_NS, _SLOWLY_NS = 25.0, 100.0  # nanoseconds that a step of a drift takes, and may take
_HOT, _COLD, _QUENCHED = 0.2, 0.045, 0.001  # its temperatures, as shares of the one at which many move
_PER_DRIFTING = 100_000_000  # its steps after which more have not helped
_POLISH_NS = 2e8  # nanoseconds in a heat bath after a slow quench
_EVERY, _SLOW = 10, 8  # batches between two quenches; every so many is so many times as long
_QUENCH, _SWEEPS = 1_000_000, 50  # steps of one, or for each replica and machine if that is more
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
    """Let replicas drift between softened machines for about these seconds; keep the best state."""
    began, search = run.elapsed, level.search
    soft = Level.of(drift.softened(level.c), search.who, search.where, level.seed)
    soft.search.cost[0] = search.cost[0]
    restless = _restless(level, soft)
    if restless is None:
        return
    levels = _twins(soft)
    records = [drift.record(level.c, one.fleet, one.search) for one in levels]
    seconds -= run.elapsed - began
    steps = int(min(seconds * 1e9 / _STEP_NS, search.who.size * _PER_DRIFTING)) + 1
    price = drift.PRESSURE * _HOT * restless
    fast = max(_QUENCH, _SWEEPS * search.who.size * soft.fleet.machine.shape[0])
    cooling = Cooling(seconds, steps, _BATCH, _HOT * restless, _COLD * restless)
    with _threads(len(levels)) as each_of:
        batches = 0

        def batch(steps: int, hot: float, cold: float) -> None:
            nonlocal batches
            batches += 1
            slow = batches % (_SLOW * _EVERY) == 0
            quench = fast * (_SLOW if slow else 1) if batches % _EVERY == 0 else 0
            if quench * _SLOWLY_NS > run.remaining * 1e9:
                quench = 0
            bathing = level.restless() if quench and slow else None

            def one(n: int) -> None:
                x = levels[n]
                drift.drift(x.x, x.fleet, x.search, records[n], steps, hot, cold, price, x.penalty)
                if quench:
                    _quench(level, x, records[n], quench, cold, _QUENCHED * restless, price)
                if bathing:
                    _polish(level, records[n], bathing)

            each_of(one)
            for record in records:
                if record.cost[0] != drift.NOTHING:
                    level.take(record.where, int(record.cost[0]))

        cooling.run(level, run, base, batch)


def _restless(level: Level, soft: Level) -> float | None:
    """Return a temperature at which many replicas drift, found on a copy of the state."""
    x = soft.twin(level.seed)
    record = drift.record(level.c, x.fleet, x.search)
    return drift.restless(x.x, x.fleet, x.search, record, level.scale, level.penalty)


def _quench(
    level: Level, drifting: Level, record: drift.Record, steps: int, hot: float, cold: float, price: float
) -> None:
    """Cool a copy of a drifting state fast; write what it finds into the record if it is better."""
    x = drifting.twin(drifting.seed)
    found = drift.record(level.c, x.fleet, x.search)
    drift.drift(x.x, x.fleet, x.search, found, steps, hot, cold, price, x.penalty)
    if found.cost[0] < record.cost[0]:
        record.cost[:], record.where[:] = found.cost, found.where


def _polish(level: Level, record: drift.Record, restless: float) -> None:
    """Exchange replicas in the record's state for a moment: a cold drift cannot where machines are full."""
    if record.cost[0] == drift.NOTHING:
        return
    x = level.twin(level.seed)
    x.go_to(record.where, int(record.cost[0]))
    desk = heat_bath.desk(x.x, x.fleet, x.search)
    steps = int(_POLISH_NS / heat_bath.step_ns(x.fleet, x.search)) + 1
    heat_bath.bathe(x.x, x.fleet, x.search, desk, steps, _TEPID * restless, _FROZEN * restless, x.penalty)
    if not x.search.penalised[0] and x.search.cost[0] < record.cost[0]:
        record.cost[:], record.where[:] = x.search.cost, x.search.where


def _twins(level: Level) -> list[Level]:
    return [level, *(level.twin(level.seed + 1 + n) for n in range(_TWINS))]


@contextmanager
def _threads(number: int) -> Iterator[Callable[[Callable[[int], None]], None]]:
    """Yield a function that calls another with each number, in threads, and waits."""
    with ThreadPoolExecutor(number) as threads:

        def each(function: Callable[[int], None]) -> None:
            list(threads.map(function, range(number)))

        yield each
