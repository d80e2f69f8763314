"""What a pod asks of its node, and which model it is a replica of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from planner.errors import InputError
from planner.fleet.kubectl_forms import Container, Pod
from planner.fleet.kubernetes import MODEL
from planner.fleet.quantities import quantity
from planner.fleet.requests import is_bytes

Amounts = dict[str, Fraction]  # resource of Kubernetes -> amount
_MOST = 10**12
_MEGABYTE = 10**6
_HASH = "pod-template-hash"


def asked(pod: Pod, where: str) -> Amounts:
    """Return what the scheduler counts for a pod.

    The sum of its containers and of init containers that go on running, or what any other init container
    needs beside those before it if that is more; what is said of the pod as a whole instead where it is;
    and the overhead of its runtime.

    Raises
    ------
    InputError
        For what is no quantity.
    """
    spec = f"{where}.spec"
    total = _sum(_container(c, f"{spec}.containers[{i}]") for i, c in enumerate(pod.spec.containers))
    staying: Amounts = {}
    peak: Amounts = {}
    for i, container in enumerate(pod.spec.init):
        needs = _container(container, f"{spec}.initContainers[{i}]")
        if container.restart == "Always":
            staying = _sum((staying, needs))
            needs = {}
        peak = _larger(peak, _sum((staying, needs)))
    total = _larger(_sum((total, staying)), peak)
    total |= _amounts(pod.spec.resources.requests, f"{spec}.resources.requests")
    return _sum((total, _amounts(pod.spec.overhead, f"{spec}.overhead")))


def allocatable(amounts: Mapping[str, Any], where: str) -> Amounts:
    """Return what a node has to give; raises as :func:`asked` does."""
    return _amounts(amounts, f"{where}.status.allocatable")


def outward(resource: str) -> str:
    """Return what a resource of Kubernetes is called in an instance: bytes are counted in megabytes."""
    return f"{resource}_mb" if is_bytes(resource) else resource


def whole(resource: str, amount: Fraction, field: str, *, up: bool) -> Fraction:
    """Return an amount as an instance has it: cores in thousandths, megabytes in bytes, others whole.

    Raises
    ------
    InputError
        If it is more than an instance can hold.
    """
    finest = 1000 if resource == "cpu" else 1
    steps = amount * finest
    unit = _MEGABYTE if is_bytes(resource) else 1
    value = Fraction(ceil(steps) if up else floor(steps), finest * unit)
    if value > _MOST:
        raise InputError("must be at most 1e12", field=field, value=float(value))
    return value


@dataclass(frozen=True)
class Workload:
    """What a pod is a replica of, as its owner or a label says."""

    name: str
    namespace: str = ""  # of an owner; a label means the same in all of them

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def workload(pod: Pod, label: str | None) -> Workload | None:
    """Return what a pod is a replica of; None for pods of DaemonSets, jobs and others.

    Parameters
    ----------
    label
        The pod label that names the model; None for the annotation of an export, or else the owner: a
        Deployment, a ReplicaSet or a StatefulSet.
    """
    if label is not None:
        value = pod.metadata.labels.get(label)
        return Workload(value) if value else None
    if name := pod.metadata.annotations.get(MODEL):
        return Workload(name, pod.metadata.namespace)
    owner = next((o for o in pod.metadata.owners if o.controller), None)
    if owner is None or owner.kind not in ("ReplicaSet", "StatefulSet"):
        return None
    name = owner.name
    if owner.kind == "ReplicaSet" and (digest := pod.metadata.labels.get(_HASH)):
        name = re.sub(f"-{re.escape(digest)}$", "", name)
    return Workload(name, pod.metadata.namespace)


def _container(container: Container, where: str) -> Amounts:
    """Return what a container asks for; a limit without a request is both."""
    requests, limits = container.resources.requests, container.resources.limits
    return _amounts(limits, f"{where}.resources.limits") | _amounts(requests, f"{where}.resources.requests")


def _amounts(amounts: Mapping[str, Any], where: str) -> Amounts:
    return {name: quantity(text, f"{where}.{name}") for name, text in amounts.items()}


def _sum(several: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for amounts in several:
        for name, amount in amounts.items():
            total[name] = total[name] + amount if name in total else amount
    return total


def _larger(first: Amounts, second: Amounts) -> Amounts:
    return {
        name: max(first.get(name, Fraction(0)), second.get(name, Fraction(0))) for name in {**first, **second}
    }
