"""Tables that were measured apart become one that says the same."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planner.degradation.rows import read_rows
from planner.errors import InputError
from planner.measure.features import FeatureTable, features_path
from planner.measure.host import this_host
from planner.measure.journal import spec_path
from planner.measure.merge import Source, merge
from planner.measure.profile import hosts_path, profile
from planner.measure.progress import Progress
from tests.planner.measure.fakes import Fake, spec


def measured(path: Path, host: str = "h", **changes: Any) -> Path:
    """Profile with a fake on a host of that name."""
    profile(spec(**changes), path, Fake(host), this_host(), progress=Progress())
    hosts_path(path).write_text(json.dumps({host: {"id": host}}))
    return path


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Tables of two hosts, of which the second has one of the machine types of the first."""
    other = [{"name": "two", "cores": [7], "sharing": "shared"}, {"name": "three", "cores": [1, 2]}]
    return [measured(tmp_path / "a.csv"), measured(tmp_path / "b.csv", "g", machine_types=other)]


def cells(path: Path, *, without_run: bool = True) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return [
            {k: v for k, v in row.items() if k != "run" or not without_run} for row in csv.DictReader(stream)
        ]


def test_every_row_is_there_once_and_runs_are_numbered_through(two: list[Path], tmp_path: Path) -> None:
    sources = merge(two, tmp_path / "m.csv")
    rows = cells(tmp_path / "m.csv", without_run=False)
    assert cells(tmp_path / "m.csv") == cells(two[0]) + cells(two[1])
    assert sorted({int(row["run"]) for row in rows}) == list(range(sum(s.runs for s in sources)))
    assert [(s.rows, s.machine_types, s.hosts) for s in sources] == [
        (len(cells(two[0])), ("one", "two"), ("h",)),
        (len(cells(two[1])), ("two", "three"), ("g",)),
    ]
    assert all(s.checked and not s.cut for s in sources)


def test_rows_of_one_run_stay_together(two: list[Path], tmp_path: Path) -> None:
    merge(two, tmp_path / "m.csv")
    by_run: dict[str, set[tuple[str, ...]]] = {}
    for row in cells(tmp_path / "m.csv", without_run=False):
        members = tuple(sorted([row["victim"], *row["neighbours"].split("|")]))
        by_run.setdefault(row["run"], set()).add((row["host"], row["machine_type"], *members))
    assert all(len(there) == 1 for there in by_run.values())


def test_what_is_trained_on_is_what_was_measured(two: list[Path], tmp_path: Path) -> None:
    merge(two, tmp_path / "m.csv")

    def seen(path: Path) -> Counter[tuple[str, str, float | None]]:
        return Counter((m.machine_type, m.victim, m.degradation) for m in read_rows(path))

    assert seen(tmp_path / "m.csv") == seen(two[0]) + seen(two[1])


def test_hosts_specs_and_features_stand_beside_it(two: list[Path], tmp_path: Path) -> None:
    keys = [("one", "mlp_small"), ("two", "mlp_small")], [("two", "mlp_small"), ("three", "dlrm")]
    for latency, (path, mine) in enumerate(zip(two, keys, strict=True)):
        for key in mine:
            FeatureTable(features_path(path)).add(key, {"solo_mean_ms": 1.0 + latency})
    sources = merge(two, tmp_path / "m.csv")
    table = FeatureTable(features_path(tmp_path / "m.csv"))
    assert {key: table.value(key, "solo_mean_ms") for key in (*keys[0], *keys[1])} == {
        ("one", "mlp_small"): 1.0,
        ("two", "mlp_small"): 1.0,  # the first stays
        ("three", "dlrm"): 2.0,
    }
    assert [(s.features, s.known) for s in sources] == [(2, 0), (1, 1)]
    assert json.loads(hosts_path(tmp_path / "m.csv").read_text()) == {"h": {"id": "h"}, "g": {"id": "g"}}
    kept = json.loads(spec_path(tmp_path / "m.csv").read_text())["merged"]
    assert kept == [json.loads(spec_path(path).read_text()) for path in two]


def test_a_merged_table_merges_again_and_is_not_continued(two: list[Path], tmp_path: Path) -> None:
    third = measured(tmp_path / "c.csv", "i", models=[{"zoo": "lstm"}])
    merge(two, tmp_path / "ab.csv")
    merge([tmp_path / "ab.csv", third], tmp_path / "abc.csv")
    merge([*two, third], tmp_path / "all.csv")
    for path_of in (lambda p: p, spec_path, hosts_path):
        assert path_of(tmp_path / "abc.csv").read_text() == path_of(tmp_path / "all.csv").read_text()
    with pytest.raises(InputError, match="cannot be continued"):
        measured(tmp_path / "ab.csv")


def test_an_incomplete_run_at_the_end_is_left_out(two: list[Path], tmp_path: Path) -> None:
    two[0].write_bytes(two[0].read_bytes()[:-20])
    last = cells(two[0])
    sources = merge(two, tmp_path / "m.csv")
    assert sources[0].cut > 0
    assert len(cells(tmp_path / "m.csv")) == sources[0].rows + sources[1].rows < len(last) + sources[1].rows


def spoiled(path: Path, change: Any) -> None:
    document = json.loads(spec_path(path).read_text())
    change(document["spec"])
    spec_path(path).write_text(json.dumps(document))


def test_names_must_mean_the_same(two: list[Path], tmp_path: Path) -> None:
    spoiled(two[1], lambda s: s["machine_types"][0].update(cores=[0, 1]))
    with pytest.raises(InputError, match=r"must have the machine type two as it is in .*a\.csv: cores 1"):
        merge(two, tmp_path / "m.csv")
    spoiled(two[1], lambda s: s["machine_types"][0].update(cores=[3]))
    spoiled(
        two[1], lambda s: s["models"][0].update(name="mlp_small", zoo=None, onnx="other/mine.onnx", inputs=[])
    )
    with pytest.raises(InputError, match=r"must have the model mlp_small .* found 'onnx mine.onnx'"):
        merge(two, tmp_path / "m.csv")


def test_how_many_may_run_and_where_is_no_difference(two: list[Path], tmp_path: Path) -> None:
    spoiled(two[1], lambda s: s["machine_types"][0].update(slots=2, memory_gb=1.0))
    spoiled(two[1], lambda s: s["models"][0].update(rate_rps=20.0))
    assert len(merge(two, tmp_path / "m.csv")) == 2


def test_without_a_spec_names_are_taken_at_their_word(two: list[Path], tmp_path: Path) -> None:
    spec_path(two[1]).unlink()
    assert [s.checked for s in merge(two, tmp_path / "m.csv")] == [True, False]


ODD_SPECS = (
    "[]",
    '{"spec": 5}',
    '{"merged": 5}',
    '{"merged": [5]}',
    '{"spec": {"version": 1, "models": [7]}}',
)


def test_what_is_refused(two: list[Path], tmp_path: Path) -> None:
    new = tmp_path / "m.csv"
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    data = two[0].read_bytes().splitlines(keepends=True)
    lost = next(i for i, line in enumerate(data) if line.startswith(b"one,dlrm,mlp_small,"))
    (tmp_path / "damaged.csv").write_bytes(b"".join([*data[:lost], *data[lost + 1 :]]))
    (tmp_path / "odd.csv").write_bytes(two[1].read_bytes())
    spec_path(tmp_path / "odd.csv").write_text("[")
    hosts_path(tmp_path / "stale.csv").write_text("{}")
    for i, text in enumerate(ODD_SPECS):
        (tmp_path / f"{i}.csv").write_bytes(two[1].read_bytes())
        spec_path(tmp_path / f"{i}.csv").write_text(text)
    (tmp_path / "bytes.csv").write_bytes(two[1].read_bytes())
    features_path(tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    for tables, output, words in (
        ([two[0]], new, "at least two"),
        ([two[0], two[0]], new, r"a\.csv: run: must not hold a run that is in .*a\.csv too, found '0'"),
        ([two[0], tmp_path / "none.csv"], new, r"none\.csv: cannot be read"),
        ([two[0], tmp_path], new, "must be a file, found a directory"),
        ([two[0], tmp_path / "bad.csv"], new, r"bad\.csv: must begin with the columns"),
        ([tmp_path / "damaged.csv", two[1]], new, r"damaged\.csv: row \d+: is damaged"),
        ([two[0], tmp_path / "odd.csv"], new, r"odd\.spec\.json: "),
        (two, two[1], "must be a new .csv file"),
        (two, tmp_path / "stale.csv", "without features, hosts or a spec beside it"),
        (two, tmp_path / "no" / "m.csv", "in a folder that exists"),
        *(([two[0], tmp_path / f"{i}.csv"], new, rf"{i}\.spec\.json: .*must") for i in range(len(ODD_SPECS))),
        ([two[0], tmp_path / "bytes.csv"], new, r"bytes\.features\.csv: cannot be read"),
        (two, tmp_path / "m.txt", "must be a new .csv file"),
    ):
        before = sorted(tmp_path.iterdir())
        with pytest.raises(InputError, match=words):
            merge(tables, output)
        assert sorted(tmp_path.iterdir()) == before


def test_a_table_of_a_merged_one_is_found_again(two: list[Path], tmp_path: Path) -> None:
    merge(two, tmp_path / "m.csv")
    with pytest.raises(InputError, match="must not hold a run that is in"):
        merge([tmp_path / "m.csv", two[1]], tmp_path / "again.csv")


def test_a_source_is_plain_data(two: list[Path], tmp_path: Path) -> None:
    (first, _) = merge(two, tmp_path / "m.csv")
    assert isinstance(first, Source)
    assert json.loads(json.dumps(first.document()))["runs"] == first.runs
