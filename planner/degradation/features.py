"""What is known of a model without co-locating it, and its encoding for those who learn from it.

Features come from ``NAME.features.csv`` beside a table ``NAME.csv`` (or ``.parquet``): one row for each
machine type and model. The table's own solo latency becomes ``solo_mean_ms`` where that file has none.
From a name nothing is read but one convention: ``FAMILY batch=N`` or ``FAMILY@N`` (``ResNet-50 batch=64``,
the zoo's ``resnet50@8``) gives the family, where at least two models share it, and the log of the batch
size; variants of one network share structure. ``batch=0`` says that the batch size is unknown.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planner.degradation.cells import checked_name, finite
from planner.degradation.rows import Measurement, read_columns
from planner.degradation.table import Bools, Floats, Table
from planner.errors import InputError

SOLO = "solo_mean_ms"
_LINEAR = ("sensitivity_", "pressure_")  # ratios near zero that may be negative
_KEYS = ("machine_type", "model")
_MOST_FEATURES = 200
_FURTHEST = 4.0  # standard deviations: what lies beyond is extrapolation
_BATCH = re.compile(r"(?P<family>.+)(?: batch=|@)(?P<batch>\d{1,9})", re.ASCII)


@dataclass(frozen=True, eq=False)
class Features:
    """Features as measured.

    Attributes
    ----------
    columns
        Names of the P features.
    machine_types, models
        The K and T names that ``values`` covers; more than a table has is fine.
    values
        Shape (K, T, P); NaN where not measured.
    """

    columns: tuple[str, ...]
    machine_types: tuple[str, ...]
    models: tuple[str, ...]
    values: Floats

    def aligned(self, machine_types: Sequence[str], models: Sequence[str], columns: Sequence[str]) -> Floats:
        """Return the values (K', T', P') for other lists of names; NaN where there are none."""
        result = np.full((len(machine_types), len(models), len(columns)), np.nan)
        asked, mine = (machine_types, models, columns), (self.machine_types, self.models, self.columns)
        common = [[n for n in names if n in known] for names, known in zip(asked, mine, strict=True)]
        to = np.ix_(*([names.index(n) for n in c] for names, c in zip(asked, common, strict=True)))
        origin = np.ix_(*([names.index(n) for n in c] for names, c in zip(mine, common, strict=True)))
        result[to] = self.values[origin]
        return result


def features_path(table: str | Path) -> Path:
    """Return where the features of a table are, if it has any."""
    return Path(table).with_suffix(".features.csv")


def features_of(table: Table) -> Features:
    """Return the features beside a table, with the solo latency that the table itself holds.

    Raises
    ------
    InputError
        If there is a features file and something is wrong with it.
    """
    path = features_path(table.path)
    beside = read_features(path) if path.exists() else Features((), (), (), np.zeros((0, 0, 0)))
    solo = _solo(table)
    if SOLO in beside.columns or not solo.columns:
        return beside
    types = tuple(sorted({*beside.machine_types, *solo.machine_types}))
    models = tuple(sorted({*beside.models, *solo.models}))
    parts = [part.aligned(types, models, part.columns) for part in (beside, solo)]
    return Features((*beside.columns, SOLO), types, models, np.concatenate(parts, axis=2))


def read_features(path: str | Path) -> Features:
    """Return the features in a CSV file: ``machine_type, model``, then one column for each feature.

    Raises
    ------
    InputError
        Naming the file, the row, the column, the rule and what was found.
    """
    import pyarrow as pa

    path = Path(path)
    try:
        return _features(read_columns(path, list))
    except InputError as error:
        raise error.in_file(str(path)) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0].rstrip(". ")
        raise InputError(f"cannot be read as a table: {first}", file=str(path)) from None


def _features(columns: dict[str, list[str]]) -> Features:
    for name in _KEYS:
        if name not in columns:
            raise InputError("is a required column", field=name, value=", ".join(columns))
    names = tuple(name for name in columns if name not in _KEYS)
    if len(names) > _MOST_FEATURES:
        raise InputError(f"must have at most {_MOST_FEATURES} features", value=len(names))
    keys = [[_cell(i, name, text) for i, text in enumerate(columns[name], 1)] for name in _KEYS]
    types, models = (tuple(sorted({*map(str, column)})) for column in keys)
    values = np.full((len(types), len(models), len(names)), np.nan)
    seen: dict[tuple[object, object], int] = {}
    for row, key in enumerate(zip(*keys, strict=True), start=1):
        if seen.setdefault(key, row) != row:
            rule = f"must not repeat the machine type and model of row {seen[key]}"
            raise InputError(rule, field=f"row {row}", value=", ".join(map(str, key)))
        k, t = types.index(str(key[0])), models.index(str(key[1]))
        values[k, t] = [_cell(row, name, columns[name][row - 1]) for name in names]
    return Features(names, types, models, values)


def _cell(row: int, column: str, text: str) -> str | float:
    """Return one cell: a name that must be there, or a number that need not."""
    try:
        if column in _KEYS:
            name = checked_name(text)
            if name is None:
                raise ValueError("must not be empty")
            return name
        value = finite(text)
        if value is not None and value < 0 and not column.startswith(_LINEAR):
            raise ValueError("must be at least 0")
    except ValueError as error:
        where = f"row {row}, column {column}"
        raise InputError(str(error), field=where, value=text or "nothing") from None
    return np.nan if value is None else value


def _solo(table: Table) -> Features:
    """Return the median solo latency in ms of each model, from the rows of the table itself."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in table.rows:
        latency = _solo_ms(row)
        if latency is not None:
            found[row.machine_type, row.victim].append(latency)
    values = np.full((len(table.machine_types), len(table.models), 1), np.nan)
    for (machine_type, model), latencies in found.items():
        values[table.machine_types.index(machine_type), table.models.index(model)] = np.median(latencies)
    return Features((SOLO,) if found else (), table.machine_types, table.models, values[..., : bool(found)])


def _solo_ms(row: Measurement) -> float | None:
    for column in (SOLO, "solo_ms"):
        if column in row.values:
            return float(row.values[column])
    rate = row.values.get("solo_steps_per_s")
    return None if rate is None else 1000 / float(rate)


def split_name(name: str) -> tuple[str, float | None]:
    """Return the family and log2 of the batch size that a name gives; the name itself and None otherwise."""
    match = _BATCH.fullmatch(name)
    if match is None:
        return name, None
    batch = int(match["batch"])
    return match["family"], float(np.log2(batch)) if batch else None


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Finite = Annotated[float, AfterValidator(_finite)]


class Column(BaseModel):
    """How one measured feature is encoded: ``((log(x + floor) if log else x) - mean) / scale``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: str = Field(min_length=1)
    log: bool
    floor: Finite = Field(ge=0)
    mean: Finite
    scale: Finite = Field(gt=0)


class Family(BaseModel):
    """A family of models and the mean of its log2 batch sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: str = Field(min_length=1)
    centre: Finite


class Encoder(BaseModel):
    """Turns features and names into numbers of similar size; made on what was trained on.

    The encoding of a model on a machine type is its measured features (0, the mean, where one is
    missing), one indicator for each family, the centred log2 batch size, and the same once more for
    each family.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    columns: tuple[Column, ...]
    families: tuple[Family, ...]

    @property
    def width(self) -> int:
        """Numbers in an encoding."""
        return len(self.columns) + (2 * len(self.families) + 1 if self.families else 0)

    def encode(
        self, features: Features, machine_types: Sequence[str], models: Sequence[str]
    ) -> tuple[NDArray[np.float32], Bools]:
        """Return encodings (K, T, P) and where there is anything to go on (K, T)."""
        raw = features.aligned(machine_types, models, [c.name for c in self.columns])
        for i, c in enumerate(self.columns):
            column = np.log(raw[..., i] + c.floor) if c.log else raw[..., i]
            raw[..., i] = np.clip((column - c.mean) / c.scale, -_FURTHEST, _FURTHEST)
        named = self._named(models)  # (T, 2F + 1)
        known: Bools = np.any(np.isfinite(raw), axis=2) | np.any(named, axis=1, keepdims=True).T
        spread = np.broadcast_to(named, (len(machine_types), *named.shape))
        return np.concatenate([np.nan_to_num(raw), spread], axis=2).astype(np.float32), known

    def _named(self, models: Sequence[str]) -> Floats:
        families = [f.name for f in self.families]
        result = np.zeros((len(models), 2 * len(families) + 1 if families else 0))
        for row, (family, batch) in zip(result, map(split_name, models), strict=True):
            if family in families:
                i = families.index(family)
                row[i] = 1.0
                if batch is not None:
                    row[len(families)] = row[len(families) + 1 + i] = (batch - self.families[i].centre) / 2
        return result


def make_encoder(features: Features, machine_types: Sequence[str], models: Sequence[str]) -> Encoder:
    """Return the encoder for what is trained on; a column that never varies there is left out."""
    values = features.aligned(machine_types, models, features.columns)
    columns = []
    for i, name in enumerate(features.columns):
        column = values[..., i][np.isfinite(values[..., i])]
        log = not name.startswith(_LINEAR)
        positive = column[column > 0]
        floor = 1e-3 * float(np.median(positive)) if log and positive.size else 0.0
        if log and not positive.size:
            continue
        scaled = np.log(column + floor) if log else column
        if scaled.size and np.std(scaled) > 1e-9:
            mean, scale = float(np.mean(scaled)), float(np.std(scaled))
            columns.append(Column(name=name, log=log, floor=floor, mean=mean, scale=scale))
    split = [split_name(name) for name in models]
    count = Counter(family for family, _ in split)
    families = []
    for family in sorted(name for name, n in count.items() if n > 1):
        batches = [batch for name, batch in split if name == family and batch is not None]
        families.append(Family(name=family, centre=float(np.mean(batches)) if batches else 0.0))
    return Encoder(columns=tuple(columns), families=tuple(families))
