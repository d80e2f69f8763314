"""The rules that a valid plan keeps: one small function each, which yields what it finds in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan

Ints = NDArray[np.int64]

_SHOWN_PER_RULE = 50


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a plan: the rule's name and what was found, in words."""

    rule: str
    message: str


@dataclass(frozen=True)
class Look:
    """A plan beside its instance, with what several rules need worked out once."""

    instance: Instance
    c: Compiled
    plan: Plan
    group: Ints  # (E,) group of each entry
    kind: Ints  # (G,) machine type of each group
    suffered: Ints  # (E,) degradation of one replica of the entry, ppm

    def where(self, g: int) -> str:
        """Name group g: its machines and who lives there."""
        type_name, pinned_name = self.c.pool_names[int(self.plan.pool[g])]
        span = slice(int(self.plan.start[g]), int(self.plan.start[g + 1]))
        entries = zip(self.plan.model[span].tolist(), self.plan.count[span].tolist(), strict=True)
        names = [f"{n} x {self.instance.models[t].name}" for t, n in islice(entries, 6)]
        more = f" + {span.stop - span.start - 6} more models" if span.stop - span.start > 6 else ""
        place = type_name if pinned_name is None else f"{type_name} ({pinned_name})"
        return f"{self.plan.machines[g]} x {place} with {' + '.join(names)}{more}"


Rule = Callable[[Look], Iterator[str]]


def _replicas(look: Look) -> Iterator[str]:
    """Every replica is placed exactly once."""
    number = look.plan.count.astype(float) * look.plan.machines[look.group]  # exact below 2^53
    placed = np.bincount(look.plan.model, weights=number, minlength=len(look.instance.models))
    for model, n in zip(look.instance.models, placed.tolist(), strict=True):
        if n != model.replicas:
            yield f"{model.name}: {n:.0f} replicas placed, has {model.replicas}"


def _machines(look: Look) -> Iterator[str]:
    """No pool gives more machines than it has."""
    for p, (type_name, pinned_name) in enumerate(look.c.pool_names):
        used = sum(look.plan.machines[look.plan.pool == p].tolist())
        if used > look.c.machines[p]:
            what = f"{type_name}" if pinned_name is None else f"pinned {pinned_name!r} of {type_name}"
            yield f"{what}: {used} machines used, has {look.c.machines[p]}"


def _pinned(look: Look) -> Iterator[str]:
    """Pinned replicas are where they are pinned."""
    for p, (type_name, name) in enumerate(look.c.pool_names):
        wanted = np.flatnonzero(look.c.pinned[p])
        if not wanted.size:
            continue
        used = 0
        for g in np.flatnonzero(look.plan.pool == p).tolist():
            span = slice(look.plan.start[g], look.plan.start[g + 1])
            there = dict(zip(look.plan.model[span].tolist(), look.plan.count[span].tolist(), strict=True))
            used += int(look.plan.machines[g])
            for t in wanted.tolist():
                if there.get(t, 0) < look.c.pinned[p, t]:
                    model = look.instance.models[t].name
                    yield f"{look.where(g)}: {name!r} pins {look.c.pinned[p, t]} x {model} there"
        if used < look.c.machines[p]:
            yield f"{type_name}: {look.c.machines[p] - used} machines of pinned {name!r} do not appear"


def _permitted(look: Look) -> Iterator[str]:
    """A model runs only on machine types that have a latency for it and that rules allow."""
    for e in np.flatnonzero(~look.c.permitted[look.kind[look.group], look.plan.model]).tolist():
        model = look.instance.models[look.plan.model[e]]
        type_name = look.instance.machine_types[look.kind[look.group[e]]].name
        why = "a rule forbids it" if type_name in model.latency_ms else "it has no latency there"
        yield f"{model.name} on {type_name}: {why}"


def _slots(look: Look) -> Iterator[str]:
    """A machine holds at most its slots' number of replicas."""
    crowd = np.zeros(len(look.plan), dtype=np.int64)
    np.add.at(crowd, look.group, look.plan.count)
    for g in np.flatnonzero(crowd > look.c.slots[look.plan.pool]).tolist():
        yield f"{look.where(g)}: {crowd[g]} replicas on {look.c.slots[look.plan.pool[g]]} slots"


def _resources(look: Look) -> Iterator[str]:
    """The replicas on a machine fit each of its resources."""
    demand = look.c.demand[look.kind[look.group], look.plan.model] * look.plan.count[:, None]
    used = np.zeros((len(look.plan), len(look.c.resources)), dtype=np.int64)
    np.add.at(used, look.group, demand)
    capacity = look.c.capacity[look.plan.pool]
    for g, r in np.argwhere(used > capacity).tolist():
        have, need = capacity[g, r] / PPM, used[g, r] / PPM
        name = look.c.resources[r]
        yield f"{look.where(g)}: needs {need:.15g} {name}, has {have:.15g}, over by {need - have:.6g}"


def _slo(look: Look) -> Iterator[str]:
    """No replica of a model with a hard SLO is predicted over it."""
    slack = look.c.slack[look.kind[look.group], look.plan.model]
    for e in np.flatnonzero((look.suffered > slack) & ~look.c.soft[look.plan.model]).tolist():
        model = look.instance.models[look.plan.model[e]]
        alone = model.latency_ms.get(look.instance.machine_types[look.kind[look.group[e]]].name)
        if alone is not None:
            latency = alone * (1 + look.suffered[e] / PPM)
            where = look.where(int(look.group[e]))
            yield f"{where}: {model.name} at {latency:.9g} ms, SLO {model.slo_ms:.9g} ms"


def _keep_apart(look: Look) -> Iterator[str]:
    """Models of a keep_apart group never share a machine."""
    for group in look.instance.rules.keep_apart:
        members = np.array([look.instance.model_index[name] for name in group])
        there = np.bincount(look.group[np.isin(look.plan.model, members)], minlength=len(look.plan))
        for g in np.flatnonzero(there > 1).tolist():
            yield f"{look.where(g)}: at most one of {', '.join(group)} may be there"


def _max_per_machine(look: Look) -> Iterator[str]:
    """A machine holds at most ``max_per_machine`` replicas of a model."""
    limit = look.c.max_per_machine[look.plan.model]
    for e in np.flatnonzero(look.plan.count > limit).tolist():
        name = look.instance.models[look.plan.model[e]].name
        yield f"{look.where(int(look.group[e]))}: at most {limit[e]} x {name} on a machine"


def _min_machines(look: Look) -> Iterator[str]:
    """A model's replicas spread over at least ``min_machines`` machines."""
    for name, least in look.instance.rules.min_machines.items():
        mine = look.plan.model == look.instance.model_index[name]
        spread = int(look.plan.machines[look.group[mine]].sum())
        if spread < least:
            yield f"{name}: spread over {spread} machines, at least {least} wanted"


RULES: tuple[Rule, ...] = (
    _replicas,
    _machines,
    _pinned,
    _permitted,
    _slots,
    _resources,
    _slo,
    _keep_apart,
    _max_per_machine,
    _min_machines,
)

#: The rules that look at one machine at a time, whatever is elsewhere.
ON_ONE_MACHINE: tuple[Rule, ...] = (
    _permitted,
    _slots,
    _resources,
    _slo,
    _keep_apart,
    _max_per_machine,
)

#: The rules that need no arithmetic on degradations or demands.
COUNTS: tuple[Rule, ...] = (_replicas, _machines)


def violations(look: Look, rules: tuple[Rule, ...] = RULES) -> Iterator[Violation]:
    """Yield what breaks any of ``rules``, at most 50 of each kind and then how many more there are."""
    for rule in rules:
        name = rule.__name__.lstrip("_")
        found = rule(look)
        for message in islice(found, _SHOWN_PER_RULE):
            yield Violation(name, message)
        if rest := sum(1 for _ in found):
            yield Violation(name, f"... and {rest} more of this kind")
