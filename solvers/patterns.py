"""Column generation over patterns: a plan and a proof of how good it is, at any number of replicas.

1. A greedy plan, and local search for a moment; for longer where machines hold many replicas.
2. Column generation (:mod:`solvers.master`) solves the linear program over all patterns. Its bound is proven
   at every iteration and so tight that what remains is mostly a matter of rounding.
3. Rounding (:mod:`solvers.rounding`): whole machines of the fractional solution are settled, the rest is a
   small integer program.
4. Branching on numbers of machines, and the integer program over all patterns that a better plan can carry,
   where they are few (:mod:`solvers.branching`): both raise the bound.
5. Else a large neighbourhood search over patterns (:mod:`solvers.rounding`), until the time is up.

If replicas stay without a machine in the linear program, the same with costs of 0 proves that there is no
plan (Farkas' lemma). The objective ``worst`` is a search for the lowest threshold (:mod:`solvers.threshold`).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from planner.instance import Instance
from solvers import milp, threshold
from solvers.branching import Best, Tree
from solvers.compact import MOST_PATTERNS, first_plan, impossible
from solvers.enumeration import all_patterns
from solvers.master import Master
from solvers.milp_by_pattern import by_pattern
from solvers.pricer import DEEPEST, largest_load
from solvers.relax import explain
from solvers.rounding import Rounding
from solvers.run import Outcome, Run
from solvers.sifting import listed, too_late
from solvers.supply import Supply

_DEEP, _BRIEF, _LONG = 12, 0.05, 0.3  # share of the time for local search, by replicas on a machine
_MOMENT = 1.0  # seconds for it at least, if that is not a long share
_GENERATING = 0.7
_ROUNDING = 0.5
_NONE = 1e-6
_START, _FRUITLESS = 2_000, 8


def unsuited(instance: Instance) -> str:
    """Say why patterns do not suit an instance; empty if they do."""
    c = instance.compiled
    if c.worst and listed(c, MOST_PATTERNS) is not None:
        return "all patterns are few"
    most = largest_load(c)
    return f"a machine can hold {most} replicas" if most > DEEPEST else ""


def solve(instance: Instance, run: Run) -> Outcome:
    """Plan by column generation."""
    if impossible(instance.compiled):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if why := unsuited(instance):
        outcome = milp.solve(instance, run)
        note = f"milp instead, because {why}" + (f"; {outcome.note}" if outcome.note else "")
        return dataclasses.replace(outcome, note=note)
    return threshold.solve(instance, run) if instance.compiled.worst else _generated(instance, run)


def _generated(instance: Instance, run: Run) -> Outcome:
    c, best = instance.compiled, Best(instance, run)
    supply = Supply(c)
    brief = max(_BRIEF, min(_LONG, _MOMENT / run.time_limit))
    best.take(first_plan(instance, run, share=brief if supply.deepest <= _DEEP else _LONG))
    master = Master(supply)
    if master.impossible:
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if best.plan is not None and len(best.plan) <= _START:
        master.add(np.flatnonzero(supply.columns.of(best.plan)))
    optimal = master.generate(run, run.elapsed + _GENERATING * run.remaining)
    short = master.covering.short().sum() > _NONE if optimal else False
    if best.plan is None and short and _proven(instance, run):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if master.proof is None:
        return Outcome(best.plan, bound=0, stop=run.stop)
    rounding = Rounding(supply, master.proof.prices, run)
    best.take(rounding.dive(master, run.elapsed + _ROUNDING * run.remaining))
    if best.plan is None and not run.stopping:
        everything = all_patterns(c, MOST_PATTERNS)
        if everything is not None and not too_late(everything, run):
            f = by_pattern(c, everything)
            return milp.solved(instance, run, f, None, master.proof.bound).outcome(None)
    while best.plan is None and not run.stopping:
        best.take(rounding.dive(master, run.elapsed + run.remaining))
    return _closed(best, Tree(master, best, rounding, optimal=optimal), rounding)


def _closed(best: Best, tree: Tree, rounding: Rounding) -> Outcome:
    """Close the gap between plan and bound as far as time allows."""
    run, fruitless = best.run, 0
    while not run.stopping and best.plan is not None and not tree.closed:
        if tree.grow() or (fruitless >= _FRUITLESS and tree.decide()):
            continue
        fruitless = 0 if best.take(rounding.better(best.plan)) else fruitless + 1
    return Outcome(best.plan, bound=tree.bound, stop=run.stop)


def _proven(instance: Instance, run: Run) -> bool:
    """Whether column generation without costs proves that there is no plan."""
    master = Master(Supply(instance.compiled, free=True))
    master.generate(run, run.elapsed + run.remaining)
    return master.proof is not None and master.proof.bound > 0
