"""Why an instance has no plan, from conditions that every plan must meet.

Each function yields reasons in words; one reason is a proof. That none is found proves nothing.
All sums are integers, so a reason is never an artefact of rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED
from planner.evaluate import look_at, verdict
from planner.instance import InferenceModel, Instance, MachineType
from planner.integers import PPM
from planner.plan import Plan
from planner.rules import ON_MACHINES, violations


def obstacles(instance: Instance) -> tuple[str, ...]:
    """Return reasons, each a proof that ``instance`` has no plan; empty if none was found."""
    found = [*_pins(instance), *_homeless(instance)]
    if not found:
        found = [*_crowded(instance), *_short(instance), *_spread(instance), *_clashes(instance)]
    return tuple(found)


def _pins(instance: Instance) -> Iterator[str]:
    """Pinned replicas that break a rule where they are pinned."""
    c = instance.compiled
    pinned = np.flatnonzero(c.pinned.any(axis=1)).tolist()
    patterns = [(p, int(c.machines[p]), dict(enumerate(c.pinned[p].tolist()))) for p in pinned]
    found = verdict(instance, Plan.from_patterns(patterns)).violations
    if c.factored and any(v.rule == "slo" for v in found):
        rigid = Plan.from_patterns(pattern for pattern in patterns if not _may_fall(instance, pattern[0]))
        late = [v for v in violations(look_at(instance, rigid), ON_MACHINES) if v.rule == "slo"]
        found = (*(v for v in found if v.rule != "slo"), *late)
    for violation in found:
        if violation.rule not in ("replicas", "min_machines"):  # these are of whole plans
            yield f"pinned replicas break the rule {violation.rule}: {violation.message}"


def _may_fall(instance: Instance, p: int) -> bool:
    """Whether the factor of pool p falls anywhere as its machines fill, which may cure an SLO."""
    c = instance.compiled
    k, crowd = int(c.type_of[p]), int(c.pinned[p].sum())
    return c.least_factor(k, crowd) < int(c.factor[k, min(crowd, c.factor.shape[1] - 1)])


def _homeless(instance: Instance) -> Iterator[str]:
    """Models of which not even one replica alone fits on any machine."""
    c = instance.compiled
    usable = c.allowed & (c.machines > 0)[:, None]
    for t in np.flatnonzero(~usable.any(axis=0)).tolist():
        model = instance.models[t]
        reasons = [_why_not(instance, model, m) for m in instance.machine_types]
        yield f"{model.name} runs nowhere: " + "; ".join(dict.fromkeys(reasons))


def _why_not(instance: Instance, model: InferenceModel, machine_type: MachineType) -> str:
    """Say why one replica of ``model`` alone does not fit on a machine of this type."""
    c, name = instance.compiled, machine_type.name
    k, t = instance.type_index[name], instance.model_index[model.name]
    p = int(np.flatnonzero(c.type_of == k)[0])
    if name not in model.latency_ms:
        return f"on {name} it has no latency"
    if not c.permitted[k, t]:
        return f"on {name} a rule forbids it"
    if machine_type.count == 0:
        return f"there are no machines of type {name}"
    for r, resource in enumerate(c.resources):
        need, have = int(c.demand[k, t, r]), max(int(c.capacity[p, r]), 0)
        if need > have:
            short = f"short by {(need - have) / PPM:.6g}"
            return f"on {name} it needs {need / PPM:.15g} {resource}, {have / PPM:.15g} there, {short}"
    if c.slots[p] < 1:
        return f"on {name} background load takes every slot"
    alone = model.latency_ms[name] * (1 + int(c.background[p, t]) / PPM)
    if model.slo_ms is not None and model.miss_price is None and alone > model.slo_ms:
        short = f"short by {alone - model.slo_ms:.6g} ms"
        return f"on {name} it takes {alone:.6g} ms alone, SLO {model.slo_ms:.6g} ms, {short}"
    return f"on {name} every machine is pinned or loaded so that it does not fit"


def _crowded(instance: Instance) -> Iterator[str]:
    """Models with more replicas than fit even if they had every machine to themselves."""
    c = instance.compiled
    most = c.most_per_machine()
    for t, model in enumerate(instance.models):
        room = sum(int(n) * int(per) for n, per in zip(c.machines, most[:, t], strict=True))
        if room < model.replicas:
            each = ", ".join(
                f"{per} on each of {n} x {name}"
                for (name, _), n, per in zip(c.pool_names, c.machines, most[:, t], strict=True)
                if n and per
            )
            yield (
                f"{model.name}: {model.replicas} replicas, but with every machine to itself only {room} fit "
                f"({each}), short by {model.replicas - room}"
            )


def _short(instance: Instance) -> Iterator[str]:
    """Slots or a resource short for the models that must share a set of machine types.

    For the set of machine types that a model may use, all models confined to that set must fit
    there together, each at its smallest demand in the set.
    """
    c = instance.compiled
    usable = c.allowed & (c.machines > 0)[:, None]
    everywhere = np.ones(c.machines.size, dtype=bool)
    for pools in {row.tobytes(): row for row in [everywhere, *usable.T]}.values():
        confined = ~(usable & ~pools[:, None]).any(axis=0)
        if not confined.any():
            continue
        types = list(dict.fromkeys(c.pool_names[p][0] for p in np.flatnonzero(pools)))
        who = "all models" if confined.all() else _names(instance, confined)
        where = f"{who} on {', '.join(types)}"
        n = [int(v) for v in c.replicas[confined]]
        slots = [int(c.machines[p]) * max(int(c.slots[p]), 0) for p in np.flatnonzero(pools)]
        if (c.slots[pools] < UNLIMITED).all() and sum(n) > sum(slots):
            yield f"slots: {where} need {sum(n)}, {sum(slots)} there, short by {sum(n) - sum(slots)}"
        for r, resource in enumerate(c.resources):
            demand = np.where(usable[pools], c.demand[c.type_of[pools], :, r], UNLIMITED).min(axis=0)[
                confined
            ]
            need = sum(a * int(d) for a, d in zip(n, demand, strict=True))
            have = sum(int(c.machines[p]) * max(int(c.capacity[p, r]), 0) for p in np.flatnonzero(pools))
            if need > have:
                yield (
                    f"{resource}: {where} need {need / PPM:.15g}, {have / PPM:.15g} there, "
                    f"short by {(need - have) / PPM:.6g}"
                )


def _spread(instance: Instance) -> Iterator[str]:
    """Models that must spread over more machines than they have replicas, or than there are."""
    c = instance.compiled
    for t, model in enumerate(instance.models):
        least = int(c.min_machines[t])
        if least > model.replicas:
            wanted = f"min_machines wants {model.name} on {least} machines"
            yield f"rules clash: {wanted}, it has {model.replicas} replicas"
        usable = int(c.machines[c.allowed[:, t]].sum())
        if least > usable:
            yield f"rules clash: min_machines wants {model.name} on {least} machines, it can use {usable}"


def _clashes(instance: Instance) -> Iterator[str]:
    """Groups kept apart that together need more machines than they may use."""
    c = instance.compiled
    most = np.where((c.machines > 0)[:, None], c.most_per_machine(), 0).max(axis=0)
    for group in instance.rules.keep_apart:
        members = [instance.model_index[name] for name in group]
        least = [max(-(-int(c.replicas[t]) // max(int(most[t]), 1)), int(c.min_machines[t])) for t in members]
        usable = int(c.machines[c.allowed[:, members].any(axis=1)].sum())
        if sum(least) > usable:
            each = ", ".join(f"{name} {n}" for name, n in zip(group, least, strict=True))
            yield (
                f"rules clash: kept apart, {', '.join(group)} need {sum(least)} machines ({each}), "
                f"they can use {usable}, short by {sum(least) - usable}"
            )


def _names(instance: Instance, chosen: NDArray[np.bool_]) -> str:
    names = [m.name for m, yes in zip(instance.models, chosen, strict=True) if yes]
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more models"
