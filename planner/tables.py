"""Degradation tables: CSV or Parquet files beside an instance, read into an array.

A table has the columns ``machine_type``, ``victim``, ``aggressor`` and ``degradation``, one row for
each pair; ``upper``, the upper end of its 95 % interval, may be there; others are ignored. Names become
numbers through the dictionaries that Arrow builds, so that a million rows take a fraction of a second.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError
from planner.json_text import not_text
from planner.reading import reason, regular_size

if TYPE_CHECKING:
    import pyarrow as pa

FILE_LIMIT = 128 * 2**20
_UNPACKED_LIMIT = 256 * 2**20
_HEAD = 64 * 2**10
_COLUMNS = 1_000
_FOOTER = 4 * 2**20
_KEYS = ("machine_type", "victim", "aggressor")
COLUMNS = (*_KEYS, "degradation")
UPPER = "upper"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def table_path(folder: Path, name: str) -> Path:
    """Return the file that an instance in ``folder`` calls ``name``.

    Raises
    ------
    InputError
        If the name is absolute, holds ``..``, or leads out of the folder through a link.
    """
    relative = Path(name)
    if not name or relative.is_absolute() or ".." in relative.parts:
        raise InputError("must be a path below the instance's folder, without '..'", value=name)
    try:
        home, path = folder.resolve(), (folder / relative).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL character, a loop of links
        raise InputError(f"cannot be read: {reason(error)}", value=name) from None
    if not path.is_relative_to(home):
        raise InputError("must not leave the instance's folder through a link", value=name)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("must be a .csv or .parquet file", value=name)
    return path


class Table(NamedTuple):
    """What a table says, shapes (K, T, T): NaN where it has no row, or says nothing of ``upper``."""

    degradation: Floats
    upper: Floats | None  #: None where it says nothing of it at all


def read_table(path: Path, types: Sequence[str], models: Sequence[str]) -> Table:
    """Return the degradations in a table and the upper ends of their intervals.

    Parameters
    ----------
    path
        A file of at most 128 MB, as :func:`table_path` returns it.
    types, models
        Names of the K machine types and the T models.

    Raises
    ------
    InputError
        Naming the file, the row (1 is the first after the header), the rule and what was found.
    """
    import pyarrow as pa

    shape = (len(types), len(models), len(models))
    try:
        size = regular_size(path)
        if size > FILE_LIMIT:
            raise InputError(f"must be at most {FILE_LIMIT // 2**20} MB", value=f"{size / 2**20:,.1f} MB")
        most = shape[0] * shape[1] * shape[2]
        batches = _csv(path) if path.suffix.lower() == ".csv" else _parquet(path, most)
        values, upper = np.full(most, np.nan), np.full(most, np.nan)
        row_of = np.zeros(most, dtype=np.int32)  # of each pair, from 1; 0 where there is none yet
        rows = 0
        for batch in batches:
            batch.validate(full=True)  # a broken file may hold indices that point nowhere
            rows += batch.num_rows
            _check_rows(rows, most)
            flat, degradation = _numbers(batch, rows - batch.num_rows, types, models)
            _claim(row_of, flat, rows - batch.num_rows, types, models)
            values[flat] = degradation
            if UPPER in batch.schema.names:
                upper[flat] = _degradations(batch.column(UPPER), rows - batch.num_rows, UPPER)
        known = not np.isnan(upper).all()
        return Table(values.reshape(shape), upper.reshape(shape) if known else None)
    except InputError as error:
        raise error.in_file(str(path)) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0].rstrip(". ")
        raise InputError(f"cannot be read as a table: {first}", file=str(path)) from None


def write_table(
    degradation: Floats, types: Sequence[str], models: Sequence[str], upper: Floats | None = None
) -> bytes:
    """Return the Parquet table of an array (K, T, T) and of its upper ends, if any; NaN is left out."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    k, t, u = np.nonzero(~np.isnan(degradation))
    columns: list[Any] = [
        pa.DictionaryArray.from_arrays(index.astype(np.int32), pa.array(names, pa.string()))
        for index, names in ((k, types), (t, models), (u, models))
    ]
    columns.append(pa.array(degradation[k, t, u]))
    if upper is not None:
        columns.append(pa.array(upper[k, t, u], from_pandas=True))
    names = [*COLUMNS, *([] if upper is None else [UPPER])]
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, names=names), buffer, compression="zstd")
    return buffer.getvalue()


def _check_rows(rows: int, most: int) -> None:
    if rows > most:
        raise InputError(f"must have at most {most:,} rows, one for each pair", value=f"{rows:,} or more")


def _check_columns(names: Sequence[str]) -> None:
    for column in COLUMNS:
        if column not in names:
            shown = ", ".join(names[:8])
            raise InputError("is a required column", field=column, value=f"the columns {shown}")
    for column in (*COLUMNS, UPPER):
        if names.count(column) > 1:
            raise InputError("must be one column, appears twice", field=column)


def _header(path: Path) -> list[str]:
    """Return the columns of a CSV file; Arrow would take gigabytes for a million of them."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError as error:
        raise not_text(error, before=0) from None
    if not text or text.isspace():
        raise InputError("must not be empty")
    if "\0" in text:
        raise InputError("must be text, found a NUL character", field=f"byte {text.index(chr(0)) + 1}")
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines)
    try:
        names = next(reader)
    except csv.Error as error:
        raise InputError(f"cannot be read as a table: {error}", field="header") from None
    if len(names) > _COLUMNS or (len(head) == _HEAD and reader.line_num == len(lines)):
        rule = f"must have at most {_COLUMNS:,} columns in a header of at most {_HEAD // 2**10} kB"
        raise InputError(rule, field="header", value=f"{len(names):,} columns")
    return names


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file: names as dictionaries, degradations as text."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    def refuse(row: Any) -> str:
        where = "" if row.number is None else f"row {row.number - 1}"
        rule = f"must have {row.expected_columns} values, as the header has, but has {row.actual_columns}"
        ragged.append(InputError(rule, field=where, value=row.text))
        return "error"

    ragged: list[InputError] = []
    names = pa.dictionary(pa.int32(), pa.string())
    header = _header(path)
    _check_columns(header)
    numbers = [column for column in ("degradation", UPPER) if column in header]
    try:
        with arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=refuse),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[*_KEYS, *numbers],
                column_types={**dict.fromkeys(_KEYS, names), **dict.fromkeys(numbers, pa.string())},
            ),
        ) as reader:
            yield from reader
    except pa.ArrowException as problem:
        for error in ragged:
            raise error from None
        if "straddling" in str(problem):  # rows end where blocks of 1 MB do
            raise InputError("must have rows of at most 1 MB; is a quotation mark open?") from None
        raise


def _parquet(path: Path, most: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file whose metadata promise no more than can be right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = regular_size(path)
    with path.open("rb") as stream:
        stream.seek(max(0, size - 8))
        footer, mark = int.from_bytes(stream.read(4), "little"), stream.read(4)
    if _FOOTER < footer < size and mark == b"PAR1":
        rule = f"must have metadata of at most {_FOOTER // 2**20} MB"
        raise InputError(rule, value=f"{footer / 2**20:,.1f} MB")
    metadata = pq.read_metadata(path)
    _check_rows(metadata.num_rows, most)
    _check_columns([metadata.schema.column(i).path for i in range(metadata.num_columns)])
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=list(_KEYS)) as file:
        groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
        unpacked = sum(max(g.total_byte_size, 0) for g in groups)  # Arrow aborts on some broken columns' own
        if unpacked > _UNPACKED_LIMIT or sum(g.num_rows for g in groups) != metadata.num_rows:
            rule = f"must unpack to at most {_UNPACKED_LIMIT // 2**20} MB, as its metadata say"
            raise InputError(rule, value=f"{unpacked / 2**20:,.1f} MB, {metadata.num_rows:,} rows")
        schema = file.schema_arrow
        for column in _KEYS:
            kind = schema.field(column).type
            text = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not (pa.types.is_string(text) or pa.types.is_large_string(text)):
                raise InputError("must be a column of text", field=column, value=str(kind))
        numbers = [column for column in ("degradation", UPPER) if column in schema.names]
        for column in numbers:
            kind = schema.field(column).type
            if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
                raise InputError("must be a column of numbers", field=column, value=str(kind))
        yield from file.iter_batches(batch_size=2**18, columns=[*_KEYS, *numbers])


def _numbers(
    batch: pa.RecordBatch, before: int, types: Sequence[str], models: Sequence[str]
) -> tuple[Ints, Floats]:
    """Return the flat position in (K, T, T) and the degradation of each row."""
    k = _positions(batch.column("machine_type"), types, before, "machine_type", "machine type")
    t = _positions(batch.column("victim"), models, before, "victim", "model")
    u = _positions(batch.column("aggressor"), models, before, "aggressor", "model")
    degradation = _degradations(batch.column("degradation"), before, "degradation")
    return (k * len(models) + t) * len(models) + u, degradation


def _positions(column: pa.Array, names: Sequence[str], before: int, field: str, what: str) -> Ints:
    """Return the position of each row's name in ``names``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    known = pc.index_in(column.dictionary.cast(pa.string()), value_set=pa.array(names, pa.string()))
    lookup = np.append(known.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), -1)
    index = column.indices.fill_null(lookup.size - 1).to_numpy(zero_copy_only=False)
    positions: Ints = lookup[index]
    unknown = positions < 0
    if unknown.any():
        row = int(unknown.argmax())
        where = f"row {before + row + 1}, column {field}"
        rule = f"must name a {what} of the instance"
        raise InputError(rule, field=where, value=column[row].as_py() or "nothing")
    return positions


def _degradations(column: pa.Array, before: int, name: str) -> Floats:
    """Return the numbers of a column, all finite and not negative; only ``upper`` may say nothing, NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name == UPPER and pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    try:
        numbers = column.cast(pa.float64())
    except pa.ArrowException:
        row = _first_bad(column)
        where = f"row {before + row + 1}, column {name}"
        raise InputError("must be a number", field=where, value=column[row].as_py()) from None
    values: Floats = numbers.to_numpy(zero_copy_only=False)  # NaN where there is nothing
    bad = ~(np.isfinite(values) & (values >= 0))
    if name == UPPER:
        bad &= column.is_valid().to_numpy(zero_copy_only=False)
    if bad.any():
        row = int(bad.argmax())
        found = column[row].as_py()
        where = f"row {before + row + 1}, column {name}"
        raise InputError(
            "must be a finite number, not negative", field=where, value="nothing" if found is None else found
        )
    return values


def _first_bad(column: pa.Array) -> int:
    """Return the first row that is not a number, by halving."""
    import pyarrow as pa

    first, last = 0, len(column)
    while last - first > 1:
        middle = (first + last) // 2
        try:
            column[first:middle].cast(pa.float64())
            first = middle
        except pa.ArrowException:
            last = middle
    return first


def _claim(
    row_of: NDArray[np.int32], flat: Ints, before: int, types: Sequence[str], models: Sequence[str]
) -> None:
    """Note the rows of these pairs; refuse a pair that has two."""
    rows = np.arange(before + 1, before + 1 + flat.size, dtype=np.int32)
    new = row_of[flat] == 0
    row_of[flat[new][::-1]] = rows[new][::-1]  # of several the last assignment stays: the first row
    twice = row_of[flat] != rows
    if twice.any():
        i = int(twice.argmax())
        k, rest = divmod(int(flat[i]), len(models) ** 2)
        t, u = divmod(rest, len(models))
        pair = f"{types[k]}, {models[t]}, {models[u]}"
        raise InputError(
            f"must not repeat the pair of row {row_of[flat[i]]}", field=f"row {rows[i]}", value=pair
        )
