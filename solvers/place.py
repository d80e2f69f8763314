"""What the rules that place replicas one after the other share."""

from __future__ import annotations

import numpy as np

from planner.evaluate import verdict
from planner.instance import Instance
from planner.plan import Plan
from solvers.run import Outcome, Run
from solvers.terms import Ints


def unplaced(instance: Instance, left: Ints, run: Run) -> Outcome:
    """Return an outcome without a plan that says which replicas found no machine.

    Parameters
    ----------
    left
        How many replicas of each model found no machine, shape (T,).
    """
    if run.stopping:
        placed = instance.replicas - int(left.sum())
        return Outcome(stop=run.stop, note=f"{placed} of {instance.replicas} replicas placed")
    worst = np.argsort(-left, kind="stable")[:5]
    reasons = tuple(
        f"{instance.models[t].name}: {left[t]} of {instance.models[t].replicas} replicas found no machine"
        for t in worst
        if left[t]
    )
    note = f"{int(left.sum())} of {instance.replicas} replicas found no machine"
    return Outcome(reasons=reasons, note=note)


def uncured(instance: Instance, plan: Plan) -> tuple[str, ...]:
    """Return why there is no plan although each replica was placed by the rules: pinned ones break an SLO.

    Where a co-location factor falls as a machine fills, they may break it until others come; who places
    replicas one after the other does not see to it that others do.
    """
    c = instance.compiled
    if not (c.factored and c.pinned.any()):
        return ()
    found = verdict(instance, plan).violations
    return tuple(f"pinned replicas still break the rule slo: {v.message}" for v in found if v.rule == "slo")


def scarcest_resource(instance: Instance) -> int:
    """Return the resource with the highest ratio of total demand to total capacity.

    The number of resources stands for slots, of which each replica takes one.
    """
    c = instance.compiled
    demand = (c.demand.mean(axis=0) * c.replicas[:, None]).sum(axis=0)
    capacity = (np.maximum(c.capacity, 0) * c.machines[:, None].astype(float)).sum(axis=0)
    slots = float((np.clip(c.slots, 0, c.replicas.sum()) * c.machines.astype(float)).sum())
    return int(np.argmax(np.append(demand / np.maximum(capacity, 1.0), c.replicas.sum() / max(slots, 1.0))))


def largest_first(instance: Instance) -> Ints:
    """Return the models, shape (T,), in the order that leaves the easiest for last.

    By falling demand of the scarcest resource, then by how few machines can take the model, then by
    the tightness of its SLO.
    """
    c = instance.compiled
    r = scarcest_resource(instance)
    demand = c.demand[:, :, r].mean(axis=0) if r < len(c.resources) else np.zeros(c.replicas.size)
    takers = (c.allowed * c.machines[:, None]).sum(axis=0)
    order: Ints = np.lexsort((c.slack.min(axis=0), takers, -demand))
    return order
