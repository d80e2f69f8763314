"""The rows of a measurements table: what each column may hold, checked value by value.

Two forms are read, from CSV or Parquet: the one that ``planner profile`` writes (a victim and all its
``neighbours``, one row for each run) and the simpler ``machine_type, victim, aggressor, degradation``
tables that others have made (then ``flag`` or ``flags``, ``run``, and the solo rate as ``solo_ms`` or
``solo_steps_per_s`` may be there too). Other columns are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.degradation.cells import COLUMNS, PARSERS, QUANTILES, SIMPLE_COLUMNS
from planner.errors import InputError
from planner.reading import regular_size

if TYPE_CHECKING:
    import pyarrow as pa

FILE_LIMIT = 256 * 2**20
ROW_LIMIT = 500_000
_UNPACKED_LIMIT = 512 * 2**20

Choice = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Measurement:
    """One row: how much a victim slowed down in one run.

    Attributes
    ----------
    row
        Where it stands in its file; 1 is the first row after the header.
    machine_type, victim
        Names.
    neighbours
        Names of the other replicas on the machine, sorted.
    run
        Number of the co-location run; the row's own number where the table has no runs.
    degradation
        Co-located / solo - 1 of the mean latency as measured, so it may be negative; None in a row
        whose flags say why there is none.
    stable
        Whether the windows had settled.
    flags
        What is to be known about the row, e.g. ``steal``, ``died``, ``clipped_to_solo``.
    values
        Every other known column that holds something, as numbers or text: latencies in ms,
        ``samples``, ``loop``, ``windows`` (JSON text of the raw windows), ``host``, ...
    """

    row: int
    machine_type: str
    victim: str
    neighbours: tuple[str, ...]
    run: int
    degradation: float | None
    stable: bool
    flags: tuple[str, ...]
    values: Mapping[str, float | str]

    @property
    def colocated(self) -> tuple[str, ...]:
        """All replicas on the machine, the victim among them, sorted."""
        return tuple(sorted((self.victim, *self.neighbours)))


def read_rows(path: Path) -> list[Measurement]:
    """Return the checked rows of a ``.csv`` or ``.parquet`` file, in its order.

    Raises
    ------
    InputError
        Naming the file, the row, the column, the rule and what was found.
    """
    import pyarrow as pa

    try:
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise InputError("must be a .csv or .parquet file", value=path.suffix)
        columns = read_columns(path, _known)
        rows = list(_measurements(columns))
        if not rows:
            raise InputError("must have at least one row")
        _check_runs(rows)
        return rows
    except InputError as error:
        raise error.in_file(str(path)) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0].rstrip(". ")
        raise InputError(f"cannot be read as a table: {first}", file=str(path)) from None


def read_columns(path: Path, choose: Choice) -> dict[str, list[str]]:
    """Return the columns of a CSV or Parquet file as text; nothing is ``""``.

    Parameters
    ----------
    path
        The file.
    choose
        Takes the names of all columns and returns those to read.

    Raises
    ------
    InputError
        For a file that is too large, or a column that appears twice or holds lists.
    """
    size = regular_size(path)
    if size > FILE_LIMIT:
        raise InputError(f"must be at most {FILE_LIMIT // 2**20} MB", value=f"{size / 2**20:,.1f} MB")
    result: dict[str, list[str]] = {}
    rows = 0
    for batch in _csv(path, choose) if path.suffix.lower() == ".csv" else _parquet(path, choose):
        batch.validate(full=True)  # a broken file may hold offsets that point nowhere
        rows += batch.num_rows
        _check_size(rows)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            result.setdefault(name, []).extend(map(_text, column.to_pylist()))
    return result


def _known(names: Sequence[str]) -> list[str]:
    """Return the columns to read: those of the simple form if there is an aggressor."""
    if "aggressor" in names and "neighbours" in names:
        raise InputError("must not stand beside a column neighbours", field="aggressor")
    return [name for name in names if name in (SIMPLE_COLUMNS if "aggressor" in names else COLUMNS)]


def _check_size(rows: int) -> None:
    if rows > ROW_LIMIT:
        raise InputError(f"must have at most {ROW_LIMIT:,} rows", value=f"{rows:,} or more")


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _chosen(names: Sequence[str], choose: Choice) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise InputError("must be one column, appears twice", field=name)
    return choose(names)


def _csv(path: Path, choose: Choice) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv

    def refuse(row: Any) -> str:
        where = "" if row.number is None else f"row {row.number - 1}"
        rule = f"must have {row.expected_columns} values, as the header has, but has {row.actual_columns}"
        ragged.append(InputError(rule, field=where, value=row.text))
        return "error"

    ragged: list[InputError] = []
    options: dict[str, Any] = {
        "read_options": csv.ReadOptions(use_threads=False),
        "parse_options": csv.ParseOptions(invalid_row_handler=refuse),
    }
    try:
        with csv.open_csv(path, **options) as header:
            chosen = _chosen(header.schema.names, choose)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(chosen, pa.string()), include_columns=chosen, strings_can_be_null=False
        )
        yield _empty(chosen)
        with csv.open_csv(path, convert_options=convert, **options) as reader:
            yield from reader if chosen else ()
    except pa.ArrowException:
        for error in ragged:
            raise error from None
        raise


def _empty(names: Sequence[str]) -> pa.RecordBatch:
    """Return no rows: a table without any has columns all the same."""
    import pyarrow as pa

    return pa.record_batch([pa.array([], pa.string()) for _ in names], names=list(names))


def _parquet(path: Path, choose: Choice) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file whose metadata promise no more than can be right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    _check_size(metadata.num_rows)
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    unpacked = sum(max(g.total_byte_size, 0) for g in groups)
    if unpacked > _UNPACKED_LIMIT or sum(g.num_rows for g in groups) != metadata.num_rows:
        rule = f"must unpack to at most {_UNPACKED_LIMIT // 2**20} MB, as its metadata say"
        raise InputError(rule, value=f"{unpacked / 2**20:,.1f} MB, {metadata.num_rows:,} rows")
    with pq.ParquetFile(path, metadata=metadata) as file:
        schema = file.schema_arrow
        chosen = _chosen(schema.names, choose)
        for name in chosen:
            kind = schema.field(name).type
            if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                raise InputError("must be a column of text or numbers", field=name, value=str(kind))
        yield _empty(chosen)
        yield from file.iter_batches(batch_size=2**16, columns=chosen)


def _measurements(columns: Mapping[str, list[str]]) -> Iterator[Measurement]:
    others = "aggressor" if "aggressor" in columns else "neighbours"
    for name in ("machine_type", "victim", others, "degradation"):
        if name not in columns:
            rule = "is a required column" + (" (or aggressor)" if name == "neighbours" else "")
            raise InputError(rule, field=name, value=", ".join(columns) or "no known column")
    if "flag" in columns and "flags" in columns:
        raise InputError("must not stand beside a column flags", field="flag")
    names = tuple(columns)
    for row, texts in enumerate(zip(*columns.values(), strict=True), start=1):
        try:
            yield _measurement(row, {n: _parsed(n, t) for n, t in zip(names, texts, strict=True)})
        except InputError as error:
            where = f"row {row}, column {error.field}"
            raise InputError(error.rule, field=where, value=error.value) from None


def _parsed(column: str, text: str) -> Any:
    try:
        return PARSERS[column](text)
    except ValueError as error:
        raise InputError(str(error), field=column, value=text or "nothing") from None


def _measurement(row: int, values: dict[str, Any]) -> Measurement:
    for name in ("machine_type", "victim"):
        if values[name] is None:
            raise InputError("must not be empty", field=name, value="nothing")
    others = values.pop("neighbours", None) or (values.pop("aggressor", None) or ())
    if not others:
        raise InputError("must name at least one other replica", field="neighbours", value="nothing")
    run, stable = values.pop("run", None), values.pop("stable", None)
    measurement = Measurement(
        row=row,
        machine_type=values.pop("machine_type"),
        victim=values.pop("victim"),
        neighbours=tuple(sorted(others)),
        run=row if run is None else run,
        degradation=values.pop("degradation"),
        stable=stable is not False,
        flags=values.pop("flags", None) or values.pop("flag", None) or (),
        values={name: value for name, value in values.items() if value is not None and value != ()},
    )
    _check_numbers(measurement)
    return measurement


def _check_numbers(m: Measurement) -> None:
    """Refuse a row whose numbers contradict each other."""
    if m.degradation is None and not m.flags:
        raise InputError("must be given unless a flag says why not", field="degradation", value="nothing")
    for prefix in ("", "solo_"):
        present = [q for q in QUANTILES if f"{prefix}{q}" in m.values]
        for low, high in pairwise(present):
            if float(m.values[prefix + low]) > float(m.values[prefix + high]):
                rule = f"must be at least {prefix}{low}"
                raise InputError(rule, field=prefix + high, value=m.values[prefix + high])
    if m.degradation is not None and {"mean_ms", "solo_mean_ms"} <= m.values.keys():
        solo = float(m.values["solo_mean_ms"])
        ratio = float(m.values["mean_ms"]) / solo
        rounding = 0.01 * ratio + 0.001 * (1 + ratio) / solo  # latencies may be written to the microsecond
        if abs(m.degradation - (ratio - 1)) > rounding:
            rule = f"must be mean_ms / solo_mean_ms - 1 = {ratio - 1:.4g}"
            raise InputError(rule, field="degradation", value=m.degradation)


def _check_runs(rows: Sequence[Measurement]) -> None:
    """Refuse a run whose rows are not one co-location seen by different victims."""
    first: dict[int, Measurement] = {}
    seen: dict[tuple[int, str], int] = {}
    for m in rows:
        begun = first.setdefault(m.run, m)
        where = f"row {m.row}, column run"
        if (begun.machine_type, begun.colocated) != (m.machine_type, m.colocated):
            rule = f"must be of one co-location on one machine type, unlike row {begun.row}"
            raise InputError(rule, field=where, value=m.run)
        if seen.setdefault((m.run, m.victim), m.row) != m.row:
            rule = f"must have one row for each victim, but row {seen[m.run, m.victim]} has it too"
            raise InputError(rule, field=where, value=m.run)
