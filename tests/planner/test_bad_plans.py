"""Bad plan files of every kind get one clear message and exit code 2, from each command that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.planner.test_bad_input import GOOD, REMOVE, Where, changed, plan, refused, run

PLAN: dict[str, Any] = {
    "version": 1,
    "instance": {"name": "small"},
    "machines": [
        {"machine_type": "gpu", "machines": 1, "models": {"a": 2}},
        {"machine_type": "gpu", "machines": 1, "models": {"b": 2}},
    ],
}
G = "machines"
PLANS: list[tuple[Where, Any, str, str]] = [
    (("version",), 2, "version", "found 2"),
    (("colour",), 1, "colour", "not a known field"),
    (("instance",), {"name": "other"}, "instance.name", "another instance, not 'small', found 'other'"),
    (("instance", "sha256"), "0" * 64, "instance.sha256", "another instance"),
    (("instance", "sha256"), "x", "instance.sha256", "found 'x'"),
    ((G,), {}, "machines", "must be a list"),
    ((G, 0), 3, "machines[0]", "must be a mapping, found 3"),
    ((G, 0, "machine_type"), "tpu", "machines[0].machine_type", "found 'tpu'"),
    ((G, 0, "machine_type"), 3, "machines[0].machine_type", "must be text, found 3"),
    ((G, 0, "machine_type"), REMOVE, "machines[0].machine_type", "is required"),
    ((G, 0, "pinned"), "p", "machines[0].pinned", "found 'p'"),
    ((G, 0, "colour"), "red", "machines[0].colour", "not a known field, found 'red'"),
    ((G, 0, "machines"), 1.5, "machines[0].machines", "found 1.5"),
    ((G, 0, "machines"), True, "machines[0].machines", "found True"),
    ((G, 0, "machines"), 0, "machines[0].machines", "found 0"),
    ((G, 0, "machines"), -1, "machines[0].machines", "found -1"),
    ((G, 0, "machines"), 10**12, "machines[0].machines", "found 1000000000000"),
    ((G, 0, "models"), {}, "machines[0].models", "at least one model"),
    ((G, 0, "models"), {"c": 1}, "machines[0].models", "found 'c'"),
    ((G, 0, "models"), {"a": 0.5}, "machines[0].models.a", "found 0.5"),
    ((G, 0, "models"), {"a": "2"}, "machines[0].models.a", "found '2'"),
    ((G, 0, "models"), {"a": None}, "machines[0].models.a", "whole number"),
    (("objective",), "1", "objective", "must be a number, found '1'"),
    (("objective",), -1, "objective", "found -1"),
    (("objective",), 1.0000001, "objective", "6 decimal places"),
    (("bound",), True, "bound", "found True"),
    (("status",), "best", "status", "found 'best'"),
    (("gap",), "0 %", "gap", "found '0 %'"),
]


PLAN_TEXTS: list[tuple[str | bytes, str, str]] = [
    ("", "q.json: ", "must not be empty"),
    ("[]", "q.json: ", "must be a mapping, found []"),
    ("nothing", "q.json: line 1, column 1", "not valid JSON"),
    ("\0" * 9, "q.json: line 1, column 1", "a NUL character"),
    (b"\xff\xfe{", "q.json: byte 1", "must be UTF-8 text"),
    (b'{"note": "' + b"x" * 3_000_000 + b'\xff"}', "q.json: byte 3000011", "must be UTF-8 text"),
    ('{"version": 1, "version": 1}', "q.json: version", "twice"),
    ('{"machines": [{"machines": 1, "machines": 1}]}', "q.json: machines[0].machines", "twice"),
    ('{"objective": 1e400}', "q.json: objective", "1e308, found '1e400'"),
    ('{"objective": 1e-99999999999999999999}', "q.json: objective", "at least 1e-308"),
    ('{"seed": ' + "9" * 5000 + "}", "q.json: seed", "at most 40 digits"),
    ('{\n\n"a": 1 "b": 2}', "q.json: line 3, column 8", "expecting ',' or '}'"),
    ('{"a": [1, 2', "q.json: line 1, column 12", "expecting ',' or ']', found 'the end of the line'"),
    ("{}x", "q.json: line 1, column 3", "extra data, found 'x'"),
]


@pytest.mark.parametrize(("text", "field", "words"), PLAN_TEXTS, ids=range(len(PLAN_TEXTS)))
def test_texts_of_plans(tmp_path: Path, text: str | bytes, field: str, words: str) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    (tmp_path / "q.json").write_bytes(text.encode() if isinstance(text, str) else text)
    refused(run("check", tmp_path / "i.json", tmp_path / "q.json"), field, words)
    refused(run("show", tmp_path / "q.json"), field, words)


@pytest.mark.parametrize(("where", "value", "field", "words"), PLANS)
def test_plans(tmp_path: Path, where: Where, value: Any, field: str, words: str) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    (tmp_path / "q.json").write_text(json.dumps(changed(PLAN, where, value)))
    refused(run("check", tmp_path / "i.json", tmp_path / "q.json"), f"q.json: {field}", words)
    refused(plan(tmp_path, GOOD, "i.json", "--start", str(tmp_path / "q.json")), f"q.json: {field}", words)


def test_an_extra_replica(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(json.dumps(changed(PLAN, (G, 0, "models"), {"a": 2, "b": 1})))
    result = plan(tmp_path, GOOD, "i.json", "--start", str(path))
    refused(result, "q.json", "breaks the rule replicas: b: 3 replicas placed, has 2")
    checked = run("check", tmp_path / "i.json", path)
    assert (checked.exit_code, checked.stderr) == (1, "")
    assert "b: 3 replicas placed, has 2" in checked.stdout


def test_an_instance_for_a_plan_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "i.json").write_text(GOOD)
    refused(run("show", tmp_path / "i.json"), "i.json: instance", "is required")
    refused(plan(tmp_path, json.dumps(PLAN)), "i.json: ", "is required")
    (tmp_path / "p.yaml").write_text("version: 1")
    refused(run("show", tmp_path / "p.yaml"), "p.yaml", "must be a .json file, found '.yaml'")
