"""Every rule of a measurements table bites, and says where."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.degradation import rows as module
from planner.degradation.rows import read_rows
from planner.errors import InputError

GOOD = {
    "machine_type": "cpu",
    "victim": "bert",
    "neighbours": "dlrm|gpt",
    "run": "3",
    "seed": "7",
    "loop": "open",
    "offered_rps": "12.5",
    "samples": "700",
    "mean_ms": "12",
    "p50_ms": "11",
    "p90_ms": "13",
    "p95_ms": "14",
    "p99_ms": "15",
    "solo_samples": "700",
    "solo_mean_ms": "10",
    "solo_p50_ms": "10",
    "solo_p90_ms": "11",
    "solo_p95_ms": "",
    "solo_p99_ms": "",
    "degradation": "0.2",
    "degradation_p50": "0.1",
    "degradation_p99": "",
    "stable": "true",
    "flags": "",
    "windows": '[{"phase": "solo", "mean_ms": 10.0}]',
    "host": "h1",
}
SIMPLE = "machine_type,victim,aggressor,degradation\n"


def table(path: Path, *changes: Mapping[str, str | None]) -> Path:
    """Write one row for each of ``changes`` to :data:`GOOD`; None takes the column out."""
    rows: list[dict[str, str | None]] = [{**GOOD, **change} for change in changes]
    kept = [name for name in rows[0] if rows[0][name] is not None]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert caught.value.file == str(path)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def test_a_row_is_read_whole(path: Path) -> None:
    (row,) = read_rows(table(path, {}))
    assert (row.row, row.machine_type, row.victim, row.run) == (1, "cpu", "bert", 3)
    assert row.neighbours == ("dlrm", "gpt")
    assert row.colocated == ("bert", "dlrm", "gpt")
    assert (row.degradation, row.stable, row.flags) == (0.2, True, ())
    assert row.values["p99_ms"] == 15
    assert row.values["windows"] == GOOD["windows"]
    assert "solo_p99_ms" not in row.values


def test_neighbours_are_a_multiset_whatever_their_order(path: Path) -> None:
    (row,) = read_rows(table(path, {"neighbours": "gpt|dlrm|gpt"}))
    assert row.neighbours == ("dlrm", "gpt", "gpt")


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("machine_type", "", "must not be empty, found 'nothing'"),
        ("victim", " bert", "must not hold '|' or control characters, nor start or end with a space"),
        ("victim", "x" * 201, "must have at most 200 characters"),
        ("neighbours", "", "must name at least one other replica, found 'nothing'"),
        ("neighbours", "a||b", "must be names joined by '|'"),
        ("neighbours", "|".join("a" * 300), "must name at most 256 replicas"),
        ("run", "-1", "must be a whole number of at least 0, found '-1'"),
        ("run", "1.5", "must be a whole number of at least 0"),
        ("samples", "many", "must be a whole number of at least 0"),
        ("loop", "half", "must be open or closed"),
        ("offered_rps", "0", "must be greater than 0"),
        ("mean_ms", "-3", "must be greater than 0"),
        ("mean_ms", "nan", "must be a finite number"),
        ("mean_ms", "1_0", "must be a finite number"),
        ("p50_ms", "fast", "must be a number, found 'fast'"),
        ("p90_ms", "10", "must be at least p50_ms"),
        ("solo_p90_ms", "9", "must be at least solo_p50_ms"),
        ("degradation", "", "must be given unless a flag says why not"),
        ("degradation", "-1", "must be greater than -1 and at most 1,000,000"),
        ("degradation", "inf", "must be a finite number"),
        ("degradation", "0.3", "must be mean_ms / solo_mean_ms - 1 = 0.2, found 0.3"),
        ("stable", "yes", "must be true or false"),
        ("flags", "Steal!", "must be words of a-z, 0-9 and _ joined by ';'"),
        ("windows", "{", "must be valid JSON"),
        ("windows", "[1]", "must be a JSON list of windows"),
    ],
)
def test_each_rule_bites(path: Path, column: str, value: str, rule: str) -> None:
    message = refused(table(path, {"run": "1"}, {"run": "2", column: value}))
    assert message.startswith(f"row 2, column {column}: {rule}")


def test_a_degradation_may_be_absent_if_a_flag_says_why(path: Path) -> None:
    (row,) = read_rows(table(path, {"degradation": "", "flags": "died"}))
    assert row.degradation is None
    assert row.flags == ("died",)


def test_a_degradation_agrees_with_its_latencies_up_to_rounding(path: Path) -> None:
    assert read_rows(table(path, {"degradation": "0.211"}))  # 1 % of 1.2 is 0.012
    assert "must be mean_ms" in refused(table(path, {"degradation": "0.214"}))


@pytest.mark.parametrize("column", ["machine_type", "victim", "neighbours", "degradation"])
def test_required_columns(path: Path, column: str) -> None:
    assert refused(table(path, {column: None})).startswith(f"{column}: is a required column")


def test_a_run_is_one_colocation(path: Path) -> None:
    one = {"victim": "bert", "neighbours": "dlrm"}
    other = {"victim": "dlrm", "neighbours": "bert"}
    assert len(read_rows(table(path, one, other))) == 2
    unlike = refused(table(path, one, {"victim": "gpt", "neighbours": "bert"}))
    assert unlike.startswith(
        "row 2, column run: must be of one co-location on one machine type, unlike row 1"
    )
    assert "unlike row 1" in refused(table(path, one, {**other, "machine_type": "gpu"}))
    twice = refused(table(path, one, other, one))
    assert twice.startswith("row 3, column run: must have one row for each victim, but row 1 has it too")


def test_the_simple_form(path: Path) -> None:
    path.write_text("machine_type,victim,aggressor,degradation,flag,windows\nk80,a,b,0,clipped_to_solo,12\n")
    (row,) = read_rows(path)
    assert (row.neighbours, row.run, row.flags) == (("b",), 1, ("clipped_to_solo",))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (SIMPLE, "must have at least one row"),
        ("", "cannot be read as a table"),
        (SIMPLE + "k80,a,b\n", "row 1: must have 4 values, as the header has, but has 3"),
        (SIMPLE + "k80,a,,0.1\n", "row 1, column neighbours: must name at least one other replica"),
        (SIMPLE.strip() + ",aggressor\nk80,a,b,0.1,c\n", "aggressor: must be one column, appears twice"),
        (SIMPLE.strip() + ",neighbours\nk80,a,b,0.1,c\n", "aggressor: must not stand beside a column"),
        (SIMPLE.strip() + ",flag,flags\nk80,a,b,0.1,,\n", "flag: must not stand beside a column flags"),
        ("x\n1\n", "machine_type: is a required column"),
    ],
)
def test_tables_that_are_none(path: Path, text: str, rule: str) -> None:
    path.write_text(text)
    assert refused(path).startswith(rule)


def test_bytes_that_are_no_text(path: Path) -> None:
    path.write_bytes(SIMPLE.encode() + b"k80,\xff\xfe,b,0.1\n")
    assert re.match("cannot be read as a table: .*UTF", refused(path), re.IGNORECASE)


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "t.pkl").startswith("must be a .csv or .parquet file, found '.pkl'")
    assert refused(tmp_path / "none.csv").startswith("cannot be read: no such file")
    (tmp_path / "d.csv").mkdir()
    assert refused(tmp_path / "d.csv").startswith("must be a file, found a directory")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no PAR1")
    assert refused(tmp_path / "t.parquet").startswith("cannot be read as a table")


def test_parquet_says_the_same_as_csv(path: Path, tmp_path: Path) -> None:
    expected = read_rows(table(path, {}))
    typed: dict[str, list[object]] = {name: [text or None] for name, text in GOOD.items()}
    typed |= {
        "run": [3],
        "stable": [True],
        "degradation": [0.2],
        "mean_ms": [12.0],
        "solo_p99_ms": [float("nan")],
    }
    pq.write_table(pa.table(typed), tmp_path / "t.parquet")
    assert read_rows(tmp_path / "t.parquet") == expected


def test_parquet_with_lists_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"machine_type": [["a"]]}), tmp_path / "t.parquet")
    assert refused(tmp_path / "t.parquet").startswith("machine_type: must be a column of text or numbers")


def test_too_many_rows_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROW_LIMIT", 1)
    assert refused(table(path, {"run": "1"}, {"run": "2"})).startswith("must have at most 1 rows")


def test_too_large_a_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_LIMIT", 10)
    assert "must be at most 0 MB" in refused(table(path, {}))
