"""Picks a solver by the instance's shape, says which and why, and runs it.

* Few feasible patterns, where machines are larger or the objective is ``worst``: ``cpsat`` over all of them.
* Machines of at most 16 replicas, or at most 60 replicas in all: ``patterns``.
* The rest up to 20 million replicas, few big machines above all: ``local_search``, and a bound from
  pair flow or from cliques (:mod:`solvers.bound`). Patterns of hundreds of replicas are hopeless to search.
* More: ``greedy``, the only one that never looks at a single replica.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module

from planner.evaluate import objective_of
from planner.instance import Instance
from planner.result import Stop
from solvers import local_search
from solvers.bound import proven
from solvers.compact import MOST_PATTERNS
from solvers.pricer import DEEPEST, largest_load
from solvers.run import Outcome, Run
from solvers.sifting import listed

_SHALLOW, _FEW = 16, 60
_MOVABLE = 20_000_000
_SEARCHING = 0.7
_SETTING_UP_S = 8e-8  # seconds a coefficient before a bound or a search can begin


def solve(instance: Instance, run: Run) -> Outcome:
    """Solve with the solver that suits the instance."""
    choice, why = _choice(instance)
    function: Callable[[Instance, Run], Outcome]
    function = _searched if choice == "local_search" else import_module(f"solvers.{choice}").solve
    outcome = function(instance, run)
    note = f"picked {choice}: {why}" + (f"; {outcome.note}" if outcome.note else "")
    return dataclasses.replace(outcome, note=note)


def _choice(instance: Instance) -> tuple[str, str]:
    c, n = instance.compiled, instance.replicas
    most = largest_load(c)
    small = most <= DEEPEST and (most <= _SHALLOW or n <= _FEW)
    patterns = None if small and not c.worst else listed(c, MOST_PATTERNS)
    if patterns is not None:
        return "cpsat", f"{len(patterns):,} patterns are few enough to plan with all of them"
    if small:
        return "patterns", f"no machine holds more than {most} replicas"
    if n > _MOVABLE:
        return "greedy", f"{n:,} replicas are too many to move one by one"
    return "local_search", f"a machine can hold {most:,} replicas"


def _searched(instance: Instance, run: Run) -> Outcome:
    """Bound the objective and search; the bound on ``worst`` wants a plan, so it comes last."""
    worst = instance.compiled.worst
    start = run.start or local_search.constructed(instance, run)
    run.report(objective=None if start is None else objective_of(instance, start))
    if start is not None and run.remaining < _SETTING_UP_S * instance.compiled.cost.size:
        stop = Stop.INTERRUPTED if run.interrupted else Stop.TIME_LIMIT
        return Outcome(plan=start, stop=stop, note="too little time to search or to bound")
    found = None if worst else proven(instance, run, share=1 - _SEARCHING)
    inner = Run(
        time_limit=max((_SEARCHING if worst else 1.0) * run.remaining, 0.01),
        seed=run.seed,
        start=run.start,
        on_progress=lambda n: run.report(n.objective),
    )
    outcome = local_search.improved(instance, inner, start)
    if worst and outcome.plan is not None and not run.stopping:
        found = proven(instance, run, share=0.9)
    if found is None:
        return dataclasses.replace(outcome, stop=run.stop)
    return dataclasses.replace(
        outcome, bound=found.bound, stop=run.stop, note=f"the bound is from {found.by}"
    )
