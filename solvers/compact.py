"""What the two compact formulations share: machines by name, a first plan, and a watched solve.

A compact formulation counts ``x[m, t]``, the replicas of model t on machine m, over as many machines of
each pool as any plan could use.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import numpy as np

from planner.compiled import Compiled
from planner.evaluate import verdict
from planner.instance import Instance
from planner.plan import Plan
from solvers import local_search
from solvers.needs import machines_needed
from solvers.run import Run
from solvers.terms import Ints

#: A formulation with more counts and levels than this is not built: it would not be solved either.
LARGEST = 400_000
#: A formulation over patterns is preferred up to this number of them.
MOST_PATTERNS = 20_000

_POLL = 0.05
_GRACE, _LEAVING = 0.6, 30.0


@dataclass(frozen=True)
class Grid:
    """Machines by name, pool by pool.

    Attributes
    ----------
    pool (M,)
        The pool of each machine.
    most (P, T)
        An upper limit on the replicas of a model on one machine of a pool.
    """

    pool: Ints
    most: Ints

    @classmethod
    def of(cls, c: Compiled) -> Grid:
        """Return the machines that a plan of ``c`` could use."""
        needed = machines_needed(c)
        return cls(pool=np.repeat(np.arange(needed.size), needed), most=c.most_per_machine())

    def plan(self, counts: Ints) -> Plan:
        """Return the plan with ``counts[m, t]`` replicas of t on machine m."""
        machine, model = np.nonzero(counts)
        number = counts[machine, model]
        return Plan.from_assignment(self.pool, np.repeat(machine, number), np.repeat(model, number))

    def counts(self, plan: Plan, models: int) -> Ints:
        """Return (M, models): the replicas of each model on each machine, pools' groups in order."""
        pools = np.bincount(self.pool, minlength=self.most.shape[0])
        machine, model = plan.expand(pools)
        counts = np.zeros((self.pool.size, models), dtype=np.int64)
        np.add.at(counts, (machine, model), 1)
        return counts


def size(c: Compiled) -> int:
    """Return how many counts and levels a compact formulation of ``c`` has."""
    levels = [sum(row) for row in np.minimum(c.most_per_machine(), LARGEST).tolist()]
    return sum(n * per for n, per in zip(machines_needed(c).tolist(), levels, strict=True))


def why_too_large(c: Compiled) -> str:
    """Say why no formulation suits ``c``."""
    if c.factored:
        return f"co-location factors need patterns one by one, and there are more than {MOST_PATTERNS:,}"
    return f"it would have {size(c):,} counts and levels"


def instead(library: str, c: Compiled) -> str:
    """Say what a solver returns where no formulation suits ``c``, and why."""
    return f"local search's plan, a relaxation's bound: too large for {library}, {why_too_large(c)}"


def impossible(c: Compiled) -> bool:
    """Whether some model runs nowhere, or pinned replicas break a rule where they are pinned."""
    home = (c.most_per_machine() > 0) & (c.machines > 0)[:, None]
    return bool((c.pinned > c.most_per_machine()).any() or not home.any(axis=0).all())


def unit(c: Compiled) -> int:
    """Return the greatest common divisor of everything that can enter the objective; at least 1."""
    if c.factored:  # products are rounded to whole ppm
        return 1
    if c.worst:
        parts = [c.degradation, c.background]
    else:
        parts = [c.cost, c.background_cost, c.price, c.miss_price[c.soft], c.arrival_price]
    return max(1, gcd(*(int(np.gcd.reduce(part, axis=None, initial=0)) for part in parts)))


def checked_objective(instance: Instance, plan: Plan) -> int | None:
    """Return the checker's objective of ``plan``; None if the checker refuses it."""
    found = verdict(instance, plan)
    objective, broken = found.objective, found.violations
    return None if broken else objective


def first_plan(instance: Instance, run: Run, share: float = 0.2) -> Plan | None:
    """Return the best plan that local search finds in a share of the time limit; None if it finds none.

    A first plan to search from may take longer.
    """
    start = run.start or local_search.constructed(instance, run)
    inner = Run(
        time_limit=max(min(share * run.time_limit, run.remaining), 0.01),
        seed=run.seed,
        start=run.start,
        on_progress=lambda _: run.report(),
    )
    found = local_search.improved(instance, inner, start).plan
    plans = ((plan, checked_objective(instance, plan)) for plan in (run.start, found) if plan is not None)
    valid = ((plan, objective) for plan, objective in plans if objective is not None)
    plan, objective = min(valid, key=lambda pair: pair[1], default=(None, None))
    run.report(objective=objective)
    return plan


def watched(run: Run, work: Callable[[], None], news: Callable[[], object], stop: Callable[[], None]) -> bool:
    """Run ``work`` in a thread of its own; return whether it ended.

    ``news`` is called now and then, to report, and ``stop`` for as long as ``run`` is stopping and the
    work has not ended. A library that does not listen within a grace period is left behind; the process
    waits for it when it ends, because HiGHS aborts a process that ends under it.
    """
    failure: list[BaseException] = []

    def body() -> None:
        try:
            work()
        except BaseException as error:  # raised again by the caller's thread
            failure.append(error)

    thread = threading.Thread(target=body, name="library", daemon=True)
    thread.start()
    waited = 0.0
    while thread.is_alive() and waited < _GRACE:
        thread.join(_POLL)
        news()
        if run.stopping and thread.is_alive():
            stop()
            waited += _POLL
    if failure:
        raise failure[0]
    if thread.is_alive():
        atexit.register(thread.join, _LEAVING)
    return not thread.is_alive()
