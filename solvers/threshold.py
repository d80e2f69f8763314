"""The objective ``worst``: the lowest threshold that a plan keeps, by bisection over patterns.

Whether all replicas can be placed on patterns in which none suffers more than a threshold is column
generation without costs (:mod:`solvers.master`): if something must stay short there is no plan, and the
optimum is higher. So the lowest threshold at which nothing is proven is a bound. From there, diving
(:mod:`solvers.rounding`) looks for plans, and local search has the rest of the time.
"""

from __future__ import annotations

from planner.compiled import UNLIMITED
from planner.instance import Instance
from planner.plan import Plan
from solvers import local_search
from solvers.branching import Best
from solvers.compact import first_plan, unit
from solvers.master import Master
from solvers.relax import explain
from solvers.rounding import Rounding
from solvers.run import Outcome, Run
from solvers.supply import Supply

_SEARCHING, _EACH = 0.3, 0.2  # of the time left: local search at first, each threshold


def solve(instance: Instance, run: Run) -> Outcome:
    """Plan for the lowest worst degradation."""
    best = Best(instance, run)
    best.take(first_plan(instance, run, share=_SEARCHING))
    if best.plan is None:
        master = _possible(instance, UNLIMITED, run)
        if master is None:
            return Outcome(infeasible=True, reasons=explain(instance, run))
        best.take(_dived(master, run))
    if best.objective is None:
        return Outcome(bound=0, stop=run.stop)
    bound = _bound(instance, best.objective, run)
    _search(best, bound, run)
    if bound < best.objective and not run.stopping:
        inner = Run(
            time_limit=run.remaining,
            seed=run.seed,
            start=best.plan,
            on_progress=lambda now: run.report(now.objective),
        )
        best.take(local_search.solve(instance, inner).plan)
    return Outcome(best.plan, bound=bound, stop=run.stop)


def _bound(instance: Instance, high: int, run: Run) -> int:
    """Return the lowest threshold that is not proven to be too low; a plan keeps ``high``."""
    step, low = unit(instance.compiled), 0
    while low < high and not run.stopping:
        middle = (low + high) // 2 // step * step
        if _possible(instance, middle, run) is None:
            low = middle + step
            run.report(bound=low)
        else:
            high = middle
    return low


def _search(best: Best, low: int, run: Run) -> None:
    """Look for plans with thresholds of at least ``low``, the next always half way to the best plan's."""
    step = unit(best.instance.compiled)
    while best.objective is not None and low < best.objective and not run.stopping:
        middle = (low + best.objective) // 2 // step * step
        master = _possible(best.instance, middle, run)
        if master is None or not best.take(_dived(master, run)):
            low = middle + step


def _possible(instance: Instance, limit: int, run: Run) -> Master | None:
    """Solve for patterns in which no replica suffers more than ``limit``; None if no plan has only such."""
    master = Master(Supply(instance.compiled, free=True, limit=limit))
    if not master.impossible:
        master.generate(run, run.elapsed + _EACH * run.remaining, enough=1)
    proven = master.impossible or (master.proof is not None and master.proof.bound > 0)
    return None if proven else master


def _dived(master: Master, run: Run) -> Plan | None:
    if master.proof is None:
        return None
    rounding = Rounding(master.supply, master.proof.prices, run)
    return rounding.dive(master, run.elapsed + _EACH * run.remaining)
