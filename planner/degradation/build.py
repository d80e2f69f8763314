"""Instances from measurements and predictions: a model set, an inventory and SLOs in, an instance out.

A pair that was measured often enough has its measured value, any other its prediction; each row of the
table that is written beside the instance says which, with its 95 % interval. Latencies alone come from the
specification or, if it gives none, from the measurements; co-location factors likewise.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from planner.degradation.factor import Factor, colocation_factors
from planner.degradation.features import SOLO, features_of
from planner.degradation.predictor import Predictor
from planner.degradation.table import LEAST_RUNS, Floats, Table
from planner.errors import InputError
from planner.instance import (
    InferenceModel,
    Instance,
    MachineType,
    Milliseconds,
    ObjectiveChoice,
    Pinned,
    Rules,
)
from planner.names import Name
from planner.problems import first_problem, whole_one
from planner.reading import read_document

MEASURED, PREDICTED = "measured", "predicted"
_DIGITS = 6


class TypeSpec(MachineType):
    """A machine type of the inventory."""

    measured_as: Name | None = Field(None, description="its name in the measurements; absent: the same")


class ModelSpec(InferenceModel):
    """A model to serve; what it does not say is looked up in the measurements."""

    measured_as: Name | None = Field(None, description="its name in the measurements; absent: the same")
    latency_ms: dict[Name, Milliseconds] = Field(
        {},
        description="machine type -> latency alone, in ms; absent: as measured, where it was",
    )
    slo_slowdown: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] | None = Field(
        None, description="in place of slo_ms: SLO over the latency alone on the fastest machine type"
    )


class BuildSpec(BaseModel):
    """What `planner build` reads: an instance without degradations."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Annotated[Literal[1], BeforeValidator(whole_one)]
    name: Name
    machine_types: tuple[TypeSpec, ...] = Field(min_length=1)
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    rules: Rules = Rules()
    pinned: tuple[Pinned, ...] = ()
    objective: ObjectiveChoice = "degradation"


@dataclass(frozen=True)
class Number:
    """A degradation, where it comes from, and its 95 % interval (None where too few runs tell)."""

    value: float
    source: str
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Built:
    """An instance, where each of its degradations comes from, and the factors that were calibrated."""

    instance: Instance
    numbers: Mapping[tuple[str, str, str], Number]
    factors: tuple[Factor, ...]

    def table(self) -> str:
        """Return the degradations as CSV: an instance's table, with source and interval beside each value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["machine_type", "victim", "aggressor", "degradation", "source", "lower", "upper"])
        for key, n in self.numbers.items():
            writer.writerow([*key, _text(n.value), n.source, _text(n.lower), _text(n.upper)])
        return text.getvalue()

    def count(self, source: str) -> int:
        """Return how many degradations come from ``source``."""
        return sum(n.source == source for n in self.numbers.values())


def read_spec(path: str | Path) -> BuildSpec:
    """Return the specification in a YAML or JSON file.

    Raises
    ------
    InputError
        Naming the file, the field, the rule and the value found.
    """
    data = read_document(Path(path))
    try:
        return BuildSpec.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, data, BuildSpec).in_file(str(path)) from None


def build(spec: BuildSpec, predictor: Predictor, table: Table | None = None) -> Built:
    """Return the instance that ``spec`` describes.

    Raises
    ------
    InputError
        If a latency is neither given nor measured, or a pair neither measured nor predictable.
    """
    factors = colocation_factors(table) if table is not None else ()
    types = tuple(_machine_type(t, factors) for t in spec.machine_types)
    alone = _Alone(table)
    models = tuple(_model(m, t, spec, alone) for t, m in enumerate(spec.models))
    numbers = _numbers(spec, models, predictor, table)
    values = np.full((len(types), len(models), len(models)), np.nan)
    kinds = {kind.name: k for k, kind in enumerate(types)}
    index = {model.name: t for t, model in enumerate(models)}
    for (kind, victim, aggressor), number in numbers.items():
        values[kinds[kind], index[victim], index[aggressor]] = number.value
    instance = Instance(spec.name, types, models, values, spec.rules, spec.pinned, spec.objective)
    return Built(instance, numbers, factors)


def _machine_type(spec: TypeSpec, factors: tuple[Factor, ...]) -> MachineType:
    fields = spec.model_dump(exclude={"measured_as"})
    if not spec.colocation_factor:
        name = spec.measured_as or spec.name
        mine = {f.replicas: round(f.factor, _DIGITS) for f in factors if f.machine_type == name}
        fields["colocation_factor"] = mine
    return MachineType(**fields)


class _Alone:
    """Latencies alone, as measured."""

    def __init__(self, table: Table | None) -> None:
        self.values: dict[tuple[str, str], float] = {}
        if table is not None:
            known = features_of(table)
            if SOLO in known.columns:
                column = known.values[:, :, known.columns.index(SOLO)]
                for k, t in np.argwhere(~np.isnan(column)).tolist():
                    self.values[known.machine_types[k], known.models[t]] = float(column[k, t])


def _model(spec: ModelSpec, position: int, whole: BuildSpec, alone: _Alone) -> InferenceModel:
    """Return the model with its latencies and its SLO in ms."""
    where = f"models[{position}]"
    latency = dict(spec.latency_ms)
    if not latency:
        for kind in whole.machine_types:
            measured = alone.values.get((kind.measured_as or kind.name, spec.measured_as or spec.name))
            if measured is not None:
                latency[kind.name] = round(measured, _DIGITS)
    if not latency:
        rule = "is neither given nor measured on any machine type of this inventory"
        raise InputError(rule, field=f"{where}.latency_ms", value=spec.measured_as or spec.name)
    if spec.slo_slowdown is not None and spec.slo_ms is not None:
        raise InputError("must not be there beside slo_ms", field=f"{where}.slo_slowdown")
    fields: dict[str, Any] = spec.model_dump(exclude={"measured_as", "slo_slowdown"})
    if spec.slo_slowdown is not None:
        fields["slo_ms"] = round(spec.slo_slowdown * min(latency.values()), _DIGITS)
    return InferenceModel(**{**fields, "latency_ms": latency})


def _numbers(
    spec: BuildSpec, models: tuple[InferenceModel, ...], predictor: Predictor, table: Table | None
) -> dict[tuple[str, str, str], Number]:
    """Return the degradation of each pair of models on each machine type that both can run on."""
    measured = {} if table is None else dict(_measured(table))
    names = {m.name: m.measured_as or m.name for m in spec.models}
    found: dict[tuple[str, str, str], Number | None] = {}
    asked: list[tuple[str, str, str]] = []
    for kind in spec.machine_types:
        here = [m.name for m in models if kind.name in m.latency_ms]
        for t in here:
            for u in here:
                number = measured.get((kind.measured_as or kind.name, names[t], names[u]))
                found[kind.name, t, u] = number
                asked += [(kind.name, t, u)] if number is None else []
    if asked:
        known_as = {k.name: k.measured_as or k.name for k in spec.machine_types}
        prediction = predictor.predict(
            [known_as[k] for k, _, _ in asked],
            [names[t] for _, t, _ in asked],
            [names[u] for _, _, u in asked],
            None if table is None else features_of(table),
        )
        found.update(zip(asked, _predicted(prediction.degradation, *prediction.interval()), strict=True))
    return {key: number for key, number in found.items() if number is not None}


def _measured(table: Table) -> Iterator[tuple[tuple[str, str, str], Number]]:
    """Yield the pairs that were measured often enough to stand for themselves."""
    for s in table.summaries:
        if len(s.neighbours) == 1 and s.degradation is not None and s.used >= LEAST_RUNS:
            low, high = s.lower, s.upper
            number = Number(
                round(max(s.degradation, 0.0), _DIGITS),
                MEASURED,
                None if low is None else max(low, 0.0),
                None if high is None else max(high, 0.0),
            )
            yield (s.machine_type, s.victim, s.neighbours[0]), number


def _predicted(values: Floats, lower: Floats, upper: Floats) -> Iterator[Number]:
    for value, low, high in zip(values.tolist(), lower.tolist(), upper.tolist(), strict=True):
        yield Number(round(value, _DIGITS), PREDICTED, low, high)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.{_DIGITS}f}"
