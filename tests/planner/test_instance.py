"""An instance is frozen, and valid if it exists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from pydantic import ValidationError

from planner.errors import InputError
from planner.instance import (
    Background,
    InferenceModel,
    Instance,
    MachineType,
    Objective,
    Pinned,
    Rules,
)
from tests.tiny import pair, two_types, with_degradation, with_model, with_type

Change = Callable[[Instance], Instance]


def test_fields_cannot_be_set(pair: Instance) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        pair.models[0].replicas = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        pair.degradation[0, 0, 0] = 1.0


def test_the_degradation_is_a_copy(pair: Instance) -> None:
    mine = pair.degradation.copy()
    instance = pair.replace(degradation=mine)
    mine[0, 0, 0] = 99.0
    assert instance.degradation[0, 0, 0] == 0.1


def test_replace_returns_another_instance(pair: Instance) -> None:
    other = pair.replace(name="other")
    assert (other.name, pair.name) == ("other", "pair")
    assert other.models is pair.models


def _pin(**changes: Any) -> tuple[Pinned, ...]:
    return (Pinned(**{"name": "old", "machine_type": "gpu", "models": {"a": 1}, **changes}),)


_REFUSED: list[tuple[str, Change, str]] = [
    ("no models", lambda i: i.replace(models=(), degradation=np.zeros((1, 0, 0))), "models"),
    ("no types", lambda i: i.replace(machine_types=(), degradation=np.zeros((0, 2, 2))), "machine_types"),
    ("model twice", lambda i: i.replace(models=(i.models[0],) * 2), "models[1].name"),
    (
        "type twice",
        lambda i: i.replace(machine_types=i.machine_types * 2, degradation=np.zeros((2, 2, 2))),
        "machine_types[1].name",
    ),
    ("pin twice", lambda i: i.replace(pinned=_pin() * 2), "pinned[1].name"),
    ("unknown resource", lambda i: with_model(i, "a", demand={"disk": 1.0}), "models[0].demand"),
    (
        "unknown resource on a type",
        lambda i: with_model(i, "a", demand_on={"gpu": {"disk": 1.0}}),
        "models[0].demand_on.gpu",
    ),
    ("demand on an unknown type", lambda i: with_model(i, "b", demand_on={"tpu": {}}), "models[1].demand_on"),
    (
        "latency on an unknown type",
        lambda i: with_model(i, "b", latency_ms={"tpu": 1.0}),
        "models[1].latency_ms",
    ),
    ("no latency", lambda i: with_model(i, "b", latency_ms={}), "models[1].latency_ms"),
    ("price without SLO", lambda i: with_model(i, "b", miss_price=1.0), "models[1].miss_price"),
    (
        "background of an unknown resource",
        lambda i: with_type(i, "gpu", background=Background(demand={"disk": 1.0})),
        "machine_types[0].background.demand",
    ),
    (
        "background on an unknown model",
        lambda i: with_type(i, "gpu", background=Background(degradation={"c": 1.0})),
        "machine_types[0].background.degradation",
    ),
    ("apart from nobody", lambda i: i.replace(rules=Rules(keep_apart=(("a",),))), "rules.keep_apart[0]"),
    ("apart from itself", lambda i: i.replace(rules=Rules(keep_apart=(("a", "a"),))), "rules.keep_apart[0]"),
    (
        "apart from a stranger",
        lambda i: i.replace(rules=Rules(keep_apart=(("a", "c"),))),
        "rules.keep_apart[0]",
    ),
    (
        "limit of a stranger",
        lambda i: i.replace(rules=Rules(max_per_machine={"c": 1})),
        "rules.max_per_machine",
    ),
    ("spread of a stranger", lambda i: i.replace(rules=Rules(min_machines={"c": 1})), "rules.min_machines"),
    ("allow an unknown type", lambda i: i.replace(rules=Rules(allow={"a": ("tpu",)})), "rules.allow.a"),
    ("forbid an unknown type", lambda i: i.replace(rules=Rules(forbid={"a": ("tpu",)})), "rules.forbid.a"),
    (
        "pin to an unknown type",
        lambda i: i.replace(pinned=_pin(machine_type="tpu")),
        "pinned[0].machine_type",
    ),
    ("pin a stranger", lambda i: i.replace(pinned=_pin(models={"c": 1})), "pinned[0].models"),
    ("pin too many machines", lambda i: i.replace(pinned=_pin(machines=3, models={})), "pinned[0].machines"),
    ("pin too many replicas", lambda i: i.replace(pinned=_pin(models={"a": 3})), "pinned[0].models.a"),
    (
        "pin with background on a stranger",
        lambda i: i.replace(pinned=_pin(background=Background(degradation={"c": 1.0}))),
        "pinned[0].background.degradation",
    ),
    (
        "price of a stranger",
        lambda i: i.replace(pinned=_pin(arrival_price={"c": 1.0})),
        "pinned[0].arrival_price",
    ),
    (
        "a priced arrival under worst",
        lambda i: i.replace(pinned=_pin(arrival_price={"a": 1.0}), objective="worst"),
        "pinned[0].arrival_price",
    ),
    ("no objective", lambda i: i.replace(objective=Objective(degradation=0.0, price=0.0)), "objective"),
    ("another objective", lambda i: i.replace(objective=cast(Any, "prices")), "objective"),
    (
        "a priced miss under worst",
        lambda i: with_model(i, "a", slo_ms=20.0, miss_price=1.0).replace(objective="worst"),
        "models[0].miss_price",
    ),
    ("wrong shape", lambda i: i.replace(degradation=np.zeros((1, 2, 3))), "degradation"),
    ("missing pair", lambda i: with_degradation(i, "gpu", "a", "b", np.nan), "degradation.gpu.a.b"),
    ("negative pair", lambda i: with_degradation(i, "gpu", "b", "a", -0.1), "degradation.gpu.b.a"),
    ("infinite pair", lambda i: with_degradation(i, "gpu", "b", "b", np.inf), "degradation.gpu.b.b"),
]


@pytest.mark.parametrize(("change", "field"), [case[1:] for case in _REFUSED], ids=[c[0] for c in _REFUSED])
def test_what_contradicts_itself_is_refused(pair: Instance, change: Change, field: str) -> None:
    with pytest.raises(InputError) as caught:
        change(pair)
    assert caught.value.field == field


def test_the_value_found_is_named(pair: Instance) -> None:
    with pytest.raises(InputError, match=r"degradation\.gpu\.b\.a: must be a number .* found -0\.1"):
        with_degradation(pair, "gpu", "b", "a", -0.1)


@pytest.mark.parametrize(
    "build",
    [
        lambda: MachineType(name="", count=1),
        lambda: MachineType(name=" gpu", count=1),
        lambda: MachineType(name="g\nu", count=1),
        lambda: MachineType(name="gpu", count=-1),
        lambda: MachineType(name="gpu", count=cast(Any, 1.5)),
        lambda: MachineType(name="gpu", count=1, slots=0),
        lambda: MachineType(name="gpu", count=1, price=-1.0),
        lambda: MachineType(name="gpu", count=1, price=float("nan")),
        lambda: MachineType(name="gpu", count=1, resources={"memory": float("inf")}),
        lambda: InferenceModel(name="a", replicas=0, latency_ms={"gpu": 1.0}),
        lambda: InferenceModel(name="a", replicas=1, latency_ms={"gpu": 0.0}),
        lambda: InferenceModel(name="a", replicas=1, latency_ms={"gpu": 1.0}, weight=-1.0),
        lambda: InferenceModel(name="a", replicas=1, latency_ms={"gpu": 1.0}, slo_ms=0.0),
        lambda: InferenceModel(name="a", replicas=1, latency_ms={"gpu": 1.0}, slo_ms=cast(Any, "12")),
        lambda: InferenceModel(**{"name": "a", "replicas": 1, "latency_ms": {"gpu": 1.0}, "slo": 1.0}),
        lambda: Rules(max_per_machine={"a": 0}),
        lambda: Pinned(name="p", machine_type="gpu", machines=0),
    ],
)
def test_fields_out_of_range_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        build()


def test_pairs_that_never_meet_need_no_degradation(two_types: Instance) -> None:
    """A single replica never meets its own kind; a model never meets others where it cannot run."""
    single = with_degradation(with_model(two_types, "a", replicas=1), "gpu", "a", "a", np.nan)
    assert single.compiled.degradation[0, 0, 0] == 0
    away = with_degradation(with_model(two_types, "a", latency_ms={"gpu": 10.0}), "cpu", "a", "b", np.nan)
    assert away.compiled.degradation[1, 0, 1] == 0
    forbidden = two_types.replace(rules=Rules(forbid={"b": ("cpu",)}))
    assert with_degradation(forbidden, "cpu", "a", "b", np.nan).name == "pair"


_CHANGED: dict[str, Change] = {
    "name": lambda i: i.replace(name="other"),
    "type name": lambda i: i.replace(
        machine_types=(i.machine_types[0].model_copy(update={"name": "g"}),),
        models=tuple(m.model_copy(update={"latency_ms": {"g": 10.0}}) for m in i.models),
    ),
    "count": lambda i: with_type(i, "gpu", count=3),
    "resources": lambda i: with_type(i, "gpu", resources={"memory": 17.0}),
    "slots": lambda i: with_type(i, "gpu", slots=3),
    "no slots": lambda i: with_type(i, "gpu", slots=None),
    "machine price": lambda i: with_type(i, "gpu", price=1.0),
    "background demand": lambda i: with_type(i, "gpu", background=Background(demand={"memory": 1.0})),
    "background slots": lambda i: with_type(i, "gpu", background=Background(slots=1)),
    "background degradation": lambda i: with_type(i, "gpu", background=Background(degradation={"a": 0.1})),
    "co-location factor": lambda i: with_type(i, "gpu", colocation_factor={2: 1.5}),
    "model name": lambda i: with_model(i, "a", name="c"),
    "model order": lambda i: i.replace(models=i.models[::-1]),
    "replicas": lambda i: with_model(i, "a", replicas=3),
    "weight": lambda i: with_model(i, "a", weight=2.0),
    "demand": lambda i: with_model(i, "a", demand={"memory": 5.0}),
    "demand on": lambda i: with_model(i, "a", demand_on={"gpu": {"memory": 5.0}}),
    "latency": lambda i: with_model(i, "a", latency_ms={"gpu": 11.0}),
    "SLO": lambda i: with_model(i, "a", slo_ms=20.0),
    "miss price": lambda i: with_model(i, "a", slo_ms=20.0, miss_price=1.0),
    "degradation": lambda i: with_degradation(i, "gpu", "a", "b", 0.26),
    "keep_apart": lambda i: i.replace(rules=Rules(keep_apart=(("a", "b"),))),
    "max_per_machine": lambda i: i.replace(rules=Rules(max_per_machine={"a": 1})),
    "min_machines": lambda i: i.replace(rules=Rules(min_machines={"a": 1})),
    "allow": lambda i: i.replace(rules=Rules(allow={"a": ("gpu",)})),
    "forbid": lambda i: i.replace(rules=Rules(forbid={"a": ("gpu",)})),
    "pinned": lambda i: i.replace(pinned=_pin()),
    "pinned machines": lambda i: i.replace(pinned=_pin(machines=2)),
    "pinned models": lambda i: i.replace(pinned=_pin(models={"b": 1})),
    "pinned background": lambda i: i.replace(pinned=_pin(background=Background())),
    "arrival price": lambda i: i.replace(pinned=_pin(arrival_price={"a": 1.0})),
    "here": lambda i: i.replace(pinned=_pin(here={"a": 1})),
    "objective": lambda i: i.replace(objective="price"),
    "worst": lambda i: i.replace(objective="worst"),
    "weights": lambda i: i.replace(objective=Objective(degradation=1.0, price=2.0)),
}


def test_the_digest_tells_apart_every_change() -> None:
    digests = {what: change(pair()).sha256 for what, change in _CHANGED.items()} | {"": pair().sha256}
    assert len(set(digests.values())) == len(digests)


def test_the_digest_covers_every_field() -> None:
    """A field that is added must be added to the changes above."""
    covered = sum(len(cls.model_fields) for cls in (Background, MachineType, InferenceModel, Rules, Pinned))
    assert covered == 3 + 7 + 8 + 5 + 7
    assert [f.name for f in dataclasses.fields(Instance)] == [
        *("name", "machine_types", "models", "degradation", "rules", "pinned", "objective"),
        *("upper", "slo_probability"),
    ]


def test_the_digest_is_blind_to_key_order_and_negative_zero(two_types: Instance) -> None:
    latency = {"cpu": 20.0, "gpu": 10.0}
    assert list(latency) != list(two_types.models[0].latency_ms)
    assert with_model(two_types, "a", latency_ms=latency).sha256 == two_types.sha256
    minus, plus = (with_degradation(two_types, "gpu", "a", "b", zero) for zero in (-0.0, 0.0))
    assert minus.sha256 == plus.sha256
    assert with_type(two_types, "gpu", price=-0.0).sha256 == with_type(two_types, "gpu", price=0.0).sha256
    assert with_type(two_types, "gpu", price=2).sha256 == with_type(two_types, "gpu", price=2.0).sha256


def test_the_digest_is_the_same_in_every_process_and_version() -> None:
    """Plan files name their instance by it."""
    assert pair().sha256 == "e2ca422051e01f2d8fde688b135d770aca53b79ccf971afb4ac965050c2e32e4"


def test_weights_of_each_objective(pair: Instance) -> None:
    assert pair.weights == Objective(degradation=1.0, price=0.0)
    assert pair.replace(objective="price").weights == Objective(degradation=0.0, price=1.0)
    assert pair.replace(objective="worst").weights is None
    weights = Objective(degradation=2.0, price=0.5)
    assert pair.replace(objective=weights).weights == weights


def test_where_models_may_run() -> None:
    rules = Rules(allow={"a": ("cpu",)}, forbid={"b": ("cpu",)})
    assert two_types().replace(rules=rules).runs_on().tolist() == [[False, True], [True, False]]
