"""What replicas ask of a machine, in the resources of Kubernetes.

An instance's resources are names and numbers; their units are known to people. Those whose unit the name
says are taken by it: ``cpu``, ``memory_gb``, or a resource of a device such as ``nvidia.com/gpu``. Of others
somebody has to say it, as in ``NAME=memory:Gi``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from planner.errors import InputError
from planner.fleet.quantities import quantity
from planner.instance import InferenceModel, Instance

_NAME = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_UNITS = {"mb": "M", "gb": "G", "tb": "T", "mib": "Mi", "gib": "Gi", "tib": "Ti"}
_CORES = ("cpu", "cores", "cpus")
_FORM = "must be NAME=RESOURCE or NAME=RESOURCE:UNIT, such as memory=memory:Gi"


@dataclass(frozen=True)
class Requests:
    """How an instance's resources are called outside.

    Attributes
    ----------
    known
        Resource of the instance -> resource of Kubernetes, and how much of it a 1 is.
    left_out
        Resources of the instance that are not asked for.
    """

    known: dict[str, tuple[str, Fraction]]
    left_out: tuple[str, ...]

    def of(self, model: InferenceModel, machine_type: str) -> dict[str, Fraction]:
        """Return how much one replica takes there, in whole millicores, bytes or devices, rounded up."""
        demand = {**model.demand, **model.demand_on.get(machine_type, {})}
        found = {}
        for name, (outside, unit) in self.known.items():
            if amount := demand.get(name):
                exact = Fraction(str(amount)) * unit
                finest = 1000 if outside == "cpu" else 1
                found[outside] = Fraction(ceil(exact * finest), finest)
        return found


def is_bytes(resource: str) -> bool:
    """Whether a resource of Kubernetes is counted in bytes."""
    return resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-")


def is_device(resource: str) -> bool:
    """Whether a resource of Kubernetes is one of devices: whole numbers, and requests are limits."""
    return "/" in resource


def requests(instance: Instance, named: Sequence[str] = ()) -> Requests:
    """Return how the resources of an instance are called in Kubernetes.

    Parameters
    ----------
    named
        What somebody said: ``NAME=RESOURCE`` or ``NAME=RESOURCE:UNIT``, where the unit is a suffix of
        Kubernetes such as ``Gi`` and means that a 1 of the instance is ``1Gi``.

    Raises
    ------
    InputError
        If one of them has another form, is not of the instance, or two are the same resource outside.
    """
    resources = {name: None for kind in instance.machine_types for name in kind.resources}
    told = dict(_told(text, resources) for text in named)
    found = {name: told.get(name) or _by_name(name) for name in resources}
    known = {name: place for name, place in found.items() if place and _whole(instance, name, place)}
    seen: dict[str, str] = {}
    for name, (outside, _) in known.items():
        if outside in seen:
            rule = f"must not make two resources the same, {seen[outside]!r} and this are both {outside}"
            raise InputError(rule, field="resource", value=name)
        seen[outside] = name
    return Requests(known, tuple(name for name in resources if name not in known))


def _told(text: str, resources: dict[str, None]) -> tuple[str, tuple[str, Fraction]]:
    name, equals, right = text.rpartition("=")
    outside, colon, unit = right.partition(":")
    if not equals or not _NAME.fullmatch(outside) or (colon and not unit):
        raise InputError(_FORM, field="resource", value=text)
    if name not in resources:
        raise InputError("must name a resource of the instance", field="resource", value=name)
    try:
        return name, (outside, quantity(f"1{unit}", "resource"))
    except InputError:
        raise InputError(_FORM, field="resource", value=text) from None


def _by_name(name: str) -> tuple[str, Fraction] | None:
    """Return what a name says of itself."""
    if name in _CORES:
        return "cpu", Fraction(1)
    base, _, unit = name.rpartition("_")
    if is_bytes(base) and unit in _UNITS:
        return base, quantity(f"1{_UNITS[unit]}", "resource")
    return (name, Fraction(1)) if is_device(name) and _NAME.fullmatch(name) else None


def _whole(instance: Instance, name: str, place: tuple[str, Fraction]) -> bool:
    """Whether each demand can be asked for: of a device there are no parts."""
    outside, unit = place
    if outside == "cpu" or is_bytes(outside):
        return True
    amounts = [demand.get(name, 0.0) for m in instance.models for demand in (m.demand, *m.demand_on.values())]
    return all((Fraction(str(amount)) * unit).denominator == 1 for amount in amounts)
