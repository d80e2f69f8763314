"""Instance files: YAML or JSON documents, with a degradation table beside them if they are large.

:class:`InstanceFile` is the form of such a document; ``planner schema`` prints its JSON Schema. What
needs more than one field to be checked is checked by :class:`~planner.instance.Instance`. Plans are
in :mod:`planner.plan_files`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    SkipValidation,
    ValidationError,
    model_validator,
)

from planner.errors import InputError
from planner.instance import (
    Amount,
    InferenceModel,
    Instance,
    MachineType,
    ObjectiveChoice,
    Pinned,
    Probability,
    Rules,
)
from planner.names import Name
from planner.plan_files import load_plan, plan_document, read_plan, save_plan
from planner.problems import check_crowd, first_problem, whole_one
from planner.reading import JSON_LIMIT, YAML_LIMIT, plain_scalar, read_document
from planner.sizes import check_sizes
from planner.tables import Table, read_table, table_path, write_table
from planner.writing import write_together

if TYPE_CHECKING:
    import yaml

__all__ = [
    "Degradation",
    "InstanceFile",
    "instance_schema",
    "load_instance",
    "load_plan",
    "plan_document",
    "read_plan",
    "save_instance",
    "save_plan",
]

_INLINE = 2_500

Floats = NDArray[np.float64]
Pairs = dict[Name, dict[Name, dict[Name, Amount]]]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Degradation(_Document):
    """How much models slow each other down: a table or pairs, one of the two."""

    table: str | None = Field(
        None,
        description="CSV or Parquet file below the folder of this file, with the columns machine_type, "
        "victim, aggressor, degradation",
    )
    pairs: Annotated[Pairs, SkipValidation] | None = Field(
        None,
        description="machine type -> victim -> aggressor -> degradation: what one replica of the aggressor "
        "adds to the latency of one of the victim, relative to its latency alone",
    )
    upper: Annotated[Pairs, SkipValidation] | None = Field(
        None, description="beside pairs, in the same form: upper ends of 95 % intervals; in a table a column"
    )
    default: Amount | None = Field(
        None, description="degradation of pairs that are not listed; absent: each pair must be listed"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Degradation:
        if (self.table is None) == (self.pairs is None):
            raise ValueError("must have exactly one of 'table' and 'pairs'")
        if self.upper is not None and self.pairs is None:
            raise ValueError("must have 'upper' beside 'pairs' only; a table has it as a column")
        return self


class InstanceFile(_Document):
    """A placement problem: which models share which machines?"""

    version: Annotated[Literal[1], BeforeValidator(whole_one)] = Field(description="of this format")
    name: Name = Field(description="what people call this instance")
    machine_types: tuple[MachineType, ...] = Field(
        min_length=1, description="kinds of machines, with how many there are"
    )
    models: tuple[InferenceModel, ...] = Field(
        min_length=1, description="inference models, with how many replicas each"
    )
    degradation: Degradation = Field(description="how much models slow each other down")
    rules: Rules = Field(Rules(), description="what a plan must respect beyond capacities and SLOs")
    pinned: Annotated[tuple[Pinned, ...], FailFast()] = Field(
        (), description="machines on which some replicas stay where they are"
    )
    objective: ObjectiveChoice = Field(
        "degradation",
        description="what to minimise: the total degradation, the price of the machines used, the worst "
        "degradation of any replica, or weights of the first two",
    )
    slo_probability: Probability | None = Field(
        None,
        description="each replica keeps its SLO with this probability under the uncertainty of degradations, "
        "which then must have upper ends; absent: as if degradations were certain",
    )


def load_instance(path: str | Path) -> Instance:
    """Return the instance in a file and, if it names one, in the degradation table beside it.

    Raises
    ------
    InputError
        Naming the file, the field, the rule and the value found.
    """
    path = Path(path)
    try:
        return instance_of(read_document(path), path.parent)
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None


def instance_of(data: Any, folder: Path) -> Instance:
    """Return the instance in a document of :func:`planner.reading.read_document`.

    Parameters
    ----------
    folder
        Where its degradation table is, if it names one.

    Raises
    ------
    InputError
        Naming the field, the rule and the value found, and the file if it is the table.
    """
    try:
        _check_counts(data)
        check_crowd(data, "degradation", "pairs")
        document = InstanceFile.model_validate(data)
        degradation, upper = _degradation(document, folder)
        return Instance(
            name=document.name,
            machine_types=document.machine_types,
            models=document.models,
            degradation=degradation,
            upper=upper,
            slo_probability=document.slo_probability,
            rules=document.rules,
            pinned=document.pinned,
            objective=document.objective,
        )
    except ValidationError as error:
        raise first_problem(error, data, InstanceFile) from None


def save_instance(
    instance: Instance, path: str | Path, *, table: str | None = None, comment: Sequence[str] = ()
) -> None:
    """Write ``instance`` as YAML or JSON; more than 2,500 degradations go into a Parquet table.

    The table is called ``<stem>.degradation.parquet``. What :func:`load_instance` then returns is
    equal to ``instance``, also in its SHA-256.

    Parameters
    ----------
    table
        The degradations as CSV, if there is more to say of each than its value; then they go to
        ``<stem>.degradation.csv``.
    comment
        Lines to stand at the top of a YAML file; JSON has no room for them.

    Raises
    ------
    InputError
        If the file cannot be written, or would be too large to be read; then nothing is written.
    """
    path = Path(path)
    files: dict[Path, str | bytes] = {}
    types, models = list(instance.type_index), list(instance.model_index)
    if table is None and np.count_nonzero(~np.isnan(instance.degradation)) <= _INLINE:
        degradation: dict[str, Any] = {"pairs": _pairs(instance.degradation, types, models)}
        if instance.upper is not None:
            degradation["upper"] = _pairs(instance.upper, types, models)
    else:
        beside = path.with_name(f"{path.stem}.degradation.{'parquet' if table is None else 'csv'}")
        files[beside] = (
            write_table(instance.degradation, types, models, instance.upper) if table is None else table
        )
        degradation = {"table": beside.name}
    document: dict[str, Any] = {
        "version": 1,
        "name": instance.name,
        "objective": _plain(instance.objective),
        "machine_types": _plain(instance.machine_types),
        "models": _plain(instance.models),
        "rules": _plain(instance.rules),
        "pinned": _plain(instance.pinned),
        "degradation": degradation,
        "slo_probability": instance.slo_probability,
    }
    for optional in ("rules", "pinned", "slo_probability"):
        if not document[optional]:
            del document[optional]
    try:
        check_crowd(document, "degradation", "pairs")
    except InputError as error:
        raise error.in_file(str(path)) from None
    head = "" if path.suffix.lower() == ".json" else "".join(f"# {line}\n" for line in comment)
    files[path] = head + _text(document, path)
    write_together(files)


def instance_schema() -> dict[str, Any]:
    """Return the JSON Schema of :class:`InstanceFile`."""
    schema = InstanceFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _check_counts(data: Any) -> None:
    """Refuse a document of too many degradations before anything is made of it."""
    lists = [data.get(key) for key in ("machine_types", "models")] if isinstance(data, dict) else ["", ""]
    check_sizes(*(len(items) if isinstance(items, list) else 0 for items in lists))


def _degradation(document: InstanceFile, folder: Path) -> Table:
    """Return the degradations and their upper ends, shape (K, T, T), NaN for pairs that are not given."""
    types = [m.name for m in document.machine_types]
    models = [m.name for m in document.models]
    given = document.degradation
    if len(set(types)) < len(types) or len(set(models)) < len(models):
        nothing = np.full((len(types), len(models), len(models)), np.nan)
        return Table(nothing, None)  # Instance says which is used twice
    if given.table is not None:
        try:
            table = table_path(folder, given.table)
        except InputError as error:
            raise InputError(error.rule, field="degradation.table", value=error.value) from None
        values, upper = read_table(table, types, models)
    else:
        values = _from_pairs(given.pairs, "pairs", types, models)
        upper = None if given.upper is None else _from_pairs(given.upper, "upper", types, models)
    if given.default is not None:
        values[np.isnan(values)] = given.default
    values.setflags(write=False)  # so that Instance need not copy what may be 200 MB
    return Table(values, upper)


def _from_pairs(pairs: Any, field: str, types: Sequence[str], models: Sequence[str]) -> Floats:
    """Return the array of ``{machine type: {victim: {aggressor: degradation}}}``."""
    type_index = {name: k for k, name in enumerate(types)}
    model_index = {name: t for t, name in enumerate(models)}
    values = np.full((len(types), len(models), len(models)), np.nan)
    for type_name, victims in _items(pairs, f"degradation.{field}", type_index, "machine type"):
        where = f"degradation.{field}.{type_name}"
        for victim, aggressors in _items(victims, where, model_index, "model"):
            row = values[type_index[type_name], model_index[victim]]
            inner = f"{where}.{victim}"
            for aggressor, value in _items(aggressors, inner, model_index, "model"):
                if type(value) not in (int, float) or not 0 <= value <= 1e9:
                    rule = "must be a number from 0 to 1e9"
                    raise InputError(rule, field=f"{inner}.{aggressor}", value=value)
                row[model_index[aggressor]] = value
    return values


def _items(data: Any, where: str, known: Mapping[str, int], what: str) -> list[tuple[str, Any]]:
    if not isinstance(data, dict):
        raise InputError("must be a mapping", field=where, value=data)
    for name in data:
        if name not in known:
            raise InputError(f"must name a {what} of this instance", field=where, value=name)
    return list(data.items())


def _pairs(degradation: Floats, types: Sequence[str], models: Sequence[str]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for k, t, u in np.argwhere(~np.isnan(degradation)).tolist():
        victims = pairs.setdefault(types[k], {})
        victims.setdefault(models[t], {})[models[u]] = _plain(float(degradation[k, t, u]))
    return pairs


def _plain(value: Any) -> Any:
    """Return ``value`` as plain data without fields that have their default; 16.0 becomes 16."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_defaults=True))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _text(document: dict[str, Any], path: Path) -> str:
    """Return the document as JSON or YAML, by the suffix of ``path``."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        if sys.getsizeof(text) > JSON_LIMIT:
            raise InputError(f"would be larger than {JSON_LIMIT // 2**20} MB", file=str(path))
        return text
    if suffix not in (".yaml", ".yml"):
        raise InputError("must be a .yaml, .yml or .json file", file=str(path), value=suffix)
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what would be read back as something other than text."""

    def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        try:
            style = '"' if not isinstance(plain_scalar(text), str) else None
        except InputError:
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, quoted)
    Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
    text = yaml.dump(
        document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    if len(text.encode()) > YAML_LIMIT:
        rule = f"would be larger than {YAML_LIMIT // 2**20} MB as YAML; use a .json file"
        raise InputError(rule, file=str(path))
    return text
