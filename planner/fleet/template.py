"""What Kubernetes does not know: latencies, degradations, SLOs and rules, from an instance that has them.

Models and machine types are known by their names. Everything else of the template is taken over but its
counts, resources and demands, which the cluster says, and its pinned entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from planner.errors import InputError
from planner.instance import InferenceModel, Instance, MachineType, Pinned, Rules

Value = TypeVar("Value")


def filled(
    template: Instance,
    name: str,
    machine_types: Sequence[MachineType],
    models: Sequence[InferenceModel],
    pinned: Sequence[Pinned],
) -> Instance:
    """Return an instance of these machines and models with what the template knows of them.

    Parameters
    ----------
    machine_types, models
        All of their names are the template's.

    Raises
    ------
    InputError
        If a model has no latency on any of the machine types, or the template's rules do not fit.
    """
    types, names = [kind.name for kind in machine_types], [model.name for model in models]
    k, t = [template.type_index[name] for name in types], [template.model_index[name] for name in names]
    pick = np.ix_(k, t, t)
    return Instance(
        name=name,
        machine_types=tuple(
            _type(template.machine_types[i], kind, names) for i, kind in zip(k, machine_types, strict=True)
        ),
        models=tuple(_model(template.models[i], model, types) for i, model in zip(t, models, strict=True)),
        degradation=template.degradation[pick],
        upper=None if template.upper is None else template.upper[pick],
        slo_probability=template.slo_probability,
        rules=_rules(template.rules, types, names),
        pinned=tuple(_pinned(template, pin, names) for pin in pinned),
        objective=template.objective,
    )


def left_out(template: Instance) -> list[str]:
    """Return what of a template is not taken over, in words."""
    pins = len(template.pinned)
    return [f"{pins:,} pinned entries of the template are not taken over"] if pins else []


def _type(known: MachineType, found: MachineType, models: Iterable[str]) -> MachineType:
    background = found.background.model_copy(
        update={"degradation": _of(known.background.degradation, models)}
    )
    changes = {
        "price": known.price,
        "colocation_factor": known.colocation_factor,
        "background": background,
    }
    return found.model_copy(update=changes)


def _pinned(template: Instance, pin: Pinned, models: Iterable[str]) -> Pinned:
    """Return a pinned entry whose background slows models as its machine type's does."""
    if pin.background is None:
        return pin
    known = template.machine_types[template.type_index[pin.machine_type]].background.degradation
    background = pin.background.model_copy(update={"degradation": _of(known, models)})
    return pin.model_copy(update={"background": background})


def _model(known: InferenceModel, found: InferenceModel, types: Iterable[str]) -> InferenceModel:
    latency = _of(known.latency_ms, types)
    if not latency:
        rule = "has no latency in the template on any machine type of the cluster"
        raise InputError(rule, field=f"models.{known.name}.latency_ms", value=list(types))
    changes = {
        "weight": known.weight,
        "slo_ms": known.slo_ms,
        "miss_price": known.miss_price,
        "latency_ms": latency,
    }
    return found.model_copy(update=changes)


def _rules(rules: Rules, types: Sequence[str], models: Sequence[str]) -> Rules:
    apart = [tuple(name for name in group if name in models) for group in rules.keep_apart]

    def listed(by_model: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        return {m: tuple(k for k in kinds if k in types) for m, kinds in _of(by_model, models).items()}

    changes: dict[str, Any] = {
        "keep_apart": tuple(group for group in apart if len(group) > 1),
        "max_per_machine": _of(rules.max_per_machine, models),
        "min_machines": _of(rules.min_machines, models),
        "allow": listed(rules.allow),
        "forbid": listed(rules.forbid),
    }
    return rules.model_copy(update=changes)


def _of(values: Mapping[str, Value], names: Iterable[str]) -> dict[str, Value]:
    """Return the values of these names that there are."""
    return {name: values[name] for name in names if name in values}
