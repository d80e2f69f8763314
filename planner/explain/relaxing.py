"""Families of variants of an instance, each easier than the one before: what could be changed, by how much.

In a family, whatever is feasible stays so at any larger size. That holds for more machines, longer SLOs and
rules that are dropped. It holds for fewer replicas too where no co-location factor falls as machines fill: a
replica is taken away that is not pinned, from a machine with more of them or where ``min_machines`` has more
than it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from planner.evaluate import look_at
from planner.instance import InferenceModel, Instance
from planner.integers import PPM, exact
from planner.plan import Plan

_MOST_MACHINES = 10_000
_MOST_PERCENT = 10_000


@dataclass(frozen=True)
class Family:
    """Variants of an instance by size.

    Attributes
    ----------
    kind, what
        ``machines`` of a type, ``slo`` of a model (size in thousandths of a ms), ``slos`` (percent),
        ``replicas`` of a model, ``rule`` or ``pinned`` (size 1).
    variant
        The instance changed by a size.
    most
        The largest size.
    enough
        A size at which this plan of a variant is one too; None if the plan says nothing about that.
    monotone
        Whether a variant stays feasible at any larger size.
    fine
        Whether sizes are so fine that small ones are not worth trying first.
    within
        The position of a family that must help for this one to help; None if there is no such family.
    """

    kind: str
    what: str
    variant: Callable[[int], Instance]
    most: int = 1
    enough: Callable[[Plan], int] | None = None
    monotone: bool = True
    fine: bool = False
    within: int | None = None


def families(instance: Instance) -> list[Family]:
    """Return what could be changed, the likeliest remedies first."""
    found = [_machines(instance, k) for k in range(len(instance.machine_types))]
    hard = [m for m in instance.models if m.slo_ms is not None and m.miss_price is None]
    if hard:
        found.append(_slos(instance))
        everything = len(found) - 1
        found += [_slo(instance, m, everything) for m in hard]
    found += _rules(instance, len(found))
    falling = bool((np.diff(instance.compiled.factor, axis=1) < 0).any())
    return [*found, *_pins(instance), *_replicas(instance, monotone=not falling)]


def _machines(instance: Instance, k: int) -> Family:
    kind = instance.machine_types[k]

    def variant(more: int) -> Instance:
        types = list(instance.machine_types)
        types[k] = kind.model_copy(update={"count": kind.count + more})
        return instance.replace(machine_types=tuple(types))

    def enough(plan: Plan) -> int:
        used = int(plan.machines[instance.compiled.type_of[plan.pool] == k].sum())
        pools = np.flatnonzero(instance.compiled.type_of == k)
        pinned = int(instance.compiled.machines[pools[1:]].sum())
        idle = pinned - int(plan.machines[np.isin(plan.pool, pools[1:])].sum())
        return used + idle - kind.count  # pinned machines that carry nothing are there all the same

    return Family("machines", kind.name, variant, min(instance.replicas, _MOST_MACHINES), enough)


def _latency(instance: Instance, plan: Plan, t: int) -> Fraction:
    """Return the highest latency of a replica of model t, in ms, exactly."""
    look, model = look_at(instance, plan), instance.models[t]
    mine = plan.model == t
    kinds = [instance.machine_types[k].name for k in look.kind[look.group[mine]].tolist()]
    degradations = look.suffered[mine].tolist()
    return max(
        exact(model.latency_ms[k]) * (1 + Fraction(d, PPM)) for k, d in zip(kinds, degradations, strict=True)
    )


def _with_slo(model: InferenceModel, slo: Fraction) -> InferenceModel:
    return model.model_copy(update={"slo_ms": float(slo)})


def _slo(instance: Instance, model: InferenceModel, everything: int) -> Family:
    t, limit = instance.model_index[model.name], exact(model.slo_ms or 0.0)

    def variant(thousandths: int) -> Instance:
        longer = _with_slo(model, limit + Fraction(thousandths, 1000))
        return instance.replace(models=tuple(longer if m is model else m for m in instance.models))

    def enough(plan: Plan) -> int:
        return ceil((_latency(instance, plan, t) - limit) * 1000)

    longest = exact(max(model.latency_ms.values())) * (1 + Fraction(_most_suffered(instance, t), PPM))
    most = min(max(ceil((longest - limit) * 1000), 1), 10**11)
    return Family("slo", model.name, variant, most, enough, fine=True, within=everything)


def _most_suffered(instance: Instance, t: int) -> int:
    """Return a degradation of model t that no plan exceeds, in ppm."""
    c = instance.compiled
    crowd = int(min(c.replicas.sum(), max(int(c.slots.max(initial=0)), 1)))
    pairs = int(c.degradation[:, t, :].max(initial=0)) * crowd
    return pairs * max(int(c.factor.max()), PPM) // PPM + int(c.background[:, t].max(initial=0)) + 1


def _slos(instance: Instance) -> Family:
    hard = [t for t, m in enumerate(instance.models) if m.slo_ms is not None and m.miss_price is None]

    def variant(percent: int) -> Instance:
        models = list(instance.models)
        for t in hard:
            models[t] = _with_slo(models[t], exact(models[t].slo_ms or 0.0) * (100 + percent) / 100)
        return instance.replace(models=tuple(models))

    def enough(plan: Plan) -> int:
        over = [_latency(instance, plan, t) / exact(instance.models[t].slo_ms or 1.0) for t in hard]
        return ceil((max(over) - 1) * 100)

    return Family("slos", "", variant, _MOST_PERCENT, enough)


def _rules(instance: Instance, first: int) -> list[Family]:
    """Return each rule dropped alone, after all rules of its kind where there are several."""
    found: list[Family] = []
    for kind in ("keep_apart", "max_per_machine", "min_machines", "allow", "forbid"):
        entries = getattr(instance.rules, kind)
        several = first + len(found) if len(entries) > 1 else None
        if several is not None:
            found.append(Family("rule", kind, _without(instance, kind, type(entries)())))
        for i, entry in enumerate(entries):
            if isinstance(entries, dict):
                name, rest = entry, {key: value for key, value in entries.items() if key != entry}
            else:
                name, rest = ", ".join(entry), entries[:i] + entries[i + 1 :]
            found.append(Family("rule", f"{kind} of {name}", _without(instance, kind, rest), within=several))
    return found


def _pins(instance: Instance) -> Iterator[Family]:
    """Yield each pinned entry whose replicas may move; its background load stays."""
    for i, pin in enumerate(instance.pinned):
        if pin.models:
            yield Family("pinned", pin.name, _unpinned(instance, i))


def _unpinned(instance: Instance, i: int) -> Callable[[int], Instance]:
    pins = list(instance.pinned)
    pins[i] = pins[i].model_copy(update={"models": {}})
    return lambda _: instance.replace(pinned=tuple(pins))


def _without(instance: Instance, kind: str, rest: object) -> Callable[[int], Instance]:
    rules = instance.rules.model_copy(update={kind: rest})
    return lambda _: instance.replace(rules=rules)


def _replicas(instance: Instance, *, monotone: bool) -> Iterator[Family]:
    for t, model in enumerate(instance.models):
        pinned = int((instance.compiled.pinned[:, t] * instance.compiled.machines).sum())
        least = max(1, pinned, instance.rules.min_machines.get(model.name, 0))
        if model.replicas > least:
            yield Family(
                "replicas", model.name, _fewer(instance, t), model.replicas - least, monotone=monotone
            )


def _fewer(instance: Instance, t: int) -> Callable[[int], Instance]:
    def variant(fewer: int) -> Instance:
        models = list(instance.models)
        models[t] = models[t].model_copy(update={"replicas": models[t].replicas - fewer})
        return instance.replace(models=tuple(models))

    return variant
