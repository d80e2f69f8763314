"""Instances under other names, some of which no other system takes."""

from __future__ import annotations

from collections.abc import Mapping

from planner.instance import Instance

HOSTILE = (
    "Größe $(HOME) `id`",
    "a" * 200,
    "a" * 199 + "b",
    "A",
    "a",
    'it\'s "quoted" \\ {model} #1: x',
    "no",
    "1e3",
    "---",
    "日本語",
    "=1+1",
    "x=y-",
    "a,b;c|d",
    "<b>&amp;</b>",
    "🙂",
    "foo/../bar",
)


def hostile(instance: Instance) -> Instance:
    """Return the instance with models, machine types and pinned entries under :data:`HOSTILE` names."""
    models = dict(zip(instance.model_index, HOSTILE, strict=False))
    types = dict(zip(instance.type_index, reversed(HOSTILE), strict=False))
    pins = dict(zip((pin.name for pin in instance.pinned), HOSTILE[4:], strict=False))
    return renamed(instance, models, types, pins)


def renamed(
    instance: Instance, models: Mapping[str, str], types: Mapping[str, str], pins: Mapping[str, str]
) -> Instance:
    """Return the instance under other names."""

    def keys(by_model: Mapping[str, object]) -> dict[str, object]:
        return {models[name]: value for name, value in by_model.items()}

    rules = instance.rules
    return instance.replace(
        machine_types=tuple(
            kind.model_copy(
                update={
                    "name": types[kind.name],
                    "background": kind.background.model_copy(
                        update={"degradation": keys(kind.background.degradation)}
                    ),
                }
            )
            for kind in instance.machine_types
        ),
        models=tuple(
            model.model_copy(
                update={
                    "name": models[model.name],
                    "latency_ms": {types[name]: ms for name, ms in model.latency_ms.items()},
                    "demand_on": {types[name]: demand for name, demand in model.demand_on.items()},
                }
            )
            for model in instance.models
        ),
        rules=rules.model_copy(
            update={
                "keep_apart": tuple(tuple(models[name] for name in group) for group in rules.keep_apart),
                "max_per_machine": keys(rules.max_per_machine),
                "min_machines": keys(rules.min_machines),
                "allow": keys({m: tuple(types[k] for k in listed) for m, listed in rules.allow.items()}),
                "forbid": keys({m: tuple(types[k] for k in listed) for m, listed in rules.forbid.items()}),
            }
        ),
        pinned=tuple(
            pin.model_copy(
                update={
                    "name": pins[pin.name],
                    "machine_type": types[pin.machine_type],
                    "models": keys(pin.models),
                    "here": keys(pin.here),
                    "arrival_price": keys(pin.arrival_price),
                    "background": pin.background
                    and pin.background.model_copy(update={"degradation": keys(pin.background.degradation)}),
                }
            )
            for pin in instance.pinned
        ),
    )
