"""A plan as groups of machines that carry the same pattern, with the names they have outside.

A group's label is made of its machine type and its pattern, so that a group which a later plan keeps also
keeps its label, and what runs there need not be touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from planner.errors import InputError
from planner.fleet.naming import DIGEST, DNS_LABEL, LABEL_VALUE, digest, labels, slug
from planner.instance import Instance
from planner.plan import Plan

GROUP = 40  #: most characters of a group's label
MODEL = 40  #: most characters of a model's label
VALUE = 63  #: most characters of a label's value in Kubernetes


@dataclass(frozen=True)
class Group:
    """Machines of one type, or of one pinned entry, that carry the same pattern.

    Attributes
    ----------
    label
        A DNS label, unique in the plan.
    machines
        How many there are.
    models
        Model -> replicas of it on each of them.
    """

    label: str
    machine_type: str
    pinned: str | None
    machines: int
    models: dict[str, int]

    @property
    def digest(self) -> str:
        """What of the label stands for all that the group is."""
        return self.label[-DIGEST:]


@dataclass(frozen=True)
class Layout:
    """A plan in the terms of an instance, and the labels of what it names.

    Attributes
    ----------
    model_labels
        Model -> DNS label.
    type_values, pinned_values
        Machine type and pinned entry -> value of a Kubernetes label.
    """

    instance: Instance
    groups: tuple[Group, ...]
    model_labels: dict[str, str]
    type_values: dict[str, str]
    pinned_values: dict[str, str]

    @property
    def replicas(self) -> int:
        """Replicas over all groups."""
        return sum(group.machines * sum(group.models.values()) for group in self.groups)


def layout(instance: Instance, plan: Plan) -> Layout:
    """Return a valid plan as groups."""
    names = list(instance.model_index)
    groups = []
    for pool, machines, pattern in plan.patterns():
        machine_type, pinned = instance.compiled.pool_names[pool]
        models = {names[t]: n for t, n in pattern.items()}
        label = _group_label(machine_type, pinned, models)
        groups.append(Group(label, machine_type, pinned, machines, models))
    if len({group.label for group in groups}) < len(groups):  # less likely than a fault of the hardware
        raise InputError("has two groups of machines with the same label", field="machines")
    return Layout(
        instance,
        tuple(groups),
        labels(names, MODEL, DNS_LABEL),
        labels(instance.type_index, VALUE, LABEL_VALUE),
        labels((pin.name for pin in instance.pinned), VALUE, LABEL_VALUE),
    )


def _group_label(machine_type: str, pinned: str | None, models: dict[str, int]) -> str:
    """Return a label that depends on nothing but what the group is."""
    start = slug(machine_type, GROUP - DIGEST - 1)
    end = digest(json.dumps([machine_type, pinned, sorted(models.items())]))
    return f"{start}-{end}" if start else end
