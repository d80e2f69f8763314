"""The rules that a valid plan keeps: one small function each, which yields what it finds in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.compiled import Compiled
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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


def _per_group(add: np.ufunc, look: Look, values: NDArray[Any]) -> NDArray[Any]:
    """Return ``add`` over the entries of each group, shape (G, ...) from (E, ...)."""
    if not len(look.plan):
        return np.zeros((0, *values.shape[1:]), dtype=values.dtype)
    result: NDArray[Any] = add.reduceat(values, look.plan.start[:-1], axis=0)
    return result


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
    lacking = _unpinned(look)
    for p, (type_name, name) in enumerate(look.c.pool_names):
        wanted = np.flatnonzero(look.c.pinned[p])
        if not wanted.size:
            continue
        here = look.plan.pool == p
        for g in np.flatnonzero(here & lacking).tolist():
            span = slice(look.plan.start[g], look.plan.start[g + 1])
            there = dict(zip(look.plan.model[span].tolist(), look.plan.count[span].tolist(), strict=True))
            for t in wanted.tolist():
                if there.get(t, 0) < look.c.pinned[p, t]:
                    model = look.instance.models[t].name
                    yield f"{look.where(g)}: {name!r} pins {look.c.pinned[p, t]} x {model} there"
        used = int(look.plan.machines[here].sum())
        if used < look.c.machines[p]:
            yield f"{type_name}: {look.c.machines[p] - used} machines of pinned {name!r} do not appear"


def _unpinned(look: Look) -> Bools:
    """Return which groups lack a replica that is pinned there, shape (G,)."""
    pins = look.c.pinned[look.plan.pool[look.group], look.plan.model]
    kept = _per_group(np.add, look, ((pins > 0) & (look.plan.count >= pins)).astype(np.int64))
    lacking: Bools = kept < np.count_nonzero(look.c.pinned, axis=1)[look.plan.pool]
    return lacking


def _permitted(look: Look) -> Iterator[str]:
    """A model runs only on machine types that have a latency for it and that rules allow."""
    for e in np.flatnonzero(_strangers(look)).tolist():
        model = look.instance.models[look.plan.model[e]]
        type_name = look.instance.machine_types[look.kind[look.group[e]]].name
        why = "a rule forbids it" if type_name in model.latency_ms else "it has no latency there"
        yield f"{model.name} on {type_name}: {why}"


def _strangers(look: Look) -> Bools:
    return ~look.c.permitted[look.kind[look.group], look.plan.model]


def _slots(look: Look) -> Iterator[str]:
    """A machine holds at most its slots' number of replicas."""
    crowd = crowds(look)
    for g in np.flatnonzero(_crowded(look)).tolist():
        yield f"{look.where(g)}: {crowd[g]} replicas on {look.c.slots[look.plan.pool[g]]} slots"


def crowds(look: Look) -> Ints:
    """Return how many replicas each machine of a group holds, shape (G,)."""
    return _per_group(np.add, look, look.plan.count)


def _crowded(look: Look) -> Bools:
    crowded: Bools = crowds(look) > look.c.slots[look.plan.pool]
    return crowded


def _resources(look: Look) -> Iterator[str]:
    """The replicas on a machine fit each of its resources."""
    used, capacity = taken(look), look.c.capacity[look.plan.pool]
    for g, r in np.argwhere(used > capacity).tolist():
        have, need = capacity[g, r] / PPM, used[g, r] / PPM
        name = look.c.resources[r]
        yield f"{look.where(g)}: needs {need:.15g} {name}, has {have:.15g}, over by {need - have:.6g}"


def taken(look: Look) -> Ints:
    """Return what each machine of a group needs of each resource, in millionths, shape (G, R)."""
    demand = look.c.demand[look.kind[look.group], look.plan.model] * look.plan.count[:, None]
    return _per_group(np.add, look, demand)


def _overloaded(look: Look) -> Bools:
    over = taken(look) - look.c.capacity[look.plan.pool]
    overloaded: Bools = over.max(axis=1, initial=0) > 0
    return overloaded


def _slo(look: Look) -> Iterator[str]:
    """No replica of a model with a hard SLO is predicted over it."""
    for e in np.flatnonzero(_late(look)).tolist():
        model = look.instance.models[look.plan.model[e]]
        alone = model.latency_ms.get(look.instance.machine_types[look.kind[look.group[e]]].name)
        if alone is not None:
            latency = alone * (1 + look.suffered[e] / PPM)
            where = look.where(int(look.group[e]))
            yield f"{where}: {model.name} at {latency:.9g} ms, SLO {model.slo_ms:.9g} ms"


def _late(look: Look) -> Bools:
    slack = look.c.slack[look.kind[look.group], look.plan.model]
    late: Bools = (look.suffered > slack) & ~look.c.soft[look.plan.model]
    return late


def _keep_apart(look: Look) -> Iterator[str]:
    """Models of a keep_apart group never share a machine."""
    for group in look.instance.rules.keep_apart:
        for g in np.flatnonzero(_mixed(look, group)).tolist():
            yield f"{look.where(g)}: at most one of {', '.join(group)} may be there"


def _mixed(look: Look, group: tuple[str, ...]) -> Bools:
    members = np.array([look.instance.model_index[name] for name in group])
    there = np.isin(look.plan.model, members).astype(np.int64)
    mixed: Bools = _per_group(np.add, look, there) > 1
    return mixed


def _any_mixed(look: Look) -> Bools:
    mixed = np.zeros(len(look.plan), dtype=bool)
    for group in look.instance.rules.keep_apart:
        mixed |= _mixed(look, group)
    return mixed


def _max_per_machine(look: Look) -> Iterator[str]:
    """A machine holds at most ``max_per_machine`` replicas of a model."""
    limit = look.c.max_per_machine[look.plan.model]
    for e in np.flatnonzero(_too_many(look)).tolist():
        name = look.instance.models[look.plan.model[e]].name
        yield f"{look.where(int(look.group[e]))}: at most {limit[e]} x {name} on a machine"


def _too_many(look: Look) -> Bools:
    too_many: Bools = look.plan.count > look.c.max_per_machine[look.plan.model]
    return too_many


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

#: The rules of single machines: which groups break each, shape (G,).
_ON_MACHINES: dict[Rule, Callable[[Look], Bools]] = {
    _pinned: _unpinned,
    _permitted: lambda look: _per_group(np.logical_or, look, _strangers(look)),
    _slots: _crowded,
    _resources: _overloaded,
    _slo: lambda look: _per_group(np.logical_or, look, _late(look)),
    _keep_apart: _any_mixed,
    _max_per_machine: lambda look: _per_group(np.logical_or, look, _too_many(look)),
}

#: The rules of single machines, which :func:`broken` looks at.
ON_MACHINES: tuple[Rule, ...] = tuple(_ON_MACHINES)

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


def broken(look: Look) -> dict[str, Bools]:
    """Return for each rule of single machines which groups break it, shape (G,)."""
    return {rule.__name__.lstrip("_"): breaks(look) for rule, breaks in _ON_MACHINES.items()}
