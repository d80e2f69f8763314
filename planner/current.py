"""What runs today, in the terms of an instance that may differ from the one it was planned for.

Machines of one pool that hold the same replicas are a *holding*, those that hold none included. Each
becomes a pinned entry of its own in :func:`priced`, an instance in which every arrival has a price: a
replica that comes to a machine which does not hold so many of its model today. A plan of it says what each
machine becomes, so its optimum is over all ways to turn today's machines into a plan's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.instance import Instance, Pinned
from planner.integers import PPM
from planner.plan import Plan
from planner.plan_form import PlanFile

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Holding:
    """Machines of one pool that hold the same replicas today: model -> number on each."""

    pool: int
    machines: int
    counts: dict[int, int]


@dataclass(frozen=True)
class Turn:
    """Machines of one pool that hold ``before`` today and ``after`` later: model -> number on each."""

    pool: int
    machines: int
    before: dict[int, int]
    after: dict[int, int]

    @property
    def stays(self) -> int:
        """Replicas that stay on each of them."""
        return sum(min(n, self.after.get(t, 0)) for t, n in self.before.items())


@dataclass(frozen=True)
class Current:
    """What runs today.

    Attributes
    ----------
    holdings
        All machines of ``instance``, each in one of them.
    notes
        What of the plan is not there any more, in words.
    """

    instance: Instance
    holdings: tuple[Holding, ...]
    notes: tuple[str, ...]

    @property
    def kept(self) -> Ints:
        """How many replicas of each model could stay where they are, (T,)."""
        c = self.instance.compiled
        there = np.zeros(c.replicas.size, dtype=np.int64)
        for held in self.holdings:
            for t, n in held.counts.items():
                there[t] += n * held.machines
        kept: Ints = np.minimum(there, c.replicas)
        return kept

    @property
    def placements(self) -> int:
        """How many replicas have no machine today; placing them is no move."""
        return int((self.instance.compiled.replicas - self.kept).sum())

    def plan(self) -> Plan | None:
        """Return what runs today as a plan; None if replicas are missing or too many."""
        plan = Plan.from_patterns((h.pool, h.machines, h.counts) for h in self.holdings)
        replicas = self.instance.compiled.replicas
        return plan if np.array_equal(plan.placed(replicas.size), replicas) else None


def current(document: PlanFile, instance: Instance) -> Current:
    """Return what of a plan is still there in ``instance``.

    Models, machine types and pinned entries are known by their names. Where a pool has fewer machines than
    the plan uses, those that hold the fewest replicas are taken for lost. Where a pinned entry holds more
    than the plan says, it is believed.

    Raises
    ------
    InputError
        If the instance has prices of arrivals itself.
    """
    for i, pin in enumerate(instance.pinned):
        if pin.arrival_price:
            rule = "cannot be there where moves are counted"
            raise InputError(rule, field=f"pinned[{i}].arrival_price", value=pin.arrival_price)
    c = instance.compiled
    known = {names: p for p, names in enumerate(c.pool_names)}
    found: list[Holding] = []
    gone: dict[str, int] = {}
    for group in document.machines:
        pool = known.get((group["machine_type"], group.get("pinned")))
        counts = {instance.model_index[m]: n for m, n in group["models"].items() if m in instance.model_index}
        for name in set(group["models"]) - set(instance.model_index):
            gone[f"model {name}"] = gone.get(f"model {name}", 0) + group["models"][name] * group["machines"]
        if pool is None:
            what = f"machine type {group['machine_type']}" if not group.get("pinned") else group["pinned"]
            gone[what] = gone.get(what, 0) + sum(counts.values()) * group["machines"]
        else:
            found.append(Holding(pool, group["machines"], counts))
    notes = [f"{what} is gone: {n:,} replicas ran there or were of it" for what, n in gone.items()]
    holdings: list[Holding] = []
    for p in range(c.machines.size):
        mine = [h for h in found if h.pool == p]
        there, lost = _fitted(mine, int(c.machines[p]))
        if lost:
            name = c.pool_names[p][1] or c.pool_names[p][0]
            notes.append(f"{name}: {lost} machines are gone, taken to be those with the fewest replicas")
        rest = _unused(there, p, int(c.machines[p]), c.pinned[p])
        holdings += _merged(p, [*_with_pins(there, c.pinned[p]), *rest])
    return Current(instance, tuple(holdings), tuple(notes))


def _merged(p: int, holdings: list[Holding]) -> Iterator[Holding]:
    """Yield each set of replicas once."""
    machines: dict[frozenset[tuple[int, int]], int] = {}
    for held in holdings:
        key = frozenset(held.counts.items())
        machines[key] = machines.get(key, 0) + held.machines
    for key, number in machines.items():
        yield Holding(p, number, dict(sorted(key)))


def _fitted(holdings: list[Holding], machines: int) -> tuple[list[Holding], int]:
    """Return holdings on at most so many machines, and how many machines were left out."""
    taken, left = [0] * len(holdings), machines
    for i in sorted(range(len(holdings)), key=lambda i: -sum(holdings[i].counts.values())):
        taken[i] = min(holdings[i].machines, left)
        left -= taken[i]
    there = [Holding(h.pool, n, h.counts) for h, n in zip(holdings, taken, strict=True) if n]
    return there, sum(h.machines for h in holdings) - sum(taken)


def _with_pins(holdings: list[Holding], pinned: Ints) -> Iterator[Holding]:
    pins = {t: int(n) for t, n in enumerate(pinned.tolist()) if n}
    for held in holdings:
        more = {t: max(n, held.counts.get(t, 0)) for t, n in pins.items()}
        yield Holding(held.pool, held.machines, held.counts | more)


def _unused(holdings: list[Holding], p: int, machines: int, pinned: Ints) -> Iterator[Holding]:
    if rest := machines - sum(h.machines for h in holdings):
        yield Holding(p, rest, {t: int(n) for t, n in enumerate(pinned.tolist()) if n})


def priced(now: Current, price: int) -> Instance:
    """Return the instance in which each holding is an entry ``#i``, and each arrival has a price in ppm."""
    instance = now.instance
    pins = {p.name: p for p in instance.pinned}
    models = list(instance.model_index)
    asked = dict.fromkeys(models, price / PPM) if price else {}
    entries = []
    for i, held in enumerate(now.holdings):
        kind, pinned = instance.compiled.pool_names[held.pool]
        pin = Pinned(name="none", machine_type=kind) if pinned is None else pins[pinned]
        changes = {
            "name": f"#{i}",
            "machines": held.machines,
            "here": {models[t]: n for t, n in held.counts.items()},
            "arrival_price": asked,
        }
        entries.append(pin.model_copy(update=changes))
    return instance.replace(pinned=tuple(entries))


def split(now: Current, became: Iterable[Turn]) -> Plan:
    """Return a plan in the terms of :func:`priced`, from what each machine becomes."""
    pool = {(h.pool, frozenset(h.counts.items())): p for p, h in pools(now).items()}
    return Plan.from_patterns(
        (pool[turn.pool, frozenset(turn.before.items())], turn.machines, turn.after) for turn in became
    )


def joined(now: Current, plan: Plan) -> Plan:
    """Return a plan of :func:`priced` in the terms of the instance itself."""
    holdings = pools(now)
    return Plan.from_patterns((holdings[p].pool, machines, counts) for p, machines, counts in plan.patterns())


def pools(now: Current) -> dict[int, Holding]:
    """Return the holding of each pool of :func:`priced`; of the first of each type no machine is left."""
    found: dict[int, Holding] = {}
    pool = 0
    for kind in now.instance.machine_types:
        pool += 1
        for held in now.holdings:
            if now.instance.compiled.pool_names[held.pool][0] == kind.name:
                found[pool] = held
                pool += 1
    return found
