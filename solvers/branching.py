"""Branch and price on numbers of machines, for the last of the gap.

Where machines have a price, the linear program uses fractions of them, and the gap is mostly the rest of one
machine. A node of the tree is the master with limits to how many machines carry a pattern: over all pools,
then of a pool. Its children exclude the fraction; pricing stays what it is, with one more price for any
machine (see :mod:`solvers.master`).

Where no number is fractional the node is a leaf: a plan that carries a pattern costs at least the leaf's
bound plus how far the pattern's gain is from the best. All patterns for which this is less than the best plan
are listed; where they are few, the integer program over them decides the leaf (reduced cost fixing).
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo

from planner.compiled import UNLIMITED
from planner.instance import Instance
from planner.plan import Plan
from solvers import milp
from solvers.columns import Need
from solvers.compact import checked_objective, unit
from solvers.master import Master, Proof
from solvers.milp_by_pattern import ByPattern, by_pattern
from solvers.rounding import Rounding
from solvers.run import Run
from solvers.sifting import too_late

_WHOLE = 1e-6
_FEW = 40_000
_SOLVING, _DIVES, _DIVING = 0.5, 20, 0.1


class Best:
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


@dataclass(order=True)
class Node:
    """Part of the tree that is open.

    Attributes
    ----------
    bound, number
        What every plan in it costs at least, in ppm; and the order of making, to break ties.
    proof
        Once it is solved.
    tried
        The objective of the plan with which its patterns were listed last.
    """

    bound: int
    number: int
    need: Need = field(compare=False)
    proof: Proof | None = field(compare=False, default=None)
    tried: int | None = field(compare=False, default=None)


class Tree:
    """What is still open, and with it the bound.

    Parameters
    ----------
    master
        Its root is solved; ``optimal`` says whether to the end.
    """

    def __init__(self, master: Master, best: Best, rounding: Rounding, *, optimal: bool) -> None:
        assert master.proof is not None
        self._master, self._best, self._run, self._rounding = master, best, best.run, rounding
        self._made = 0
        self._unit = unit(master.supply.c)
        root = Node(master.proof.bound, 0, master.need, master.proof)
        #: To be solved, and solved: a heap and a list.
        self._open: list[Node] = []
        self._leaves: list[Node] = []
        self._branch(root, optimal=optimal)

    @property
    def bound(self) -> int:
        """What every plan costs at least, in ppm."""
        objective = UNLIMITED if self._best.objective is None else self._best.objective
        return min([objective, *(node.bound for node in self._open + self._leaves)])

    @property
    def closed(self) -> bool:
        """Whether the best plan is optimal."""
        return self._best.objective is not None and self.bound >= self._best.objective

    def grow(self) -> bool:
        """Solve one node; return whether one was open."""
        objective = self._best.objective
        assert objective is not None
        while self._open:
            node = heapq.heappop(self._open)
            if node.bound < objective:
                self._solve(node, objective)
                self._run.report(bound=self.bound)
                return True
        return False

    def decide(self) -> bool:
        """Decide one leaf; return whether one was left that was not tried with the best plan."""
        objective = self._best.objective
        assert objective is not None
        self._leaves = [leaf for leaf in self._leaves if leaf.bound < objective]
        for leaf in sorted(self._leaves):
            if leaf.tried is None or objective < leaf.tried:
                self._decide(leaf, objective)
                self._run.report(bound=self.bound)
                return True
        return False

    def _solve(self, node: Node, objective: int) -> None:
        run, master = self._run, self._master
        master.require(node.need)
        optimal = master.generate(run, run.elapsed + _SOLVING * run.remaining, objective)
        if master.proof is not None:
            node.proof, node.bound = master.proof, max(node.bound, master.proof.bound)
        if node.bound < objective:
            self._branch(node, optimal=optimal)
            if optimal and node.number <= _DIVES:
                self._best.take(self._rounding.dive(master, run.elapsed + _DIVING * run.remaining))

    def _branch(self, node: Node, *, optimal: bool) -> None:
        """Open the children of a node that the master has just solved; it is a leaf if it has none."""
        values, need = self._master.values, node.need
        pool = self._master.supply.columns.pool[self._master.inside[: values.size]]
        used = np.bincount(pool, values, minlength=need.machines.size)
        total, apart = float(used.sum()), np.abs(used - np.rint(used))
        children: list[Need] = []
        if optimal and abs(total - round(total)) > _WHOLE:
            children = [replace(need, most=math.floor(total)), replace(need, fewest=math.ceil(total))]
        elif optimal and apart.max(initial=0.0) > _WHOLE:
            p = int(np.argmax(apart))
            for side, number in (("machines", math.floor(used[p])), ("least", math.ceil(used[p]))):
                limits = getattr(need, side).copy()
                limits[p] = number
                children.append(replace(need, **{side: limits}))
        for child in children:
            self._made += 1
            heapq.heappush(self._open, Node(node.bound, self._made, child))
        if not children:
            self._leaves.append(node)

    def _decide(self, leaf: Node, objective: int) -> None:
        """List the patterns that a better plan in the leaf can carry, and solve the integer program."""
        leaf.tried, run = objective, self._run
        if leaf.proof is None:
            return
        few = self._master.supply.above(
            leaf.proof.prices, leaf.proof.floors(objective - self._unit), _FEW, run
        )
        if few is None or run.stopping:
            return
        patterns = self._master.supply.columns.patterns(few)
        if too_late(patterns, run):
            return
        f = by_pattern(self._best.instance.compiled, patterns)
        _limit(f, leaf.need)
        inner = Run(
            time_limit=run.remaining, seed=run.seed, on_progress=lambda now: run.report(now.objective)
        )
        tracker = milp.solved(self._best.instance, inner, f, None, leaf.bound)
        status = tracker.finish()
        self._best.take(tracker.plan)
        leaf.bound = max(leaf.bound, tracker.bound())
        if status == highspy.HighsModelStatus.kInfeasible:
            leaf.bound = objective
        elif status == highspy.HighsModelStatus.kOptimal:
            stated = round(tracker.engine.highs.getObjectiveValue()) * f.unit
            if stated in (tracker.objective, objective) or stated > objective:
                leaf.bound = min(stated, objective)


def _limit(f: ByPattern, need: Need) -> None:
    """Add the node's limits to how many machines carry a pattern."""
    f.model.limits = pyo.ConstraintList()
    here: dict[int, list[Any]] = {}
    for pattern, carry in f.terms():
        here.setdefault(pattern.pool, []).append(carry)
    for p, carries in here.items():
        f.model.limits.add(pyo.inequality(int(need.least[p]), sum(carries), int(need.machines[p])))
    if here:
        f.model.limits.add(pyo.inequality(need.fewest, sum(chain(*here.values())), need.most))
