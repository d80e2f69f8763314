"""Bad input of every kind gets one clear message and exit code 2, and leaves no file behind."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from planner.cli import app

INSTANCE: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "machine_types": [{"name": "gpu", "count": 4, "slots": 2, "resources": {"gb": 16}, "price": 2}],
    "models": [
        {"name": "a", "replicas": 2, "latency_ms": {"gpu": 10}, "demand": {"gb": 4}, "slo_ms": 15},
        {"name": "b", "replicas": 2, "latency_ms": {"gpu": 20}},
    ],
    "degradation": {"pairs": {"gpu": {"a": {"a": 0.1, "b": 0.2}, "b": {"a": 0.3, "b": 0.4}}}},
}
REMOVE = object()
Where = tuple[str | int, ...]


def changed(document: dict[str, Any], where: Where, value: Any) -> dict[str, Any]:
    """Return the document with one field set or removed."""
    result = copy.deepcopy(document)
    inner: Any = result
    for part in where[:-1]:
        inner = inner[part]
    if value is REMOVE:
        del inner[where[-1]]
    elif where[-1] == "append":
        inner.append(value)
    else:
        inner[where[-1]] = value
    return result


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result, *words: str) -> None:
    """Check that there is one message with these words, exit code 2, and nothing on stdout."""
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


def plan(folder: Path, text: str | bytes, name: str = "i.json", *more: str) -> Result:
    """Plan an instance of this content; check that no plan is written."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    before = set(os.listdir(folder))
    result = run("plan", path, "--solver", "first_fit", "-o", folder / "p.json", *more)
    assert set(os.listdir(folder)) == before
    return result


M, T, D = "models", "machine_types", "degradation"
PAIRS: Where = (D, "pairs", "gpu", "a", "b")
FIELDS: list[tuple[Where, Any, str, str]] = [
    (("colour",), "red", "colour", "'red'"),
    ((M, 0, "slots"), 3, "models[0].slots", "not a known field"),
    ((M, 0, "slo"), 3, "models[0].slo", "did you mean 'slo_ms'"),
    ((T, 0, "background"), {"gb": 1}, "machine_types[0].background.gb", "1"),
    (("version",), 2, "version", "must be 1, found 2"),
    (("version",), True, "version", "found True"),
    (("version",), "1", "version", "found '1'"),
    (("version",), REMOVE, "version", "is required"),
    (("name",), "", "name", "must not be empty"),
    (("name",), 7, "name", "must be text, found 7"),
    (("name",), "a\nb", "name", "control characters"),
    (("name",), " a", "name", "start or end with a space"),
    ((M, 0, "name"), "a\x1b[31mb", "models[0].name", r"'a\x1b[31mb'"),
    ((M, 0, "name"), "a\x07b", "models[0].name", "control characters"),
    ((M, 0, "name"), "a\x7fb", "models[0].name", "control characters"),
    ((M, 0, "name"), "a\x9b31mb", "models[0].name", "control characters"),
    ((T, 0, "name"), "gp\u202eu", "machine_types[0].name", "direction of text"),
    ((T, 0, "name"), "gp\u2066u", "machine_types[0].name", "direction of text"),
    ((T, 0, "name"), "gp\u2028u", "machine_types[0].name", "control characters"),
    ((T, 0, "name"), "gp\ufeffu", "machine_types[0].name", "control characters"),
    ((T, 0, "name"), "g" * 201, "machine_types[0].name", "at most 200 characters"),
    ((M,), [], "models", "at least 1"),
    ((M,), {}, "models", "must be a list"),
    ((M, 1), "b", "models[1]", "must be a mapping, found 'b'"),
    ((M, 1, "name"), "a", "models[1].name", "must be unique, found 'a'"),
    ((T, "append"), {"name": "gpu", "count": 1}, "machine_types[1].name", "must be unique, found 'gpu'"),
    ((M, 0, "latency_ms"), REMOVE, "models[0].latency_ms", "is required"),
    ((M, 0, "latency_ms"), {}, "models[0].latency_ms", "at least one machine type"),
    ((M, 0, "latency_ms"), {"tpu": 1}, "models[0].latency_ms", "found 'tpu'"),
    ((M, 0, "latency_ms", "gpu"), 0, "models[0].latency_ms.gpu", "greater than 0, found 0"),
    ((M, 0, "latency_ms", "gpu"), True, "models[0].latency_ms.gpu", "must be a number, found True"),
    ((M, 0, "latency_ms", "gpu"), "10", "models[0].latency_ms.gpu", "found '10'"),
    ((M, 0, "latency_ms", "gpu"), None, "models[0].latency_ms.gpu", "found 'nothing'"),
    ((M, 0, "replicas"), 1.5, "models[0].replicas", "whole number, found 1.5"),
    ((M, 0, "replicas"), True, "models[0].replicas", "whole number, found True"),
    ((M, 0, "replicas"), 0, "models[0].replicas", "at least 1, found 0"),
    ((M, 0, "replicas"), -3, "models[0].replicas", "at least 1, found -3"),
    ((M, 0, "replicas"), 10**30, "models[0].replicas", "at most 1e+09"),
    ((M, 0, "weight"), -0.5, "models[0].weight", "at least 0, found -0.5"),
    ((M, 0, "demand"), {"watts": 1}, "models[0].demand", "found 'watts'"),
    ((M, 0, "demand_on"), {"tpu": {}}, "models[0].demand_on", "found 'tpu'"),
    ((M, 1, "miss_price"), 1, "models[1].miss_price", "needs slo_ms"),
    ((M, 0, "slo_ms"), 1e300, "models[0].slo_ms", "at most 1e+09"),
    ((T, 0, "count"), -1, "machine_types[0].count", "at least 0, found -1"),
    ((T, 0, "slots"), 2.0, "machine_types[0].slots", "found 2.0"),
    ((T, 0, "price"), [2], "machine_types[0].price", "found [2]"),
    ((D,), REMOVE, "degradation", "is required"),
    ((D,), {}, "degradation", "exactly one of 'table' and 'pairs'"),
    ((D, "table"), "t.csv", "degradation", "exactly one of 'table' and 'pairs'"),
    ((*PAIRS,), REMOVE, "degradation.gpu.a.b", "is missing"),
    ((*PAIRS,), -0.1, "degradation.pairs.gpu.a.b", "found -0.1"),
    ((*PAIRS,), "0.1", "degradation.pairs.gpu.a.b", "found '0.1'"),
    ((*PAIRS,), True, "degradation.pairs.gpu.a.b", "found True"),
    ((*PAIRS,), None, "degradation.pairs.gpu.a.b", "a number"),
    ((*PAIRS,), 1e300, "degradation.pairs.gpu.a.b", "found 1e+300"),
    ((D, "pairs", "gpu", "a", "c"), 0.1, "degradation.pairs.gpu.a", "found 'c'"),
    ((D, "pairs", "tpu"), {}, "degradation.pairs", "found 'tpu'"),
    ((D, "pairs", "gpu"), [0.1], "degradation.pairs.gpu", "must be a mapping"),
    ((D, "default"), -1, "degradation.default", "found -1"),
    (("rules",), {"keep_appart": []}, "rules.keep_appart", "did you mean 'keep_apart'"),
    (("rules",), {"keep_apart": [["a", "c"]]}, "rules.keep_apart[0]", "found 'c'"),
    (("rules",), {"keep_apart": [["a"]]}, "rules.keep_apart[0]", "at least two models"),
    (("rules",), {"max_per_machine": {"a": 0.5}}, "rules.max_per_machine.a", "found 0.5"),
    (("rules",), {"allow": {"a": ["tpu"]}}, "rules.allow.a", "found 'tpu'"),
    (("pinned",), [{"name": "p", "machine_type": "gpu", "models": {"a": 3}}], "pinned[0].models.a", "3"),
    (("pinned",), [{"name": "p", "machine_type": "tpu"}], "pinned[0].machine_type", "found 'tpu'"),
    (("objective",), "speed", "objective", "found 'speed'"),
    (("objective",), {"speed": 1}, "objective.speed", "not a known field"),
    (("objective",), {"degradation": 0}, "objective", "positive weight"),
    ((T, 0, "resources", "gb"), 1e12, "machine_types.resources", "64-bit"),
]


@pytest.mark.parametrize(("where", "value", "field", "words"), FIELDS)
def test_fields(tmp_path: Path, where: Where, value: Any, field: str, words: str) -> None:
    refused(plan(tmp_path, json.dumps(changed(INSTANCE, where, value))), f"i.json: {field}", words)


def test_several_problems_are_counted(tmp_path: Path) -> None:
    document = changed(changed(INSTANCE, (M, 0, "replicas"), 0), (T, 0, "count"), "x")
    refused(plan(tmp_path, json.dumps(document)), "machine_types[0].count", "(1 more problem in this file)")


GOOD = json.dumps(INSTANCE)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: {x: 1}\nb: {<<: [{y: 1}, {z: 2}]}\n"
TEXTS: list[tuple[str, str | bytes, str, str]] = [
    ("i.yaml", BOMB, "a (line 1, column 4)", "anchors and aliases are not allowed, found 'a'"),
    ("i.yaml", MERGES, "b (line 2, column 5)", "merge keys are not allowed, found '<<'"),
    ("i.yaml", "a: !!python/object/apply:os.system [ls]", "a (line 1", "tags are not allowed"),
    ("i.yaml", GOOD + "\n---\n" + GOOD, "line 2", "one document"),
    ("i.yaml", "[" * 100_000, "line 1, column 51", "50 levels"),
    ("i.yaml", GOOD.replace('"gpu": 10', '"gpu": .nan'), "models[0].latency_ms.gpu", "found '.nan'"),
    ("i.yaml", GOOD.replace('"gpu": 10', '"gpu": 1e400'), "models[0].latency_ms.gpu", "found '1e400'"),
    ("i.yaml", GOOD.replace('"replicas": 2', '"replicas": yes'), "models[0].replicas", "found 'yes'"),
    ("i.yaml", "name: a\nname: b", "line 2, column 1", "must not appear twice, found 'name'"),
    ("i.yaml", "", "i.yaml", "must not be empty"),
    ("i.yaml", "just text", "i.yaml", "must be a mapping, found 'just text'"),
    ("i.yaml", "a: [", "line", "not valid YAML"),
    ("i.json", "[" * 100_000, "line 1, column 51", "50 levels"),
    ("i.json", "[" * 900 + "]" * 900, "i.json", "must be a mapping"),
    ("i.json", GOOD.replace('"gpu": 10', '"gpu": NaN'), "models[0].latency_ms.gpu", "found 'NaN'"),
    ("i.json", GOOD.replace('"gpu": 10', '"gpu": 1e400'), "models[0].latency_ms.gpu", "found '1e400'"),
    ("i.json", GOOD.replace('"gpu": 10', '"gpu": ' + "9" * 5000), "models[0].latency_ms.gpu", "digits"),
    ("i.json", GOOD.replace('"replicas"', '"name": "c", "replicas"'), "models[0].name", "twice"),
    ("i.json", "", "i.json", "must not be empty"),
    ("i.json", "null", "i.json", "must be a mapping"),
    ("i.json", GOOD[:-1], "line 1", "not valid JSON"),
    ("i.json", bytes(range(256)), "byte", "UTF-8"),
    ("i.json", '{"version": 1, "name": "\\ud800"}', "name", "broken characters"),
    ("i.json", json.dumps({str(i): i for i in range(400_000)}), "i.json", "at most 300,000 values"),
    ("i.json", json.dumps({str(i): i for i in range(20_000)}), "i.json", "has 20,005 problems"),
    ("i.toml", "version = 1", "i.toml", "must be a .yaml, .yml or .json file, found '.toml'"),
]


@pytest.mark.parametrize(("name", "text", "field", "words"), TEXTS, ids=range(len(TEXTS)))
def test_texts(tmp_path: Path, name: str, text: str | bytes, field: str, words: str) -> None:
    refused(plan(tmp_path, text, name), name, field, words)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    refused(run("plan", tmp_path / "none.json"), "none.json", "no such file")
    refused(run("plan", tmp_path), "must be a .yaml")
    (tmp_path / "folder.yaml").mkdir()
    refused(run("check", tmp_path / "folder.yaml", tmp_path / "p.json"), "folder.yaml", "a directory")
    os.mkfifo(tmp_path / "pipe.json")
    refused(run("show", tmp_path / "pipe.json"), "pipe.json", "a pipe")


HEAD = "machine_type,victim,aggressor,degradation\n"
TABLES: list[tuple[str, str | bytes, str, str]] = [
    ("../t.csv", HEAD, "i.json: degradation.table", "without '..', found '../t.csv'"),
    ("/etc/hosts.csv", HEAD, "i.json: degradation.table", "found '/etc/hosts.csv'"),
    ("link.csv", HEAD, "i.json: degradation.table", "through a link, found 'link.csv'"),
    ("t.txt", HEAD, "i.json: degradation.table", "must be a .csv or .parquet file, found 't.txt'"),
    ("none.csv", HEAD, "none.csv", "no such file"),
    ("t.csv", HEAD + "gpu,a,x,0.5\n", "t.csv: row 1, column aggressor", "found 'x'"),
    (
        "t.csv",
        HEAD + "gpu,a,b,0.5\ngpu,a,b,0.5\n",
        "t.csv: row 2",
        "the pair of row 1, found 'gpu, a, b'",
    ),
    ("t.csv", HEAD + "gpu,a,b,fast\n", "t.csv: row 1, column degradation", "found 'fast'"),
    ("t.csv", HEAD + "gpu,a,b,-1\n", "t.csv: row 1, column degradation", "found '-1'"),
    ("t.csv", HEAD + "gpu,a,b\n", "t.csv: row 1", "4 values"),
    ("t.csv", "machine_type,victim,aggressor\ngpu,a,b\n", "t.csv: degradation", "required column"),
    ("t.csv", HEAD + "gpu,a,b,0.5\n", "degradation.gpu.a.a", "is missing"),
    ("t.csv", HEAD + "gpu,a,b,0.5\n" * 5, "t.csv", "at most 4 rows"),
    ("t.csv", HEAD + "gpu,a,b,nan\n", "t.csv: row 1, column degradation", "found 'nan'"),
    ("t.csv", HEAD + "gpu,a,b,1e400\n", "t.csv: row 1, column degradation", "found '1e400'"),
    ("t.csv", HEAD + "gpu,a,b,\n", "t.csv: row 1, column degradation", "found ''"),
    ("t.csv", HEAD + "gpu,a,b,1,5\n", "t.csv: row 1", "has 5, found 'gpu,a,b,1,5'"),
    ("t.csv", HEAD.replace("victim", "aggressor"), "t.csv: victim", "required column"),
    ("t.csv", HEAD.replace("degradation", "victim,degradation"), "t.csv: victim", "appears twice"),
    ("t.csv", HEAD.replace(",", ";"), "t.csv: machine_type", "required column"),
    ("t.csv", HEAD + 'gpu,a,b,"' + "x" * 3_000_000, "t.csv", "rows of at most 1 MB"),
    ("t.csv", "," * 1_000_000 + "\n", "t.csv: header", "at most 1,000 columns"),
    ("t.csv", '"' + "\n" * 1_000_000, "t.csv: header", "at most 64 kB"),
    ("t.csv", "", "t.csv", "must not be empty"),
    ("t.csv", "\0" * 100, "t.csv: byte 1", "a NUL character"),
    ("t.csv", HEAD.encode("utf-16"), "t.csv: byte 1", "must be UTF-8 text"),
    ("t.csv", b"\x89PNG" * 100, "t.csv: byte 1", "must be UTF-8 text"),
    ("t.parquet", b"PAR1 not really PAR1", "t.parquet", "cannot be read as a table"),
]


@pytest.mark.parametrize(("name", "text", "field", "words"), TABLES, ids=range(len(TABLES)))
def test_tables(tmp_path: Path, name: str, text: str | bytes, field: str, words: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "t.csv").write_text(HEAD)
    (home / "link.csv").symlink_to(tmp_path / "t.csv")
    if name in ("t.csv", "t.parquet"):
        (home / name).write_bytes(text.encode() if isinstance(text, str) else text)
    refused(plan(home, json.dumps(changed(INSTANCE, (D,), {"table": name}))), field, words)


def test_a_parquet_file_of_too_many_rows(tmp_path: Path) -> None:
    rows = 100_000
    columns = {"machine_type": ["gpu"] * rows, "victim": ["a"] * rows, "aggressor": ["b"] * rows}
    pq.write_table(pa.table({**columns, "degradation": [0.5] * rows}), tmp_path / "t.parquet")
    document = changed(INSTANCE, (D,), {"table": "t.parquet"})
    refused(plan(tmp_path, json.dumps(document)), "t.parquet", "at most 4 rows", "100,000")


Outputs = Callable[[Path], str]
OUTPUTS: list[tuple[Outputs, str]] = [
    (lambda folder: f"{folder}/none/p.json", "a folder that exists"),
    (lambda folder: f"{folder}/i.json/p.json", "a folder that exists"),
    (lambda folder: f"{folder}/p.yaml", "must be a .json file, found '.yaml'"),
    (lambda folder: f"{folder}/folder.json", "must not be a directory"),
    (lambda folder: f"{folder}/{'p' * 300}.json", "cannot be written"),
    (lambda _: "/proc/p.json", "cannot be written"),
]


@pytest.mark.parametrize(("output", "words"), OUTPUTS)
def test_outputs(tmp_path: Path, output: Outputs, words: str) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    (tmp_path / "folder.json").mkdir()
    name = output(tmp_path)
    result = run("plan", tmp_path / "i.json", "--solver", "first_fit", "-o", name)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {name}: ")
    assert words in result.stderr
    assert sorted(os.listdir(tmp_path)) == ["folder.json", "i.json"]


FLAGS: list[tuple[tuple[str, ...], str]] = [
    (("--solver", "magic"), "error: --solver: must be one of auto, "),
    (("--time-limit", "0"), "error: --time-limit: must be a positive number of seconds, found 0.0"),
    (("--time-limit", "nan"), "error: --time-limit: must be a positive number of seconds, found nan"),
    (("--time-limit", "inf"), "error: --time-limit: must be a positive number of seconds, found inf"),
    (("--seed", "-1"), "error: --seed: must be from 0 to 2^31 - 1, found -1"),
    (("--write-model", "m.txt"), "error: --write-model: must end in .lp or .mps, found"),
    (("--write-model", "none/m.lp"), "error: none/m.lp: must be in a folder that exists"),
    (("--time-limit", "soon"), "Invalid value for '--time-limit'"),
    (("--seed", "1.5"), "Invalid value for '--seed'"),
    (("--colour",), "No such option: --colour"),
    (("more.json",), "unexpected extra argument"),
]


@pytest.mark.parametrize(("flags", "words"), FLAGS)
def test_flags(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    result = run("plan", tmp_path / "i.json", "-o", tmp_path / "p.json", "--solver", "first_fit", *flags)
    assert (result.exit_code, result.stdout, os.listdir(tmp_path)) == (2, "", ["i.json"])
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fly",), "No such command 'fly'"),
        (("plan",), "Missing argument"),
        (("check", "i.json"), "Missing argument"),
        (("compare", "i.json", "--solver", "magic"), "error: --solver: must be one of"),
        (("compare", "i.json", "-o", "i.json"), "error: i.json: cannot be written"),
        (("compare", "none.json"), "error: none.json: cannot be read"),
        (("generate",), "Missing option '-o'"),
        (("generate", "-o", "g.txt"), "error: g.txt: must be a .yaml, .yml or .json file"),
        (("generate", "-o", "none/g.yaml"), "error: none/g.yaml: must be in a folder that exists"),
        (("generate", "-o", "g.yaml", "--models", "0"), "error: --models: "),
        (("generate", "-o", "g.yaml", "--objective", "speed"), "error: --objective: "),
        (("generate", "-o", "g.yaml", "--name", "a\x1bb"), "error: --name: "),
        (("generate", "-o", "g.yaml", "--models", "8000", "--replicas", "8000"), "25,000,000 degradations"),
        (("generate", "-o", "g.yaml", "--machines", "9" * 30), "error: --machines: must be from"),
        (("generate", "-o", "g.yaml", "--machines", "2"), "error: --machines: must be from"),
        (("generate", "-o", "g.yaml", "--tightness", "1e-300"), "error: --tightness: must be from 0.01"),
        (("generate", "-o", "g.yaml", "--tightness", "nan"), "error: --tightness: "),
        (("generate", "-o", "g.yaml", "--heterogeneity", "nan"), "error: --heterogeneity: "),
        (("generate", "-o", "g.yaml", "--slots", "6", "4"), "error: --slots: must be LOW HIGH"),
        (("generate", "-o", "g.yaml", "--seed", "-1"), "error: --seed: must be from 0"),
        (("generate", "-o", "g.yaml", "--feasible", "--machines", "3"), "leaves no room"),
    ],
)
def test_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert (result.exit_code, result.stdout, os.listdir(tmp_path)) == (2, "", ["i.json"])
    assert words in result.stderr
