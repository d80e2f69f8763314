"""The profile spec: which models are measured on which machine types of this host, and how.

:class:`SpecFile` is the form of the file. :data:`EXAMPLE` is a complete one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from planner.errors import InputError
from planner.measure.inputs import Input
from planner.measure.subject import HOG_PREFIX, Subject
from planner.measure.zoo import LARGEST_BATCH, inputs_of, split_variant
from planner.names import Name
from planner.problems import check_crowd, first_problem, whole_one
from planner.reading import read_document, regular_size

EXAMPLE = """\
version: 1
models:
  - {zoo: resnet18}
  - {zoo: bert_mini@8}
  - {name: mine, onnx: mine.onnx, inputs: [{name: x, shape: [1, 16], dtype: float32, low: 0, high: 1}]}
machine_types:
  - {name: 2-cores-own, cores: [0, 1], sharing: own, slots: 4, memory_gb: 8}
  - {name: 1-core-shared, cores: [0], sharing: shared, slots: 4, memory_gb: 8}
protocol: {loop: closed, window_s: 0.5, warmup_s: 0.2, repeats: 5, seed: 0}
sets: {2: all, 3: 20}
"""
ONNX_LIMIT = 2**31
OPEN_SECONDS, OPEN_REQUESTS = 10.0, 500
_MOST_VALUES = 2**30


def _no_bar(name: str) -> str:
    if "|" in name or not name.isprintable() or name.startswith(HOG_PREFIX):
        raise ValueError(f"must not hold '|', nor begin with {HOG_PREFIX!r}")
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"cpu|cuda:[0-9]{1,2}", name):
        raise ValueError("must be cpu or cuda:N")
    return name


def _text_keys(value: Any) -> Any:
    return {str(k): v for k, v in value.items()} if isinstance(value, dict) else value


MeasuredName = Annotated[Name, AfterValidator(_no_bar)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False, strict=True)]
Core = Annotated[int, Field(ge=0, le=65_535, strict=True)]
Share = Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | Literal["all"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputForm(_Form):
    """One tensor of a request of the user's own model."""

    name: str = Field(min_length=1, max_length=200)
    shape: tuple[Annotated[int, Field(ge=1, le=2**31, strict=True)], ...] = Field(max_length=8)
    dtype: Literal["float32", "float64", "float16", "int64", "int32", "uint8", "int8", "bool"] = "float32"
    low: float = Field(0.0, allow_inf_nan=False, strict=True)
    high: float = Field(1.0, allow_inf_nan=False, strict=True)

    def input(self) -> Input:
        """Return the description that requests are made from."""
        return Input(self.name, self.shape, self.dtype, self.low, self.high)


class ModelForm(_Form):
    """A model to measure: from the zoo, or the user's own."""

    name: MeasuredName | None = Field(None, description="what it is called in the table; default: zoo@batch")
    zoo: str | None = Field(None, description="a model of the zoo, NAME or NAME@BATCH")
    batch: int | None = Field(None, ge=1, le=LARGEST_BATCH, strict=True, description="of a zoo model")
    onnx: str | None = Field(None, description="an ONNX file, relative to the folder of the spec")
    inputs: tuple[InputForm, ...] = Field((), description="of the ONNX file")
    rate_rps: float | None = Field(
        None,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        strict=True,
        description="load of one replica in an open loop",
    )

    @property
    def variant(self) -> str:
        """The name in the zoo, with the batch if it is not 1."""
        return f"{self.zoo}@{self.batch}" if self.batch not in (None, 1) else str(self.zoo)

    @property
    def called(self) -> str:
        """The name in the table."""
        return self.name or self.variant


class MachineTypeForm(_Form):
    """A machine type that this host can stand for."""

    name: MeasuredName
    cores: tuple[Core, ...] = Field(min_length=1, max_length=4096)
    sharing: Literal["own", "shared"] = Field(
        "own", description="own: a process a core, in turn; shared: every process on all of the cores"
    )
    threads: int = Field(1, ge=1, le=1024, strict=True, description="intra-op threads of a process")
    device: Annotated[str, AfterValidator(_device)] = "cpu"
    gpu_sharing: Literal["time-sliced", "mps"] | None = None
    slots: int = Field(5, ge=1, le=64, strict=True, description="most processes")
    memory_gb: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False, strict=True)


class Protocol(_Form):
    """How a window is driven and how often; see :mod:`.runner`."""

    loop: Literal["open", "closed"] = "closed"
    window_s: Seconds = 0.5
    warmup_s: Seconds = Field(0.2, description="length of a warm-up window, and the lead before a window")
    repeats: int = Field(5, ge=1, le=1000, strict=True, description="runs of each co-location")
    retries: int = Field(2, ge=0, le=100, strict=True, description="of a window with foreign load or steal")
    seed: int = Field(0, ge=0, le=2**31, strict=True)


class SpecFile(_Form):
    """What to measure."""

    version: Annotated[Literal[1], BeforeValidator(whole_one)]
    models: tuple[ModelForm, ...] = Field(min_length=1, max_length=1000)
    machine_types: tuple[MachineTypeForm, ...] = Field(min_length=1, max_length=100)
    protocol: Protocol = Protocol()
    sets: Annotated[dict[Literal["2", "3", "4", "5"], Share], BeforeValidator(_text_keys)] = Field(
        {"2": "all"}, description="replicas on a machine -> how many such co-locations, or all"
    )
    features: bool = Field(True, strict=True, description="also measure solo features with hogs")


@dataclass(frozen=True)
class Spec:
    """A spec that was read and checked.

    Attributes
    ----------
    form
        The file's content.
    subjects
        Name -> what to load, in the file's order.
    sha256
        Of the content, and of the user's own ONNX files.
    """

    form: SpecFile
    subjects: dict[str, Subject]
    sha256: str

    @property
    def warnings(self) -> list[str]:
        """What is allowed but tells little."""
        protocol = self.form.protocol
        if protocol.loop == "closed" or protocol.window_s >= OPEN_SECONDS:
            return []
        few = [
            s.name
            for s in self.subjects.values()
            if s.rate_rps is not None and s.rate_rps * protocol.window_s < OPEN_REQUESTS
        ]
        rule = f"an open loop needs windows of {OPEN_SECONDS:g} s or {OPEN_REQUESTS} requests; too few for"
        return [f"{rule} {', '.join(few)}"] if few else []

    @property
    def machine_types(self) -> dict[str, MachineTypeForm]:
        """Name -> machine type."""
        return {m.name: m for m in self.form.machine_types}


def load_spec(path: str | Path) -> Spec:
    """Return the spec in a YAML or JSON file.

    Raises
    ------
    InputError
        Naming the file, the field, the rule and what was found.
    """
    path = Path(path)
    data = read_document(path)
    try:
        return parse_spec(data, path.parent)
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None


def parse_spec(data: Any, folder: Path) -> Spec:
    """Return the spec in a document whose ONNX files are relative to ``folder``.

    Raises
    ------
    InputError
        Naming the field, the rule and what was found.
    """
    form = parse_form(data)
    _check_unique("models", [m.called for m in form.models])
    _check_unique("machine_types", [m.name for m in form.machine_types])
    for k, machine_type in enumerate(form.machine_types):
        _check_machine_type(machine_type, f"machine_types[{k}]")
    digest = hashlib.sha256(json.dumps(form.model_dump(mode="json"), sort_keys=True).encode())
    subjects = {}
    for t, model in enumerate(form.models):
        subject = _subject(model, f"models[{t}]", folder)
        if form.protocol.loop == "open" and model.rate_rps is None:
            raise InputError("is required in an open loop", field=f"models[{t}].rate_rps")
        if subject.onnx is not None:
            with subject.onnx.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        subjects[subject.name] = subject
    return Spec(form, subjects, digest.hexdigest())


def parse_form(data: Any) -> SpecFile:
    """Return the form of a spec that may be of another host, so that nothing of it is looked for here.

    Raises
    ------
    InputError
        Naming the field, the rule and what was found.
    """
    check_crowd(data)
    try:
        return SpecFile.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, data, SpecFile) from None


def _check_unique(what: str, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InputError("must be unique", field=f"{what}[{i}].name", value=name)


def _check_machine_type(m: MachineTypeForm, where: str) -> None:
    if len(set(m.cores)) < len(m.cores):
        raise InputError("must name each core once", field=f"{where}.cores", value=list(m.cores))
    if m.sharing == "own" and m.threads > 1:
        rule = "must be 1 where each process has one core; use sharing: shared"
        raise InputError(rule, field=f"{where}.threads", value=m.threads)
    if m.device == "cpu" and m.gpu_sharing is not None:
        raise InputError("needs a device cuda:N", field=f"{where}.gpu_sharing", value=m.gpu_sharing)


def _subject(model: ModelForm, where: str, folder: Path) -> Subject:
    if (model.zoo is None) == (model.onnx is None):
        raise InputError("must have exactly one of 'zoo' and 'onnx'", field=where)
    if model.zoo is not None:
        if model.inputs:
            raise InputError("is known for a model of the zoo and must not be given", field=f"{where}.inputs")
        if "@" in model.zoo and model.batch is not None:
            raise InputError("must not stand beside NAME@BATCH", field=f"{where}.batch", value=model.batch)
        try:
            split_variant(model.variant)
        except InputError as error:
            raise InputError(error.rule, field=f"{where}.zoo", value=error.value) from None
        inputs = inputs_of(model.variant)
        return Subject(model.called, zoo=model.variant, inputs=inputs, rate_rps=model.rate_rps)
    if model.name is None:
        raise InputError("is required beside 'onnx'", field=f"{where}.name")
    if model.batch is not None:
        raise InputError("is part of the shape of an ONNX file's inputs", field=f"{where}.batch")
    path = _onnx_file(folder / str(model.onnx), f"{where}.onnx", model.onnx)
    inputs = _inputs(model.inputs, f"{where}.inputs")
    return Subject(model.name, onnx=path, inputs=inputs, rate_rps=model.rate_rps)


def _onnx_file(path: Path, where: str, given: str | None) -> Path:
    try:
        size = regular_size(path)
    except InputError as error:
        raise InputError(error.rule, field=where, value=given) from None
    if path.suffix != ".onnx" or size > ONNX_LIMIT:
        raise InputError("must be a .onnx file of at most 2 GB", field=where, value=given)
    return path.resolve()


def _inputs(forms: Sequence[InputForm], where: str) -> tuple[Input, ...]:
    if not forms:
        raise InputError("is required beside 'onnx'", field=where)
    for i, form in enumerate(forms):
        place = f"{where}[{i}]"
        if form.name in [f.name for f in forms[:i]]:
            raise InputError("must be unique", field=f"{place}.name", value=form.name)
        size = 1
        for dimension in form.shape:
            size *= dimension
        if size > _MOST_VALUES:
            raise InputError("must hold at most 2^30 values", field=f"{place}.shape", value=list(form.shape))
        _check_range(form, place)
    return tuple(form.input() for form in forms)


def _check_range(form: InputForm, place: str) -> None:
    import numpy as np

    if form.low >= form.high:
        raise InputError(f"must be greater than low = {form.low:g}", field=f"{place}.high", value=form.high)
    if form.dtype == "bool":
        lowest, highest = 0.0, 2.0
    elif form.input().real:
        lowest, highest = (float(v) for v in (np.finfo(form.dtype).min, np.finfo(form.dtype).max))
    else:
        lowest, highest = float(np.iinfo(form.dtype).min), float(np.iinfo(form.dtype).max) + 1
        if not (form.low.is_integer() and form.high.is_integer()):
            rule = f"must be a whole number for {form.dtype}"
            raise InputError(rule, field=f"{place}.low", value=f"{form.low:g} to {form.high:g}")
    if form.low < lowest or form.high > highest:
        rule = f"must be from {lowest:g} to {highest:g} for {form.dtype}"
        raise InputError(rule, field=f"{place}.low", value=f"{form.low:g} to {form.high:g}")
