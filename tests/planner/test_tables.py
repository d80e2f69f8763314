"""Degradation tables become arrays, and a table that is wrong anywhere is refused with its row."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from planner import tables
from planner.errors import InputError
from planner.tables import COLUMNS, read_table, table_path, write_table

TYPES, MODELS = ["gpu", "cpu"], ["a", "b"]
ROWS: list[tuple[Any, ...]] = [
    ("gpu", "a", "b", 0.25),
    ("cpu", "b", "a", 1.5),
    ("gpu", "a", "a", 0.0),
]


def write(folder: Path, rows: list[tuple[Any, ...]], name: str) -> Path:
    """Write rows as the table ``name``."""
    path = folder / name
    if path.suffix == ".csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in [COLUMNS, *rows]) + "\n")
    else:
        columns = [list(column) for column in zip(*rows, strict=True)]
        pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), path)
    return path


def refused(path: Path) -> InputError:
    """Return the error that reading the table raises."""
    with pytest.raises(InputError) as caught:
        read_table(path, TYPES, MODELS)
    assert caught.value.file == str(path)
    return caught.value


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_read(tmp_path: Path, name: str) -> None:
    values = read_table(write(tmp_path, ROWS, name), TYPES, MODELS).degradation
    expected = np.full((2, 2, 2), np.nan)
    expected[0, 0] = 0, 0.25
    expected[1, 1, 0] = 1.5
    np.testing.assert_array_equal(values, expected)


def test_written_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((3, 50, 50))
    values[rng.random(values.shape) < 0.1] = np.nan
    types, models = [f"type {k}" for k in range(3)], [f"model, {t}" for t in range(50)]
    (tmp_path / "t.parquet").write_bytes(write_table(values, types, models))
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet", types, models).degradation, values)
    pyarrow.csv.write_csv(pq.read_table(tmp_path / "t.parquet"), tmp_path / "t.csv")
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", types, models).degradation, values)


def test_a_million_rows(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((12, 300, 300))
    types, models = [f"type-{k}" for k in range(12)], [f"model-{t}" for t in range(300)]
    (tmp_path / "t.parquet").write_bytes(write_table(values, types, models))
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet", types, models).degradation, values)


def test_other_columns_and_column_orders(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("degradation,note,aggressor,victim,machine_type\n0.25,hm,b,a,gpu\n")
    assert read_table(path, TYPES, MODELS).degradation[0, 0, 1] == 0.25


def test_other_types_of_columns(tmp_path: Path) -> None:
    large = pa.table(
        {
            "machine_type": pa.array(["gpu"], pa.large_string()),
            "victim": pa.array(["a"]).dictionary_encode(),
            "aggressor": pa.array(["b"]),
            "degradation": pa.array([2], pa.int8()),
        }
    )
    pq.write_table(large, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", TYPES, MODELS).degradation[0, 0, 1] == 2.0


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize(
    ("row", "field", "rule", "value"),
    [
        (("tpu", "a", "b", 0.5), "row 4, column machine_type", "a machine type", "tpu"),
        (("gpu", "x", "b", 0.5), "row 4, column victim", "a model", "x"),
        (("gpu", "a", "y", 0.5), "row 4, column aggressor", "a model", "y"),
        (("gpu", "", "b", 0.5), "row 4, column victim", "a model", "nothing"),
        (("gpu", "b", "b", -0.5), "row 4, column degradation", "not negative", -0.5),
        (("gpu", "b", "b", np.nan), "row 4, column degradation", "finite", np.nan),
        (("gpu", "b", "b", np.inf), "row 4, column degradation", "finite", np.inf),
        (("cpu", "b", "a", 1.5), "row 4", "repeat the pair of row 2", "cpu, b, a"),
    ],
)
def test_bad_rows(tmp_path: Path, name: str, row: tuple[Any, ...], field: str, rule: str, value: Any) -> None:
    error = refused(write(tmp_path, [*ROWS, row], name))
    assert error.field == field
    assert rule in error.rule
    assert str(error.value) == str(value)


@pytest.mark.parametrize("text", ["fast", "", "1,5", "0x10", "1e400"])
def test_what_is_not_a_number_in_csv(tmp_path: Path, text: str) -> None:
    quoted = f'"{text}"' if "," in text else text
    error = refused(write(tmp_path, [*ROWS, ("gpu", "b", "b", quoted)], "t.csv"))
    assert error.field == "row 4, column degradation"
    assert error.value == text


def test_nothing_in_parquet(tmp_path: Path) -> None:
    error = refused(write(tmp_path, [*ROWS, ("gpu", "b", "b", None)], "t.parquet"))
    assert (error.field, error.value) == ("row 4, column degradation", "nothing")
    error = refused(write(tmp_path, [*ROWS, ("gpu", None, "b", 1.0)], "t.parquet"))
    assert (error.field, error.value) == ("row 4, column victim", "nothing")


def test_rows_of_later_batches_are_numbered_through(tmp_path: Path) -> None:
    models = [f"m{t}" for t in range(600)]
    rows = [("gpu", a, b, 0.5) for a in models for b in models]
    rows[300_000] = ("gpu", "x", "m0", 0.5)
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(InputError, match="must name a model") as caught:
            read_table(write(tmp_path, rows, name), ["gpu"], models)
        assert caught.value.field == "row 300001, column victim"


def test_too_many_rows(tmp_path: Path) -> None:
    for name in ("t.csv", "t.parquet"):
        error = refused(write(tmp_path, ROWS * 3, name))
        assert "at most 8 rows" in error.rule


@pytest.mark.parametrize("missing", COLUMNS)
def test_missing_columns(tmp_path: Path, missing: str) -> None:
    kept = [i for i, name in enumerate(COLUMNS) if name != missing]
    text = "\n".join(",".join(str(row[i]) for i in kept) for row in [COLUMNS, *ROWS])
    (tmp_path / "t.csv").write_text(text)
    assert refused(tmp_path / "t.csv").field == missing
    table = pq.read_table(write(tmp_path, ROWS, "t.parquet"))
    pq.write_table(table.drop_columns([missing]), tmp_path / "t.parquet")
    assert refused(tmp_path / "t.parquet").field == missing


@pytest.mark.parametrize(
    ("column", "values"), [("victim", [1, 2]), ("degradation", ["a", "b"]), ("degradation", [True, False])]
)
def test_columns_of_the_wrong_type(tmp_path: Path, column: str, values: list[Any]) -> None:
    table = pa.table({name: ["gpu", "gpu"] for name in COLUMNS[:3]} | {"degradation": [0.5, 0.5]})
    table = table.set_column(COLUMNS.index(column), column, pa.array(values))
    pq.write_table(table, tmp_path / "t.parquet")
    assert refused(tmp_path / "t.parquet").field == column


def test_ragged_and_doubled_csv(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, "t.csv")
    path.write_text(path.read_text() + "gpu,a\n")
    error = refused(path)
    assert (error.field, error.value) == ("row 4", "gpu,a")
    path.write_text("victim,machine_type,victim,aggressor,degradation\n")
    assert "twice" in refused(path).rule


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" * 40, b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_what_is_not_a_table(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name)


def test_a_parquet_file_cut_or_flipped_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    whole = write(tmp_path, ROWS, "t.parquet").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "u.parquet"
    for at in rng.integers(0, len(whole), 60).tolist():
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        for content in (whole[:at], bytes(flipped)):
            path.write_bytes(content)
            with contextlib.suppress(InputError):  # and nothing else is raised
                read_table(path, TYPES, MODELS)


def test_a_large_file_and_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "t.csv").open("wb") as stream:
        stream.truncate(tables.FILE_LIMIT + 1)
    assert "at most 128 MB" in refused(tmp_path / "t.csv").rule
    long = "x" * 3_000_000
    path = tmp_path / "t.parquet"
    pq.write_table(
        pq.read_table(write(tmp_path, [("gpu", long + str(i), "a", 0.5) for i in range(3)], "t.parquet")),
        path,
        compression="zstd",
    )
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(tables, "_UNPACKED_LIMIT", 8 * 2**20)
    assert "unpack to at most 8 MB" in refused(path).rule


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd.csv", "../t.csv", "sub/../../t.csv", "..", "link.csv", "out/t.csv"),
        *("", "t\0.csv", "t.xlsx", "x" * 5000 + ".csv"),
    ],
)
def test_paths_out_of_the_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    outside = write(tmp_path, ROWS, "t.csv")
    (home / "link.csv").symlink_to(outside)
    (home / "out").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(InputError) as caught:
        read_table(table_path(home, name), TYPES, MODELS)
    assert caught.value.value is None or name[:50] in str(caught.value.value)


def test_paths_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub", ROWS, "t.csv")
    (tmp_path / "link.csv").symlink_to("sub/t.csv")
    assert table_path(tmp_path, "sub/t.csv") == table_path(tmp_path, "link.csv") == path
