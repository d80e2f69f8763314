"""Column generation over patterns: a plan and a proof of how good it is, at any number of replicas.

1. A greedy plan, and local search for a moment.
2. Column generation (:mod:`solvers.master`) solves the linear program over all patterns. Its bound is proven
   at every iteration and so tight that what remains is mostly a matter of rounding.
3. Rounding (:mod:`solvers.rounding`): whole machines of the fractional solution are settled, the rest is a
   small integer program.
4. A plan that carries a pattern costs at least the bound plus how far that pattern's gain is from the best
   gain. All patterns for which this is no more than the plan's objective are listed; where they are few,
   the integer program over them decides: its optimum is the optimum (reduced cost fixing).
5. Else a large neighbourhood search over patterns, until the time is up.

If replicas stay without a machine in the linear program, the same with costs of 0 proves that there is no
plan (Farkas' lemma).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from planner.instance import Instance
from planner.plan import Plan
from solvers import milp
from solvers.compact import checked_objective, first_plan, impossible
from solvers.enumeration import all_patterns
from solvers.master import Desks, Master
from solvers.milp_by_pattern import by_pattern
from solvers.pricer import DEEPEST, deepest
from solvers.relax import explain
from solvers.rounding import Rounding
from solvers.run import Outcome, Run

_BRIEF = 0.05
_GENERATING = 0.7
_ROUNDING = 0.5
_FEW, _NONE = 20_000, 1e-6
_START = 2_000


def unsuited(instance: Instance) -> str:
    """Say why patterns do not suit an instance; empty if they do."""
    c = instance.compiled
    if c.worst:
        return "the objective is `worst`"
    most = max((deepest(c, p) for p in np.flatnonzero(c.machines).tolist()), default=0)
    return f"a machine can hold {most} replicas" if most > DEEPEST else ""


def solve(instance: Instance, run: Run) -> Outcome:
    """Plan by column generation."""
    c = instance.compiled
    if impossible(c):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if why := unsuited(instance):
        outcome = milp.solve(instance, run)
        note = f"milp instead, because {why}" + (f"; {outcome.note}" if outcome.note else "")
        return dataclasses.replace(outcome, note=note)
    best = _Best(instance, run)
    best.take(first_plan(instance, run, share=_BRIEF))
    desks = Desks(c)
    master = Master(desks)
    if best.plan is not None and len(best.plan) <= _START:
        master.add(np.flatnonzero(desks.columns.of(best.plan)))
    optimal = master.generate(run, run.elapsed + _GENERATING * run.remaining)
    short = master.covering.short().sum() > _NONE if optimal else False
    if best.plan is None and short and _proven(instance, run):
        return Outcome(infeasible=True, reasons=explain(instance, run))
    if master.proof is None:
        return _decided(best, 0)
    rounding = Rounding(desks, master.proof.prices, run)
    values = np.zeros(len(desks.columns))
    values[master.inside[: master.values.size]] = master.values
    best.take(rounding.dive(values, run.elapsed + _ROUNDING * run.remaining))
    return _closed(best, master, rounding)


class _Best:
    """The best plan so far."""

    def __init__(self, instance: Instance, run: Run) -> None:
        self.instance, self.run = instance, run
        self.plan: Plan | None = None
        self.objective: int | None = None

    def take(self, plan: Plan | None) -> bool:
        """Keep a plan if the checker accepts it and it is better."""
        objective = None if plan is None else checked_objective(self.instance, plan)
        if objective is None or (self.objective is not None and objective >= self.objective):
            return False
        self.plan, self.objective = plan, objective
        self.run.report(objective=objective)
        return True


def _closed(best: _Best, master: Master, rounding: Rounding) -> Outcome:
    """Close the gap between plan and bound as far as time allows."""
    instance, run, columns = best.instance, best.run, master.desks.columns
    proof = master.proof
    assert proof is not None
    listed = False
    while not run.stopping and best.plan is not None and best.objective != proof.bound:
        if not listed and best.objective is not None:
            listed = True
            few = master.within(best.objective, _FEW, run)
            if few is not None and not run.stopping:
                f = by_pattern(instance.compiled, columns.patterns(few))
                return milp.solved(instance, run, f, best.plan, proof.bound).outcome(best.plan)
        listed &= not best.take(rounding.better(best.plan))
    return _decided(best, proof.bound)


def _decided(best: _Best, bound: int) -> Outcome:
    """Return what was found; without a plan, let all patterns decide where they are few."""
    instance, run = best.instance, best.run
    everything = None if best.plan is not None or run.stopping else all_patterns(instance.compiled, _FEW)
    if everything is None:
        return Outcome(best.plan, bound=bound, stop=run.stop)
    f = by_pattern(instance.compiled, everything)
    return milp.solved(instance, run, f, None, bound).outcome(None)


def _proven(instance: Instance, run: Run) -> bool:
    """Whether column generation without costs proves that there is no plan."""
    master = Master(Desks(instance.compiled, free=True))
    master.generate(run, run.elapsed + run.remaining)
    return master.proof is not None and master.proof.bound > 0
