"""A cluster as an instance, and what runs on it as a plan.

Nodes of one machine type may have different room, and other pods take some of it. An instance knows the room
of a machine type, and load on its machines that is not ours: a type has, of each resource, the most that any
of its nodes has to give, and what a node lacks of that is its load. The load that most nodes of a type have
is the type's background load; nodes with another load are pinned entries that have it in its place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from planner.errors import InputError
from planner.fleet.inventory import Cluster, Machine
from planner.fleet.naming import LABEL_VALUE, labels
from planner.fleet.pods import Amounts, Workload, outward, whole
from planner.fleet.template import filled
from planner.instance import Background, InferenceModel, Instance, MachineType, Pinned
from planner.plan import Plan

Load = tuple[tuple[tuple[str, Fraction], ...], int]  # what is lacking of each resource, and of slots


@dataclass(frozen=True)
class Imported:
    """What a cluster is.

    Attributes
    ----------
    instance, plan
        What there is, and what runs where; replicas without a machine are not in the plan.
    entries
        Pinned entry -> names of its nodes.
    unknown
        Machine types that the template does not have and on which no model runs -> their nodes, left out.
    """

    instance: Instance
    plan: Plan
    entries: dict[str, list[str]]
    unknown: dict[str, int]


def imported(cluster: Cluster, name: str, template: Instance | None) -> Imported:
    """Return a cluster as an instance with what runs on it as a plan.

    Parameters
    ----------
    template
        Where latencies, degradations and rules come from; None for 1 ms and none.

    Raises
    ------
    InputError
        If the cluster holds no model, a model runs on a machine type that has no name or that the template
        does not have, or the template does not fit.
    """
    known = None if template is None else template.type_index
    names = _model_names(cluster, unique=template is not None)
    machines, unknown = _typed(cluster, known, names)
    demand = {w: _demand(cluster.asked[w], names[w]) for w in names}
    resources = sorted({resource for amounts in demand.values() for resource in amounts})
    slots = {} if template is None else {kind.name: kind.slots for kind in template.machine_types}
    types, pinned, entries = [], [], {}
    for kind in sorted({m.machine_type for m in machines}):
        mine = [m for m in machines if m.machine_type == kind]
        machine_type, loads = _type(kind, mine, resources, slots.get(kind))
        types.append(machine_type)
        for pin, nodes in loads:
            pinned.append(pin)
            entries[pin.name] = nodes
    models = [
        InferenceModel(
            name=names[w],
            replicas=cluster.replicas[w],
            demand={outward(r): float(amount) for r, amount in demand[w].items()},
            latency_ms={kind.name: 1.0 for kind in types},
        )
        for w in sorted(names, key=lambda w: names[w])
    ]
    instance = _instance(name, types, models, pinned, template)
    return Imported(instance, _plan(instance, machines, names, entries), entries, unknown)


def _instance(
    name: str,
    types: list[MachineType],
    models: list[InferenceModel],
    pinned: list[Pinned],
    template: Instance | None,
) -> Instance:
    if template is not None:
        return filled(template, name, types, models, pinned)
    nothing = np.zeros((len(types), len(models), len(models)))
    return Instance(name, tuple(types), tuple(models), nothing, pinned=tuple(pinned))


def _model_names(cluster: Cluster, *, unique: bool) -> dict[Workload, str]:
    """Return what each workload is called: its name, with its namespace where others have the same."""
    if not cluster.replicas:
        raise InputError(
            "holds no pod of a model: see --namespace, --label and --template", file=cluster.pods
        )
    seen = Counter(w.name for w in cluster.replicas)
    if unique and (twice := next((w for w in cluster.replicas if seen[w.name] > 1), None)):
        rule = "must be a model in one namespace only: see --namespace"
        raise InputError(rule, file=cluster.pods, value=twice.name)
    return {w: w.name if seen[w.name] == 1 else str(w) for w in cluster.replicas}


def _typed(
    cluster: Cluster, known: dict[str, int] | None, names: dict[Workload, str]
) -> tuple[list[Machine], dict[str, int]]:
    """Return the nodes whose machine type is known, and the machine types of others with their numbers."""
    machines: list[Machine] = []
    unknown: Counter[str] = Counter()
    for machine in cluster.machines.values():
        if machine.machine_type and (known is None or machine.machine_type in known):
            machines.append(machine)
            continue
        if machine.replicas:
            runs = names[next(iter(machine.replicas))]
            rule = f"must have a label with its machine type (--type-label), as {runs} runs on it"
            if machine.machine_type:
                rule = f"must be of a machine type of the template, as {runs} runs on it"
            found = machine.machine_type or machine.name
            raise InputError(rule, file=cluster.nodes, field=machine.where, value=found)
        unknown[machine.machine_type] += 1
    if not machines:
        raise InputError("holds no node that is ready and whose machine type is known", file=cluster.nodes)
    return machines, dict(unknown)


def _demand(asked: Amounts, model: str) -> Amounts:
    found = {r: whole(r, amount, f"{model}: {r}", up=True) for r, amount in asked.items()}
    return {r: amount for r, amount in found.items() if amount}


def _type(
    name: str, machines: list[Machine], resources: list[str], slots: int | None
) -> tuple[MachineType, list[tuple[Pinned, list[str]]]]:
    """Return a machine type, and an entry with its nodes for each load that is not the most frequent."""
    room = {r: max(_room(m, r) for m in machines) for r in resources}
    most = slots or max(m.pods for m in machines)
    by_load: dict[Load, list[Machine]] = {}
    for machine in machines:
        by_load.setdefault(_load(machine, room, most), []).append(machine)
    usual, *others = sorted(by_load, key=lambda load: (-len(by_load[load]), load))
    kind = MachineType(
        name=name,
        count=len(machines),
        slots=most,
        resources={outward(r): float(amount) for r, amount in room.items()},
        background=_background(usual),
    )
    called = labels((_entry_name(by_load[load]) for load in others), 200, LABEL_VALUE)
    entries = []
    for load in others:
        nodes = [machine.name for machine in by_load[load]]
        pin = Pinned(
            name=called[_entry_name(by_load[load])],
            machine_type=name,
            machines=len(nodes),
            background=_background(load),
        )
        entries.append((pin, nodes))
    return kind, entries


def _entry_name(machines: list[Machine]) -> str:
    """Return a name that no other entry has, as its first node is in no other."""
    return machines[0].name + (f".and-{len(machines) - 1}-more" if len(machines) > 1 else "")


def _room(machine: Machine, resource: str) -> Fraction:
    amount = machine.room.get(resource, Fraction(0))
    return whole(resource, amount, f"{machine.where}.status.allocatable.{resource}", up=False)


def _load(machine: Machine, room: Amounts, slots: int) -> Load:
    """Return what a node lacks of its machine type's room."""
    lacking = []
    for r, most in room.items():
        taken = whole(r, machine.load.get(r, Fraction(0)), f"{machine.where}: {r} of other pods", up=True)
        if lack := most - max(_room(machine, r) - taken, Fraction(0)):
            lacking.append((r, lack))
    return tuple(lacking), slots - min(max(machine.pods - machine.others, 0), slots)


def _background(load: Load) -> Background:
    return Background(demand={outward(r): float(amount) for r, amount in load[0]}, slots=load[1])


def _plan(
    instance: Instance, machines: list[Machine], names: dict[Workload, str], entries: dict[str, list[str]]
) -> Plan:
    entry_of = {node: entry for entry, nodes in entries.items() for node in nodes}
    pools = {place: p for p, place in enumerate(instance.compiled.pool_names)}
    index = instance.model_index
    return Plan.from_patterns(
        (
            pools[machine.machine_type, entry_of.get(machine.name)],
            1,
            {index[names[w]]: n for w, n in machine.replicas.items()},
        )
        for machine in machines
    )
