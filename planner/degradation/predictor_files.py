"""A predictor's folder: ``predictor.safetensors`` (numbers) and ``predictor.json`` (all else).

Nothing in it is ever executed: no pickle, no archive. The JSON names the hash of the weights, so that
two files that do not belong together are refused, and every shape follows from the names in the JSON.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from planner.degradation.cells import checked_name
from planner.degradation.features import Encoder
from planner.degradation.network import Config, shapes
from planner.degradation.uncertainty import Calibration
from planner.errors import InputError
from planner.reading import read_document, regular_size
from planner.writing import check_writable, make_folder, write_together

if TYPE_CHECKING:
    from planner.degradation.predictor import Predictor
    from planner.degradation.table import Table

WEIGHTS, METADATA = "predictor.safetensors", "predictor.json"
_WEIGHTS_LIMIT = 512 * 2**20
_METADATA_LIMIT = 8 * 2**20
_HEADER_LIMIT = 2**20
_OTHERS = {b"PK": "a zip archive", b"\x80": "a pickle", b"\x1f\x8b": "a gzip archive", b"{": "JSON"}

Size = Annotated[int, Field(ge=1, le=1024)]
Share = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0, le=1e6)]
Names = Annotated[tuple[str, ...], Field(min_length=1, max_length=100_000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ConfigForm(BaseModel):
    """:class:`~planner.degradation.network.Config` as it stands in a file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    members: Annotated[int, Field(ge=2, le=1024)]
    rank: Size
    contention: Size
    machine: Size
    hidden: Size
    steps: Annotated[int, Field(ge=1)]
    rate: Annotated[float, Field(gt=0)]
    shrink: Decay
    shrink_local: Decay
    shrink_mlp: Decay
    drop: Share
    drop_type: Share
    robust: Annotated[float, Field(gt=0)]


class Training(BaseModel):
    """What a predictor was trained on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    table: str
    sha256: Sha256
    rows: int = Field(ge=1)
    pairs: int = Field(ge=1)
    quantity: str


class Form(BaseModel):
    """``predictor.json``."""

    model_config = ConfigDict(extra="forbid")
    version: Literal[1]
    planner: str
    torch: str
    seed: int
    weights_sha256: Sha256
    training: Training
    config: ConfigForm
    machine_types: Names
    models: Names
    encoder: Encoder
    calibration: Calibration

    @model_validator(mode="after")
    def _consistent(self) -> Form:
        for names in (self.machine_types, self.models):
            if list(names) != sorted({*names}):
                raise ValueError("names must be sorted and different")
            if not all(map(checked_name, names)):
                raise ValueError("names must not be empty")
        if len(self.calibration.known) != len(self.machine_types):
            raise ValueError("calibration.known must have one entry for each machine type")
        return self


def save(predictor: Predictor, folder: str | Path, table: Table, quantity: str) -> None:
    """Write a predictor into ``folder``, which is made; both files appear whole or not at all.

    ``quantity`` says what the degradation is of, e.g. "mean latency".

    Raises
    ------
    InputError
        If that is not possible.
    """
    import torch
    from safetensors.numpy import save as pack

    from planner.plan_files import version

    folder = Path(folder)
    packed = pack({name: np.ascontiguousarray(array) for name, array in _arrays(predictor).items()})
    form = Form(
        version=1,
        planner=version(),
        torch=torch.__version__.partition("+")[0],
        seed=predictor.seed,
        weights_sha256=hashlib.sha256(packed).hexdigest(),
        training=Training(
            table=table.path.name,
            sha256=table.sha256,
            rows=len(table.rows),
            pairs=len(table.pairs),
            quantity=quantity,
        ),
        config=ConfigForm(**asdict(predictor.config)),
        machine_types=predictor.machine_types,
        models=predictor.models,
        encoder=predictor.encoder,
        calibration=predictor.calibration,
    )
    make_folder(folder)
    write_together({folder / WEIGHTS: packed, folder / METADATA: form.model_dump_json(indent=1) + "\n"})


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before work is done for it.

    Raises
    ------
    InputError
        If something else has its name, or the folder that it would be made in cannot be written to.
    """
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise InputError("must be a folder, or a new name inside one", file=str(folder), value=str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError("must be in a folder that can be written to", file=str(folder))
    for name in (WEIGHTS, METADATA):
        if folder.exists():
            check_writable(folder / name)


def load(folder: str | Path) -> Predictor:
    """Return the predictor in a folder; see :meth:`Predictor.load`."""
    import torch

    from planner.degradation.predictor import Predictor

    form = read_metadata(folder)
    config = Config(**form.config.model_dump())
    arrays = _weights(_inside(Path(folder), WEIGHTS), form, config)
    rest = {name: arrays.pop(name) for name in ("encoded", "seen", "centre", "scale")}
    return Predictor(
        config,
        form.seed,
        form.machine_types,
        form.models,
        form.encoder,
        rest["encoded"],
        rest["seen"] > 0,
        rest["centre"].astype(np.float64),
        rest["scale"].astype(np.float64),
        {name: torch.tensor(array) for name, array in arrays.items()},
        form.calibration,
    )


def read_metadata(folder: str | Path) -> Form:
    """Return what ``predictor.json`` says, checked.

    Raises
    ------
    InputError
        If the folder or that file is not what it must be.
    """
    from planner.problems import first_problem

    path = Path(folder)
    if path.is_file():
        raise InputError("must be a folder that `planner train` has written, found a file", file=str(path))
    file = _inside(path, METADATA)
    try:
        size = regular_size(file)
        if size > _METADATA_LIMIT:
            raise InputError(
                f"must be at most {_METADATA_LIMIT // 2**20} MB", value=f"{size / 2**20:,.1f} MB"
            )
    except InputError as error:
        raise error.in_file(str(file)) from None
    data = read_document(file)
    try:
        return Form.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, data, Form).in_file(str(file)) from None


def _inside(folder: Path, name: str) -> Path:
    """Return a file of the folder; refuse a link that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError("must not leave its folder through a link", file=str(path))
    return path


def _expected(form: Form, config: Config) -> dict[str, tuple[int, ...]]:
    k, t, p = len(form.machine_types), len(form.models), form.encoder.width
    rest = {"encoded": (k, t, p), "seen": (k, t), "centre": (k,), "scale": (k,)}
    return {**shapes(config, config.members, k, t, p), **rest}


def _arrays(predictor: Predictor) -> dict[str, NDArray[Any]]:
    """Return everything that is an array, float32 but for the exact units."""
    arrays = {name: weight.numpy() for name, weight in predictor.weights.items()}
    arrays |= {"encoded": predictor.encoded, "seen": predictor.seen.astype(np.float32)}
    return arrays | {"centre": predictor.centre, "scale": predictor.scale}


def _weights(path: Path, form: Form, config: Config) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file that has exactly the expected ones."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as unpack

    try:
        content = _content(path)
        if hashlib.sha256(content).hexdigest() != form.weights_sha256:
            raise InputError(f"must be the file that {METADATA} names by its SHA-256")
        try:
            arrays: dict[str, NDArray[Any]] = unpack(content)
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"is not valid safetensors: {str(error).partition(chr(10))[0]}") from None
        expected = _expected(form, config)
        if {*arrays} != {*expected}:
            odd = sorted({*arrays} ^ {*expected})
            raise InputError(
                f"must hold {len(expected)} arrays, among them {odd[0]} or not", value=len(arrays)
            )
        for name, shape in expected.items():
            _check_array(name, arrays[name], shape)
        return arrays
    except InputError as error:
        raise error.in_file(str(path)) from None


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    kind = "float64" if name in ("centre", "scale") else "float32"
    if array.dtype.name != kind or array.shape != shape:
        raise InputError(f"must be {kind} of shape {shape}", field=name, value=f"{array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise InputError("must be finite numbers", field=name)
    if name == "scale" and not (array > 0).all():
        raise InputError("must be greater than 0", field=name)


def _content(path: Path) -> bytes:
    """Return the bytes of what may be a safetensors file; refuse other kinds by name."""
    size = regular_size(path)
    if size > _WEIGHTS_LIMIT:
        raise InputError(f"must be at most {_WEIGHTS_LIMIT // 2**20} MB", value=f"{size / 2**20:,.1f} MB")
    with path.open("rb") as stream:
        content = stream.read(_WEIGHTS_LIMIT + 1)
    header = int.from_bytes(content[:8], "little")
    if len(content) < 10 or content[8:9] != b"{":
        found = next((kind for magic, kind in _OTHERS.items() if content.startswith(magic)), "something else")
        raise InputError(f"must be safetensors, found {found}")
    if header > min(_HEADER_LIMIT, len(content) - 8):
        rule = f"must have a header of at most {_HEADER_LIMIT:,} bytes that is inside the file"
        raise InputError(rule, value=f"{header:,} bytes")
    return content
