"""Moves of one replica, and exchanges of two, with the exact change of the objective.

A move takes a replica of model M from a machine of group g. It goes to another machine, used or not
(a *relocation*), or changes places with a replica of another model there (an *exchange*). Two machines
change, so with cost(.) of one machine, the objective changes by

    cost(g - M + U) - cost(g) + cost(h - U + M) - cost(h)

where U is the replica that comes back, if any; for ``worst`` the objective becomes the largest of both
new costs and the costs of all other machines. Rules of single machines are looked up for both of them;
``min_machines`` and the number of machines there are in a pool are looked up for the whole plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.errors import PlannerError
from planner.evaluate import Verdict, look_at, verdict
from planner.explain.variants import NOBODY, UNUSED, Bools, Ints, Variants, View, bit, judge, names_of
from planner.integers import PPM
from planner.plan import Plan
from planner.rules import ON_MACHINES, Look, Violation, violations


@dataclass(frozen=True)
class Move:
    """One replica of ``model`` leaves a machine of group ``source`` for one of ``target``.

    Attributes
    ----------
    target, pool
        The group whose machine takes it, ``UNUSED`` for an empty machine; and that machine's pool.
    back
        The model of which a replica comes back in exchange; ``NOBODY`` for a relocation.
    change
        What the objective rises by, in ppm.
    broken
        The rules that it breaks; none if it may be made.
    """

    model: int
    source: int
    target: int
    pool: int
    back: int
    change: int
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Candidates:
    """N moves as arrays; ``tie`` is what moves of equal change are ranked by, ``broken`` a mask."""

    model: Ints
    source: Ints
    target: Ints
    pool: Ints
    back: Ints
    change: Ints
    tie: Ints
    broken: Ints

    def move(self, i: int) -> Move:
        """Return the move at a position."""
        return Move(
            model=int(self.model[i]),
            source=int(self.source[i]),
            target=int(self.target[i]),
            pool=int(self.pool[i]),
            back=int(self.back[i]),
            change=int(self.change[i]),
            broken=names_of(int(self.broken[i])),
        )

    def ranked(self, chosen: Bools) -> Ints:
        """Return the positions of the chosen moves, the best first."""
        positions = np.flatnonzero(chosen)
        order = np.lexsort((self.tie[positions], self.change[positions]))
        ranked: Ints = positions[order]
        return ranked


class Moves:
    """All moves of a plan, looked at from one place at a time."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._into: dict[int, tuple[Variants, Variants]] = {}
        self._patterns = list(view.plan.patterns())

    @cached_property
    def removed(self) -> Variants:
        """For each entry of the plan, its machine without one replica of its model."""
        look, plan = self.view.look, self.view.plan
        nobody = np.full(plan.model.size, NOBODY)
        return judge(self.view, look.group, plan.pool[look.group], plan.model, nobody)

    @cached_property
    def marginal(self) -> Ints:
        """What the objective would fall by without one replica of each entry, in ppm, shape (E,)."""
        view, group = self.view, self.view.look.group
        if view.c.worst:
            rest = self._rest(group, np.full(group.size, UNUSED))
            return view.objective - np.maximum(rest, self.removed.cost)
        marginal: Ints = view.costs[group] - self.removed.cost
        return marginal

    def entry(self, g: int, model: int) -> int:
        """Return the entry of a model that lives on group ``g``."""
        first, last = int(self.view.plan.start[g]), int(self.view.plan.start[g + 1])
        return first + int(np.searchsorted(self.view.plan.model[first:last], model))

    def leaving(self, g: int, model: int) -> Candidates:
        """Return every move that takes a replica of ``model`` away from group ``g``."""
        view = self.view
        added, swapped = self._taking(model)
        models = np.arange(view.c.replicas.size)
        here = np.full(models.size, g)
        back = judge(view, here, view.plan.pool[here], np.full(models.size, model), models)
        e = self.entry(g, model)
        n, m = added.cost.size, swapped.cost.size
        target = np.concatenate([added.group, swapped.group])
        return self._joined(
            model=np.full(n + m, model),
            source=np.full(n + m, g),
            target=target,
            pool=np.concatenate([added.pool, swapped.pool]),
            back=np.concatenate([np.full(n, NOBODY), swapped.out]),
            left=np.concatenate([np.full(n, self.removed.cost[e]), back.cost[swapped.out]]),
            taken=np.concatenate([added.cost, swapped.cost]),
            broken=np.concatenate(
                [added.broken | self.removed.broken[e], swapped.broken | back.broken[swapped.out]]
            ),
            known=np.concatenate([added.known, swapped.known & back.known[swapped.out]]),
        )

    def arriving(self, g: int) -> Candidates:
        """Return every relocation of a replica to a machine of group ``g``."""
        view = self.view
        models = np.arange(view.c.replicas.size)
        here = np.full(models.size, g)
        added = judge(view, here, view.plan.pool[here], np.full(models.size, NOBODY), models)
        model, source = view.plan.model, view.look.group
        return self._joined(
            model=model,
            source=source,
            target=np.full(model.size, g),
            pool=np.full(model.size, view.plan.pool[g]),
            back=np.full(model.size, NOBODY),
            left=self.removed.cost,
            taken=added.cost[model],
            broken=self.removed.broken | added.broken[model],
            known=added.known[model],
        )

    def _taking(self, model: int) -> tuple[Variants, Variants]:
        """Return every machine with one replica of ``model`` more, and in exchange for another model's."""
        if model not in self._into:
            view, plan = self.view, self.view.plan
            free = [p for p, (_, pinned) in enumerate(view.c.pool_names) if pinned is None or view.unused[p]]
            group = np.concatenate([np.arange(len(plan)), np.full(len(free), UNUSED)])
            pool = np.concatenate([plan.pool, np.array(free, dtype=np.int64)])
            nobody, it = np.full(group.size, NOBODY), np.full(group.size, model)
            others = np.flatnonzero(plan.model != model)
            at = view.look.group[others]
            self._into[model] = (
                judge(view, group, pool, nobody, it),
                judge(view, at, plan.pool[at], plan.model[others], np.full(others.size, model)),
            )
        return self._into[model]

    def _joined(
        self,
        *,
        model: Ints,
        source: Ints,
        target: Ints,
        pool: Ints,
        back: Ints,
        left: Ints,
        taken: Ints,
        broken: Ints,
        known: Bools,
    ) -> Candidates:
        """Return moves from both machines' costs afterwards, without those that mean nothing."""
        view = self.view
        before = np.where(target == UNUSED, 0, view.costs[target])
        if view.c.worst:
            change = np.maximum(np.maximum(left, taken), self._rest(source, target)) - view.objective
        else:
            change = left - view.costs[source] + taken - before
        broken = broken | self._of_whole_plan(model, source, target, pool, back)
        same = (source == target) & (view.plan.machines[source] == 1)  # there is no second such machine
        kept = known & ~same
        tie = np.maximum(left, taken)
        return Candidates(*(a[kept] for a in (model, source, target, pool, back, change, tie, broken)))

    def _of_whole_plan(self, model: Ints, source: Ints, target: Ints, pool: Ints, back: Ints) -> Ints:
        """Return the rules that moves break as a whole: machines of a pool, and ``min_machines``."""
        view = self.view
        broken: Ints = np.where((target == UNUSED) & (view.unused[pool] == 0), bit("machines"), 0)
        # A machine that becomes empty is free for somebody else.
        emptied = (back == NOBODY) & (view.crowd[source] == 1) & (view.plan.pool[source] == pool)
        broken = np.where(emptied, broken & ~bit("machines"), broken)
        for who, old, new in ((model, source, target), (back, target, source)):
            moved = who != NOBODY
            person = np.where(moved, who, 0)
            change = (view.count(new, person) == 0).astype(np.int64) - (view.count(old, person) == 1)
            short = view.spread[person] + change < view.c.min_machines[person]
            broken = broken | np.where(moved & short, bit("min_machines"), 0)
        return broken

    def _rest(self, source: Ints, target: Ints) -> Ints:
        """Return the largest cost of all machines but one of ``source`` and one of ``target``."""
        costs, machines = self.view.costs, self.view.plan.machines
        order = np.argsort(-costs, kind="stable")[:3]
        rest = np.zeros(source.size, dtype=np.int64)
        for g in order[::-1].tolist():  # the dearest last
            taken = (source == g).astype(np.int64) + (target == g)
            rest = np.where(taken < machines[g], costs[g], rest)
        return rest

    def made(self, move: Move) -> Plan:
        """Return the plan after a move."""
        patterns = list(self._patterns)
        for group in (move.source, move.target):
            if group != UNUSED:
                pool, machines, pattern = patterns[group]
                patterns[group] = (pool, machines - 1, pattern)
        return Plan.from_patterns([*patterns, *self._after(move)])

    def best(self, candidates: Candidates, most: int, below: int | None = None) -> list[Move]:
        """Return the best moves that may be made, each made and checked; at most ``most``.

        Parameters
        ----------
        below
            Only moves whose change is lower than this, in ppm.
        """
        chosen = candidates.broken == 0
        if below is not None:
            chosen &= candidates.change < below
        found: list[Move] = []
        for i in candidates.ranked(chosen).tolist():
            if len(found) == most:
                break
            move = candidates.move(i)
            if self.made(move) != self.view.plan:
                self.check(move)
                found.append(move)
        return found

    def check(self, move: Move) -> None:
        """Have the checker say whether a move that may be made does what is claimed of it.

        Raises
        ------
        PlannerError
            If it does not; that would be a mistake here.
        """
        after = verdict(self.view.instance, self.made(move))
        if after != Verdict(self.view.objective + move.change, ()):
            raise PlannerError(f"a move was taken for what it is not: {move}, the checker says {after}")

    def blocked(self, candidates: Candidates, most: int) -> list[tuple[Move, tuple[Violation, ...]]]:
        """Return moves that would lower the objective but break rules, and what the checker says.

        Of moves that break the same rules the best one stands for all.
        """
        ranked = candidates.ranked((candidates.broken != 0) & (candidates.change < 0))
        _, first = np.unique(candidates.broken[ranked], return_index=True)
        moves = [candidates.move(i) for i in ranked[np.sort(first)][:most].tolist()]
        return [(move, self.why(move)) for move in moves]

    def why(self, move: Move) -> tuple[Violation, ...]:
        """Return what the checker has against a move, said of the machines that it changes."""
        moved = self.made(move)
        found = verdict(self.view.instance, moved).violations
        if {v.rule for v in found} != {*move.broken}:
            raise PlannerError(f"a move was taken for what it is not: {move}, the checker says {found}")
        changed = look_at(self.view.instance, Plan.from_patterns(self._after(move)))
        said = [*_of_machines(changed)]
        here = {v.rule for v in said}
        return (*said, *(v for v in found if v.rule not in here))

    def _after(self, move: Move) -> Iterator[tuple[int, int, dict[int, int]]]:
        for group, out, into in (
            (move.source, move.model, move.back),
            (move.target, move.back, move.model),
        ):
            pool, _, old = (move.pool, 0, {}) if group == UNUSED else self._patterns[group]
            pattern = dict(old)
            for t, step in ((out, -1), (into, 1)):
                if t != NOBODY:
                    pattern[t] = pattern.get(t, 0) + step
            yield pool, 1, pattern


def _of_machines(look: Look) -> Iterator[Violation]:
    """Yield what breaks rules of single machines on those of ``look``, without naming them."""
    openings = [f"{look.where(g)}: " for g in range(len(look.plan))]
    for v in violations(look, ON_MACHINES):
        opening = next((o for o in openings if v.message.startswith(o)), "")
        if v.rule != "slo" and (
            opening or v.rule == "permitted"
        ):  # other pinned machines do not appear, of course
            yield Violation(v.rule, v.message.removeprefix(opening))
    yield from (Violation("slo", message) for message in _late(look))


def _late(look: Look) -> Iterator[str]:
    """Say which hard SLO is missed on the machines of ``look``, and by how many ms."""
    slack = look.c.slack[look.kind[look.group], look.plan.model]
    for e in np.flatnonzero((look.suffered > slack) & ~look.c.soft[look.plan.model]).tolist():
        model = look.instance.models[look.plan.model[e]]
        alone = model.latency_ms.get(look.instance.machine_types[look.kind[look.group[e]]].name)
        if alone is not None and model.slo_ms is not None:
            latency = alone * (1 + int(look.suffered[e]) / PPM)
            over = f"over by {latency - model.slo_ms:.3g} ms"
            yield f"{model.name} at {latency:.6g} ms, SLO {model.slo_ms:.6g} ms, {over}"
