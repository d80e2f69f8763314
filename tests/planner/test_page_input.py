"""Whatever is not a result gets one message that names the file, and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.files import save_instance
from tests import tiny
from tests.planner.pages import Reader, run, save_comparison, save_pair

ROW: dict[str, Any] = {
    "instance": "pair",
    "solver": "greedy",
    "status": "feasible",
    "stop": "finished",
    "objective": 1.5,
    "ratio_to_best": 1.0,
    "bound": None,
    "gap": None,
    "gap_to_best_bound": None,
    "misses": 0,
    "machines_used": 2,
    "price": 6.0,
    "mean_degradation": 0.3,
    "worst_degradation": 0.4,
    "runtime_s": 0.1,
    "note": "",
}
VICTIM = {
    "machine_type": "gpu",
    "members": ["a", "b"],
    "model": "a",
    "predicted": 0.25,
    "measured": -0.1,
    "latency_ms": 9.0,
    "runs": 3,
}
PLAN: dict[str, Any] = {
    "name": "first",
    "replicas": 4,
    "alone": 0,
    "covered": 4,
    "predicted": 1.1,
    "measured": {"value": 1.25, "lower": 1.0, "upper": 1.5},
    "ratio": None,
    "models": [
        {
            "model": "a",
            "replicas": 2,
            "predicted": 0.25,
            "measured": 0.3,
            "latency_ms": 13.0,
            "slo_ms": 12.0,
            "missed": 2,
        }
    ],
}
VALIDATION: dict[str, Any] = {"plans": [PLAN], "control": None, "victims": [VICTIM], "excluded": 1}
SCORE = {
    "split": "pairs",
    "machine_type": "gpu",
    "method": "network",
    "rows": 9,
    "mae": 0.048,
    "slowdown_error": 0.04,
    "r2": -17.5,
    "r2_log": None,
    "spearman": None,
    "regret": 1.1,
    "covered_80": None,
    "covered_95": 0.95,
}
EVALUATION: dict[str, Any] = {
    "version": 1,
    "planner": "0.1.0",
    "table": "t.csv",
    "sha256": "0",
    "quantity": "mean latency",
    "pairs": 9,
    "seed": 0,
    "scores": [SCORE],
}
BAD: list[tuple[str, str]] = [
    ("", "must not be empty"),
    ("[1]", "must be a plan file, or what `planner compare`"),
    ("{}", "by its fields, found 'no fields'"),
    ('{"colour": 1}', "found 'colour'"),
    ('{"rows": 1', "line 1, column 11: is not valid JSON"),
    ('{"version": 1, "rows": []}', "rows: must have at least 1 entry"),
    (json.dumps({"version": 2, "rows": [ROW]}), "version: must be 1, found 2"),
    (json.dumps({"version": 1, "rows": [ROW | {"objective": "1"}]}), "rows[0].objective: must be a number"),
    (
        json.dumps({"version": 1, "rows": [ROW | {"status": "best"}]}),
        "rows[0].status: input should be 'optimal'",
    ),
    (json.dumps({"version": 1, "rows": [ROW | {"colour": 1}]}), "rows[0].colour: is not a known field"),
    (json.dumps(VALIDATION | {"plans": []}), "plans: must have at least 1 entry"),
    (
        json.dumps(VALIDATION | {"victims": [VICTIM | {"measured": "x"}]}),
        "victims[0].measured: must be a number",
    ),
    (json.dumps(EVALUATION | {"scores": [SCORE | {"mae": -1}]}), "scores[0].mae: must be at least 0"),
    ('{"machines": 3}', "machines: must be a list"),
    ('{"machines": [{"machines": 0}]}', "machines[0]"),
    ('{"rows": [1e999]}', "rows[0]: must be a number of at most 1e308"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=range(len(BAD)))
def test_what_is_no_result(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    result = run("report", path, "-o", tmp_path / "p.html")
    assert (result.exit_code, (tmp_path / "p.html").exists()) == (2, False), result.output
    assert result.stderr.startswith(f"error: {path}: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    instance, plan = save_pair(tmp_path)
    save_instance(tiny.two_types(), tmp_path / "other.yaml")
    out = tmp_path / "p.html"
    for arguments, words in (
        ((tmp_path / "none.json", "-o", out), "none.json: cannot be read"),
        ((instance, "-o", out), "pair.json: must be a plan file"),
        ((tmp_path, "-o", out), "must hold compare.json, validation.json or evaluation.json"),
        ((plan, "-o", tmp_path / "p.pdf"), "p.pdf: must be a .html file"),
        ((plan, "-o", tmp_path / "no" / "p.html"), "must be in a folder that exists"),
        (
            (plan, "--instance", tmp_path / "other.yaml", "-o", out),
            "other.yaml: is the instance of no result",
        ),
    ):
        result = run("report", *arguments)
        assert result.exit_code == 2, result.output
        assert words in result.stderr


def test_a_row_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "x.greedy.json").write_text("not JSON")
    rows = [ROW | {"instance": "../x"}]
    (tmp_path / "out" / "compare.json").write_text(json.dumps({"version": 1, "rows": rows}))
    assert run("report", tmp_path / "out", "-o", tmp_path / "p.html").exit_code == 0


def test_validation_and_evaluation_are_shown(tmp_path: Path) -> None:
    (tmp_path / "validation.json").write_text(json.dumps(VALIDATION))
    (tmp_path / "evaluation.json").write_text(json.dumps(EVALUATION))
    assert run("report", tmp_path, "-o", tmp_path / "p.html", "--figures", tmp_path / "f").exit_code == 0
    found = Reader((tmp_path / "p.html").read_text())
    assert (float(found.one("measured")), float(found.one("mae"))) == (1.25, 0.048)
    text = " ".join(found.words)
    assert "1.250 [1.000, 1.500]" in text
    assert "2 of 2" in text
    assert "Placement" not in {word.strip() for word in found.words}
    assert "gpu,a|b,a,0.25,-0.1,9.0,3" in (tmp_path / "f" / "validation-measured.csv").read_text()


def test_an_infeasible_instance_is_an_answer(tmp_path: Path) -> None:
    document = {
        "version": 1,
        "instance": {"name": "pair"},
        "status": "infeasible",
        "machines": [],
        "reasons": ["slots: 4 replicas, 2 slots"],
    }
    (tmp_path / "p.json").write_text(json.dumps(document))
    assert run("report", tmp_path / "p.json", "-o", tmp_path / "p.html").exit_code == 0
    words = {word.strip() for word in Reader((tmp_path / "p.html").read_text()).words}
    assert words >= {"No plan can exist.", "infeasible", "slots: 4 replicas, 2 slots"}
    assert not words & {"Objective", "Proven gap", "Machines used", "Placement"}


def test_a_plan_beside_its_comparison_is_one_result(tmp_path: Path) -> None:
    """It is the plan that was named, and what the page is about, though the comparison has a better one."""
    save_comparison(tmp_path)
    plan, out = tmp_path / "out" / "pair.least_loaded.json", tmp_path / "p.html"
    for order in ((plan, tmp_path / "out"), (tmp_path / "out", plan)):
        assert run("report", *order, "--instance", tmp_path / "pair.yaml", "-o", out).exit_code == 0
        found = Reader(out.read_text())
        assert [value for value, _ in found.data["row-objective"]] == ["1.000000", "1.600000"]
        assert float(found.one("objective")) == 1.6
