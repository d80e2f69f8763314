"""Bad input that is large or promises to be: one message, exit code 2, and little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Set
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

_MOST_MB = 500
_COUNTED = """
import atexit, sys
from planner.cli import main

def peak():
    kilobytes = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(f"peak {int(kilobytes) // 1024}", file=sys.stderr)

atexit.register(peak)
main()
"""


def refused(*arguments: object) -> str:
    """Run the command in a process of its own; return its one message after looking at its memory."""
    command = [sys.executable, "-c", _COUNTED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    message, peak = done.stderr.splitlines()
    assert (done.returncode, done.stdout, message[:7]) == (2, "", "error: ")
    assert int(peak.removeprefix("peak ")) < _MOST_MB
    return message


def models(number: int, **more: Any) -> list[dict[str, Any]]:
    """Return so many models of one replica."""
    return [{"name": f"m{i}", "replicas": 1, "latency_ms": {"g": 1}, **more} for i in range(number)]


def instance(**changes: Any) -> str:
    """Return an instance of two models with changes."""
    document = {
        "version": 1,
        "name": "x",
        "machine_types": [{"name": "g", "count": 1}],
        "models": models(2),
        "degradation": {"pairs": {}, "default": 0.1},
    }
    return json.dumps(document | changes)


def sparse(path: Path) -> None:
    """Make a file of 1 GB that takes no room."""
    with path.open("wb") as stream:
        stream.truncate(2**30)


def text(make: Callable[[], str]) -> Callable[[Path], None]:
    """Return what writes a text; it is made when it is needed."""
    return lambda path: (path.write_text(make(), encoding="utf-8"), None)[1]


def anchors() -> str:
    """Return a YAML document that would unfold to billions of nodes."""
    lines = (f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    return "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(lines)


MANY = range(900_000)
FILES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "json of 1 GB": ("i.json", sparse, "at most 32 MB, found '1,024.0 MB'"),
    "yaml of 1 GB": ("i.yaml", sparse, "at most 8 MB"),
    "aliases": ("i.yaml", text(anchors), "anchors and aliases"),
    "brackets": ("i.json", text(lambda: "[" * 100_000), "50 levels"),
    "yaml brackets": ("i.yaml", text(lambda: "[{a: " * 1_000_000), "50 levels"),
    "empty lists": ("i.json", text(lambda: "[" + "[]," * 10_000_000 + "[]]"), "at most 2,000,000 values"),
    "mappings": ("i.json", text(lambda: "[" + '{"a":{}},' * 400_000 + "{}]"), "at most 300,000 values"),
    "strings": ("i.json", text(lambda: "[" + '"ab",' * 1_900_000 + "1]"), "at most 300,000 values"),
    "keys": ("i.json", text(lambda: "{" + ",".join(f'"{i}":{{}}' for i in MANY[:600_000]) + "}"), "values"),
    "wide": ("i.json", text(lambda: '["\U0001f600' + "b" * 30_000_000 + '"]'), "at most 16 MB of text"),
    "one string": ("i.json", text(lambda: '["' + "b" * 30_000_000 + '"]'), "must be a mapping"),
    "yaml list": ("i.yaml", text(lambda: "- ab\n" * 1_600_000), "at most 500,000 values"),
    "yaml lines": ("i.yaml", text(lambda: "a: |\n" + " x\n" * 2_000_000), "version: is required"),
    "yaml comments": ("i.yaml", text(lambda: "# x\n" * 2_000_000), "must not be empty"),
    "degradation fields": (
        "i.json",
        text(lambda: instance(degradation=dict.fromkeys(map(str, MANY), 1))),
        "at most 300,000 values",
    ),
    "pairs": (
        "i.json",
        text(lambda: instance(degradation={"pairs": {"g": {"m0": dict.fromkeys(map(str, MANY), 0)}}})),
        "degradation.pairs.g.m0: must name a model",
    ),
    "missing pairs": (
        "i.json",
        text(lambda: instance(models=models(3500), degradation={"pairs": {}})),
        "degradation.g.m0.m1: is missing",
    ),
    "too many models": ("i.json", text(lambda: instance(models=models(5100))), "at most 25,000,000 degrad"),
    "overflow": ("i.json", text(lambda: instance(models=models(3500, weight=1e12))), "64-bit"),
    "resources": (
        "i.json",
        text(
            lambda: instance(
                models=models(500),
                machine_types=[{"name": "g", "count": 1, "resources": {f"r{i}": 1 for i in range(100_000)}}],
            )
        ),
        "at most 10,000,000 demands",
    ),
    "pins": (
        "i.json",
        text(
            lambda: instance(
                pinned=[{"name": f"p{i}", "machine_type": "g", "models": {"q": 1}} for i in range(50_000)]
            )
        ),
        "pinned[0].models: must name a model",
    ),
}


def all_of(cases: Iterable[str], alike: Set[str]) -> pytest.MarkDecorator:
    """Mark with every case; those alike to another one are for soak."""
    marked = [pytest.param(c, marks=[pytest.mark.soak] if c in alike else []) for c in cases]
    return pytest.mark.parametrize("what", marked)


@all_of(
    FILES,
    {
        "degradation fields",
        "keys",
        "yaml list",
        "pins",
        "pairs",
        "overflow",
        "mappings",
        "missing pairs",
        "resources",
        "strings",
    },
)
def test_an_instance(tmp_path: Path, what: str) -> None:
    name, make, words = FILES[what]
    make(tmp_path / name)
    message = refused("plan", tmp_path / name)
    assert words in message
    assert str(tmp_path / name) in message


GROUP = '{"machine_type":"g","machines":1,"models":{"m0":1}}'
HEAD = '{"version":1,"instance":{"name":"x"},"machines":['
PLANS: dict[str, tuple[Callable[[Path], None], str]] = {
    "1 GB": (sparse, "at most 512 MB, found '1,024.0 MB'"),
    "brackets": (text(lambda: HEAD + "[" * 100_000), "machines[0]: must not be nested deeper"),
    "numbers": (text(lambda: HEAD + "1," * 20_000_000), "machines[0]: must be a mapping, found 1"),
    "a long string": (text(lambda: '{"note":"' + "x" * 60_000_000), "note: must be at most 4 MB"),
    "other lists": (text(lambda: '{"models":[' + "{}," * 20_000_000), "at most 400,000 values besides"),
    "many groups": (text(lambda: HEAD + (GROUP + ",") * 1_000_000), "at most 100,000 groups"),
    "names": (
        text(lambda: HEAD + ",".join(GROUP.replace("m0", f"n{i}") for i in range(400_000))),
        "at most 100,000 groups",
    ),
}


@all_of(PLANS, {"names", "a long string", "many groups", "other lists"})
def test_a_plan(tmp_path: Path, what: str) -> None:
    make, words = PLANS[what]
    (tmp_path / "i.json").write_text(instance())
    make(tmp_path / "p.json")
    assert words in refused("check", tmp_path / "i.json", tmp_path / "p.json")


@pytest.mark.soak
def test_a_plan_of_too_many_names(tmp_path: Path) -> None:
    text(lambda: HEAD + ",".join(GROUP.replace("m0", f"n{i}") for i in range(400_000)))(tmp_path / "p.json")
    assert "machines[300000]: must not use more than 300,000" in refused("show", tmp_path / "p.json")


def test_a_csv_table_of_many_rows_for_one_pair(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text(instance(models=models(3000), degradation={"table": "t.csv"}))
    with (tmp_path / "t.csv").open("w") as stream:
        stream.write("machine_type,victim,aggressor,degradation\n" + "g,m1,m2,0.5\n" * 5_000_000)
    assert "row 2: must not repeat the pair of row 1" in refused("plan", tmp_path / "i.json")


def test_a_parquet_table_of_many_columns(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text(instance(degradation={"table": "t.parquet"}))
    pq.write_table(pa.table({f"c{i}": [1] for i in range(30_000)}), tmp_path / "t.parquet")
    assert "must have metadata of at most 4 MB" in refused("plan", tmp_path / "i.json")


def test_a_parquet_table_that_unpacks_to_much(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text(instance(models=models(3000), degradation={"table": "t.parquet"}))
    rows = 1_000_000
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), pa.array(["g" * 100])).cast(
        "string"
    )
    pq.write_table(
        pa.table({name: column for name in ("machine_type", "victim", "aggressor", "degradation")}),
        tmp_path / "t.parquet",
        use_dictionary=False,
        compression="zstd",
    )
    assert "must unpack to at most 256 MB" in refused("plan", tmp_path / "i.json")
