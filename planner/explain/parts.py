"""Places of a plan by name, and who hurts whom on one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.compiled import multiplied
from planner.errors import InputError
from planner.explain.variants import UNUSED, Ints, View
from planner.instance import Instance
from planner.integers import PPM
from planner.plan_form import PlanFile


@dataclass(frozen=True)
class Group:
    """Machines that carry the same pattern, as `planner show --all` names them."""

    name: str
    machine_type: str
    pinned: str | None
    machines: int
    models: dict[str, int]


@dataclass(frozen=True)
class Share:
    """What ``replicas`` of a model add to the degradation of one replica of another."""

    model: str
    replicas: int
    degradation: float


@dataclass(frozen=True)
class Victim:
    """One replica of a model on some machine: its degradation, who causes it, its latency and SLO."""

    model: str
    replicas: int
    degradation: float
    hurt_by: tuple[Share, ...]
    background: float
    latency_ms: float
    slo_ms: float | None
    soft: bool

    @property
    def room_ms(self) -> float | None:
        """How many ms are left to the SLO; negative if a soft one is missed."""
        return None if self.slo_ms is None else self.slo_ms - self.latency_ms


class Places:
    """The groups of a plan and their names."""

    def __init__(self, view: View, document: PlanFile) -> None:
        self.view = view
        pools = {names: p for p, names in enumerate(view.c.pool_names)}
        index = view.instance.model_index
        known = {(p, frozenset(pattern.items())): g for g, (p, _, pattern) in enumerate(view.plan.patterns())}
        self._names: dict[int, str] = {}
        self._groups: dict[str, int] = {}
        for name, group in document.machines.named(None):
            pool = pools[group["machine_type"], group.get("pinned")]
            pattern = frozenset((index[model], n) for model, n in group["models"].items())
            self._groups[name] = known[pool, pattern]
            self._names.setdefault(known[pool, pattern], name)  # a file may list one group twice

    def name(self, g: int) -> str:
        """Return the name of a group."""
        return self._names[g]

    def group(self, g: int) -> Group:
        """Return a group as people know it."""
        kind, pinned = self.view.c.pool_names[int(self.view.plan.pool[g])]
        models = self.view.instance.models
        pattern = {models[t].name: n for t, n in self.view.pattern(g).items()}
        return Group(self.name(g), kind, pinned, int(self.view.plan.machines[g]), pattern)

    def unused(self, pool: int) -> str:
        """Return what to call a machine of a pool that carries nothing, or that there would have to be."""
        kind, pinned = self.view.c.pool_names[pool]
        name = kind if pinned is None else f"{kind} ({pinned})"
        return f"an unused {name}" if self.view.unused[pool] else f"one more {name}"

    def where(self, g: int, pool: int) -> str:
        """Return what to call a machine of group ``g``, or an unused one of ``pool``."""
        return self.unused(pool) if g == UNUSED else self.name(g)

    def chosen(self, what: str) -> list[int]:
        """Return the groups of a machine type, or the one group that has this name.

        Raises
        ------
        InputError
            If there is neither.
        """
        instance = self.view.instance
        if what in instance.type_index:
            kinds = self.view.look.kind
            return np.flatnonzero(kinds == instance.type_index[what]).tolist()
        if what not in self._groups:
            kind = what.rpartition("#")[0]
            number = sum(name.rpartition("#")[0] == kind for name in self._groups)
            known = f"{kind}#1 to {kind}#{number}" if number else ", ".join(instance.type_index)
            rule = f"must be a machine type or a group of its machines ({known})"
            raise InputError(rule, field="machine", value=what)
        return [self._groups[what]]


def model_number(instance: Instance, name: str) -> int:
    """Return the position of a model.

    Raises
    ------
    InputError
        If the instance has none of that name.
    """
    if name not in instance.model_index:
        raise InputError("must name a model of the instance", field="model", value=name)
    return instance.model_index[name]


def pairs(view: View, g: int) -> Ints:
    """Return what the replicas of one model add to one replica of another on group g, in ppm.

    Shape (S, S) over the models of the pattern, victims first, each number rounded for itself where a
    co-location factor multiplies sums.
    """
    c, span = view.c, slice(int(view.plan.start[g]), int(view.plan.start[g + 1]))
    model, count = view.plan.model[span], view.plan.count[span]
    k = int(view.look.kind[g])
    factor = c.factor[k, min(int(count.sum()), c.factor.shape[1] - 1)]
    beside = count[None, :] - np.eye(model.size, dtype=np.int64)
    return multiplied(c.degradation[k][np.ix_(model, model)] * beside, factor)


def caused(view: View, g: int, model: int) -> Mapping[int, int]:
    """Return for each model on group g what one replica of ``model`` there adds to one of it, in ppm."""
    c, k, pattern = view.c, int(view.look.kind[g]), view.pattern(g)
    factor = c.factor[k, min(sum(pattern.values()), c.factor.shape[1] - 1)]
    beside = [u for u, n in pattern.items() if n > (u == model)]
    return {u: int(multiplied(c.degradation[k, u, model], factor)) for u in beside}


def victims(view: View, g: int) -> list[Victim]:
    """Return who lives on group g and what each suffers there."""
    first = int(view.plan.start[g])
    added = pairs(view, g) / PPM
    names = [view.instance.models[t].name for t in view.pattern(g)]
    pool, kind = int(view.plan.pool[g]), view.instance.machine_types[int(view.look.kind[g])].name
    result = []
    for i, (t, n) in enumerate(view.pattern(g).items()):
        model, suffered = view.instance.models[t], int(view.look.suffered[first + i])
        shares = [
            Share(names[j], m - (i == j), float(added[i, j]))
            for j, m in enumerate(view.pattern(g).values())
            if m > (i == j)
        ]
        result.append(
            Victim(
                model=model.name,
                replicas=n,
                degradation=suffered / PPM,
                hurt_by=tuple(sorted(shares, key=lambda share: -share.degradation)),
                background=int(view.c.background[pool, t]) / PPM,
                latency_ms=model.latency_ms[kind] * (1 + suffered / PPM),
                slo_ms=model.slo_ms,
                soft=model.miss_price is not None,
            )
        )
    return result
