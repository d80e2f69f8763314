"""What must hold between the fields of an instance: names that exist, pins that fit, pairs that are there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from planner.errors import InputError
from planner.names import check_name
from planner.sizes import check_sizes

if TYPE_CHECKING:
    from planner.instance import InferenceModel, Instance

_OBJECTIVES = ("degradation", "price", "worst")


def check(instance: Instance) -> None:
    """Run every check that looks at more than one field.

    Raises
    ------
    InputError
        For the first that fails, naming field, rule and value.
    """
    for what, items in (
        ("machine_types", instance.machine_types),
        ("models", instance.models),
        ("pinned", instance.pinned),
    ):
        _check_unique(what, [item.name for item in items])
    check_name(instance.name, "name")
    resources = {r for m in instance.machine_types for r in m.resources}
    pools = len(instance.machine_types) + len(instance.pinned)
    check_sizes(len(instance.machine_types), len(instance.models), pools, len(resources))
    for what, length in (("machine_types", len(instance.machine_types)), ("models", len(instance.models))):
        if not length:
            raise InputError("must not be empty", field=what)
    _check_names(instance)
    _check_pinned(instance)
    _check_objective(instance)
    _check_degradation(instance)
    _check_upper(instance)


def _check_unique(field_name: str, names: list[str]) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise InputError("must be unique", field=f"{field_name}[{i}].name", value=name)
        seen.add(name)


def _known(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"must name a {what} of this instance", field=where, value=name)


def _check_names(instance: Instance) -> None:
    types, models = instance.type_index, instance.model_index
    resources = {r for m in instance.machine_types for r in m.resources}
    for k, machine_type in enumerate(instance.machine_types):
        where = f"machine_types[{k}].background"
        _known(machine_type.background.demand, resources, f"{where}.demand", "resource")
        _known(machine_type.background.degradation, models, f"{where}.degradation", "model")
    for t, model in enumerate(instance.models):
        _check_model(instance, model, f"models[{t}]", resources)
    rules = instance.rules
    for i, group in enumerate(rules.keep_apart):
        _known(group, models, f"rules.keep_apart[{i}]", "model")
        if len(set(group)) < max(2, len(group)):
            raise InputError(
                "must name at least two models, each once", field=f"rules.keep_apart[{i}]", value=list(group)
            )
    for rule in ("max_per_machine", "min_machines", "allow", "forbid"):
        _known(getattr(rules, rule), models, f"rules.{rule}", "model")
    for rule in ("allow", "forbid"):
        for name, listed in getattr(rules, rule).items():
            _known(listed, types, f"rules.{rule}.{name}", "machine type")


def _check_model(instance: Instance, model: InferenceModel, where: str, resources: set[str]) -> None:
    types = instance.type_index
    _known(model.demand, resources, f"{where}.demand", "resource")
    _known(model.latency_ms, types, f"{where}.latency_ms", "machine type")
    _known(model.demand_on, types, f"{where}.demand_on", "machine type")
    for type_name, demand in model.demand_on.items():
        _known(demand, resources, f"{where}.demand_on.{type_name}", "resource")
    if not model.latency_ms:
        raise InputError("must give a latency on at least one machine type", field=f"{where}.latency_ms")
    if model.miss_price is not None and model.slo_ms is None:
        raise InputError("needs slo_ms, the SLO that it makes soft", field=f"{where}.miss_price")


def _check_pinned(instance: Instance) -> None:
    machines = dict.fromkeys(instance.type_index, 0)
    replicas = dict.fromkeys(instance.model_index, 0)
    resources = {r for m in instance.machine_types for r in m.resources}
    for i, pin in enumerate(instance.pinned):
        where = f"pinned[{i}]"
        _known([pin.machine_type], machines, f"{where}.machine_type", "machine type")
        _known(pin.models, replicas, f"{where}.models", "model")
        if pin.background is not None:
            _known(pin.background.demand, resources, f"{where}.background.demand", "resource")
            _known(pin.background.degradation, replicas, f"{where}.background.degradation", "model")
        _known(pin.here, replicas, f"{where}.here", "model")
        _known(pin.arrival_price, replicas, f"{where}.arrival_price", "model")
        machines[pin.machine_type] += pin.machines
        available = instance.machine_types[instance.type_index[pin.machine_type]].count
        if machines[pin.machine_type] > available:
            rule = f"pins {machines[pin.machine_type]} machines of {pin.machine_type}, which has {available}"
            raise InputError(rule, field=f"{where}.machines", value=pin.machines)
        for name, count in pin.models.items():
            replicas[name] += count * pin.machines
            owned = instance.models[instance.model_index[name]].replicas
            if replicas[name] > owned:
                rule = f"pins {replicas[name]} replicas of {name}, which has {owned}"
                raise InputError(rule, field=f"{where}.models.{name}", value=count)


def _check_objective(instance: Instance) -> None:
    if not isinstance(instance.objective, BaseModel) and instance.objective not in _OBJECTIVES:
        rule = f"must be one of {', '.join(_OBJECTIVES)}, or weights"
        raise InputError(rule, field="objective", value=instance.objective)
    if instance.weights is None:
        for t, model in enumerate(instance.models):
            if model.miss_price is not None:
                raise InputError(
                    "cannot be priced under the objective 'worst', which is a single degradation",
                    field=f"models[{t}].miss_price",
                    value=model.miss_price,
                )
        for i, pin in enumerate(instance.pinned):
            if pin.arrival_price:
                rule = "cannot be used under the objective 'worst', which is a single degradation"
                raise InputError(rule, field=f"pinned[{i}].arrival_price", value=pin.arrival_price)
    elif instance.weights.degradation == 0 and instance.weights.price == 0:
        raise InputError("must give a positive weight to degradation or to price", field="objective")


def _check_degradation(instance: Instance) -> None:
    shape = (len(instance.machine_types), len(instance.models), len(instance.models))
    if instance.degradation.shape != shape:
        rule = f"must be an array of shape {shape} (machine types, victims, aggressors)"
        raise InputError(rule, field="degradation", value=instance.degradation.shape)
    for k, machine_type in enumerate(instance.machine_types):
        values = instance.degradation[k]
        needed = _needed(instance, k)
        for mask, rule in (
            (needed & np.isnan(values), "is missing for a pair that can meet"),
            (~np.isnan(values) & ~((values >= 0) & (values <= 1e9)), "must be a number from 0 to 1e9"),
        ):
            if mask.any():
                t, u = divmod(int(mask.argmax()), len(instance.models))
                pair = f"degradation.{machine_type.name}.{instance.models[t].name}.{instance.models[u].name}"
                found = None if np.isnan(values[t, u]) else float(values[t, u])
                raise InputError(rule, field=pair, value=found)


def _needed(instance: Instance, k: int) -> NDArray[np.bool_]:
    """Return (T, T): which pairs can meet on machine type k."""
    runs = instance.runs_on()[k]
    needed: NDArray[np.bool_] = runs[:, None] & runs[None, :]
    single = np.array([m.replicas == 1 for m in instance.models])
    needed[single, single] = False
    return needed


def _check_upper(instance: Instance) -> None:
    """Refuse upper ends that are none, and a probability without them."""
    upper, probability = instance.upper, instance.slo_probability
    if upper is not None and upper.shape != instance.degradation.shape:
        rule = f"must have the shape of degradation, {instance.degradation.shape}"
        raise InputError(rule, field="upper", value=upper.shape)
    if upper is not None and not (np.isnan(upper) | ((upper >= 0) & (upper <= 1e9))).all():
        raise InputError("must be numbers from 0 to 1e9", field="upper")
    if probability is None:
        return
    if not 0.5 <= probability <= 0.9999:
        raise InputError("must be from 0.5 to 0.9999", field="slo_probability", value=probability)
    for k, machine_type in enumerate(instance.machine_types):
        missing = _needed(instance, k) & (np.isnan(upper[k]) if upper is not None else True)
        if missing.any():
            t, u = divmod(int(missing.argmax()), len(instance.models))
            pair = f"{machine_type.name}, {instance.models[t].name}, {instance.models[u].name}"
            rule = "needs the upper end of the 95 % interval of each degradation, and there is none of"
            raise InputError(rule, field="slo_probability", value=pair)
