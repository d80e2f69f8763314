"""A cluster as read: the nodes that can hold replicas, the replicas of models, and the load of other pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from planner.errors import InputError
from planner.fleet.kubectl_forms import Node, Pod
from planner.fleet.kubectl_lists import each_node, each_pod
from planner.fleet.kubernetes import MODEL, TYPE
from planner.fleet.pods import Amounts, Workload, allocatable, asked, workload
from planner.names import check_name

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_OLDER = "beta.kubernetes.io/instance-type"
_KEEPS_OUT = ("NoSchedule", "NoExecute")


@dataclass
class Machine:
    """A node that can hold replicas.

    Attributes
    ----------
    machine_type
        As its annotation or label says; empty if they say nothing.
    room, pods
        What it has to give, and the most pods on it.
    taints
        Keys of the taints that keep pods away.
    replicas
        Workload -> its pods here.
    load, others
        What all other pods here ask for, and how many there are.
    where
        Where in the file it stands.
    """

    name: str
    machine_type: str
    room: Amounts
    pods: int
    taints: tuple[str, ...]
    where: str
    replicas: Counter[Workload] = field(default_factory=Counter)
    load: Amounts = field(default_factory=dict)
    others: int = 0


@dataclass
class Cluster:
    """What was read.

    Attributes
    ----------
    nodes, pods
        The files.
    machines
        Nodes that can hold replicas, by name.
    replicas, asked
        Replicas of each workload, also those without a node; the most that any of its pods asks for.
    left_out
        Why -> names of nodes that are left out.
    seen
        What else there is to say -> how many pods.
    differing, choosy
        Workloads whose pods ask for different amounts, or have node selectors or affinities of their own.
    """

    nodes: str
    pods: str
    machines: dict[str, Machine] = field(default_factory=dict)
    replicas: Counter[Workload] = field(default_factory=Counter)
    asked: dict[Workload, Amounts] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    differing: set[Workload] = field(default_factory=set)
    choosy: set[Workload] = field(default_factory=set)


@dataclass(frozen=True)
class Which:
    """Which pods are replicas of models, and which node label is the machine type."""

    namespaces: Collection[str] = ()
    label: str | None = None
    type_label: str = INSTANCE_TYPE
    known: Collection[str] | None = None  # names of models; None for any

    def model(self, pod: Pod) -> Workload | None:
        """Return what a pod is a replica of; None if it is foreign."""
        if self.namespaces and pod.metadata.namespace not in self.namespaces:
            return None
        found = workload(pod, self.label)
        return found if found and (self.known is None or found.name in self.known) else None


def read_cluster(nodes: Path, pods: Path, which: Which) -> Cluster:
    """Return what two files of ``kubectl get -o json`` say.

    Raises
    ------
    InputError
        For anything in them that Kubernetes would not say, naming the file, the field, rule and value.
    """
    cluster = Cluster(str(nodes), str(pods))
    names: set[str] = set()

    def node(item: Node, where: str) -> None:
        _once(item.metadata.name, names, where)
        _take_node(cluster, item, where, which.type_label)

    each_node(nodes, node)
    known, names = names, set()

    def pod(item: Pod, where: str) -> None:
        _once(f"{item.metadata.namespace}/{item.metadata.name}", names, where)
        _take_pod(cluster, item, where, which, known)

    each_pod(pods, pod)
    _drop_tainted(cluster)
    return cluster


def _once(name: str, seen: set[str], where: str) -> None:
    if name in seen:
        raise InputError("must be unique", field=f"{where}.metadata.name", value=name)
    seen.add(name)


def _take_node(cluster: Cluster, node: Node, where: str, type_label: str) -> None:
    room = allocatable(node.status.allocatable, where)
    pods = int(room.pop("pods", Fraction(0)))
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
    for out, why in (
        (not ready, "not ready"),
        (node.spec.unschedulable, "unschedulable"),
        (not pods, "without room for a pod"),
    ):
        if out:
            cluster.left_out.setdefault(why, []).append(node.metadata.name)
            return
    kind = node.metadata.annotations.get(TYPE, "")
    labels = (type_label, _OLDER) if type_label == INSTANCE_TYPE else (type_label,)
    kind = kind or next((node.metadata.labels[key] for key in labels if node.metadata.labels.get(key)), "")
    if kind:
        check_name(kind, f"{where}.metadata.labels.{type_label}")
    taints = tuple(sorted({t.key for t in node.spec.taints if t.effect in _KEEPS_OUT}))
    name = node.metadata.name
    cluster.machines[name] = Machine(name, kind, room, min(pods, 10**9), taints, where)


def _take_pod(cluster: Cluster, pod: Pod, where: str, which: Which, nodes: set[str]) -> None:
    if pod.status.phase in ("Succeeded", "Failed"):
        cluster.seen["finished, left out"] += 1
        return
    if pod.metadata.deleted is not None:
        cluster.seen["being deleted, left out"] += 1
        return
    needs = asked(pod, where)
    needs.pop("pods", None)
    model, place = which.model(pod), pod.spec.node
    machine = cluster.machines.get(place or "")
    if model is None:
        if machine is not None:
            for resource, amount in needs.items():
                machine.load[resource] = machine.load.get(resource, Fraction(0)) + amount
            machine.others += 1
        return
    check_name(model.name, f"{where}.metadata")
    _count(cluster, model, needs, pod)
    if machine is not None:
        machine.replicas[model] += 1
        return
    why = (
        "pending"
        if not place
        else "on nodes that are left out"
        if place in nodes
        else "on nodes not in the file"
    )
    cluster.seen[f"of models, {why}: replicas without a machine"] += 1


def _count(cluster: Cluster, model: Workload, needs: Amounts, pod: Pod) -> None:
    """Count a replica; what one asks for is the most that any does."""
    before = cluster.asked.get(model)
    if before is not None and before != needs:
        cluster.differing.add(model)
        needs = {
            name: max(before.get(name, Fraction(0)), needs.get(name, Fraction(0)))
            for name in {**before, **needs}
        }
    cluster.asked[model] = needs
    cluster.replicas[model] += 1
    ours = MODEL in pod.metadata.annotations
    if not ours and (pod.spec.selector or pod.spec.affinity):
        cluster.choosy.add(model)


def _drop_tainted(cluster: Cluster) -> None:
    """Leave out tainted nodes on which no model runs."""
    for machine in [*cluster.machines.values()]:
        if machine.taints and not machine.replicas:
            why = f"tainted ({', '.join(machine.taints)}) and without a model"
            cluster.left_out.setdefault(why, []).append(machine.name)
            del cluster.machines[machine.name]
