"""`planner explain` answers about plans and about instances without one: output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import solvers
from planner.cli import app
from planner.files import save_instance
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_files import plan_document, save_document
from planner.result import Result as Solved
from planner.result import Status, Stop
from tests.tiny import plan, with_model, with_type


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["explain", *(str(argument) for argument in arguments)])


@pytest.fixture
def path(tmp_path: Path, pair: Instance) -> Path:
    """The file of :func:`tests.tiny.pair`."""
    save_instance(pair, tmp_path / "pair.yaml")
    return tmp_path / "pair.yaml"


def saved(path: Path, instance: Instance, before: Plan) -> Path:
    """Return the file of a plan."""
    solved = Solved(Status.FEASIBLE, Stop.FINISHED, "hand", 0, plan=before)
    save_document(path.with_name("plan.json"), plan_document(instance, solved))
    return path.with_name("plan.json")


def test_a_plan(path: Path, pair: Instance, mixed: Plan) -> None:
    file = saved(path, pair, mixed)
    result = run(path, file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("pair: feasible by hand")
    assert "Moves and exchanges that improve it most" in result.stdout
    assert f"planner explain {path} {file} --model a" in result.stdout


def test_a_model_and_a_machine(path: Path, pair: Instance, mixed: Plan) -> None:
    file = saved(path, pair, mixed)
    assert run(path, file, "--model", "a").stdout.startswith("a: 2 replicas, lives on 1 group of machines\n")
    assert "gpu#1: 2 machines with a + b: cost of each 0.55" in run(path, file, "--machine", "gpu#1").stdout


@pytest.mark.parametrize("question", [(), ("--model", "b"), ("--machine", "gpu")])
def test_json_is_one_document(path: Path, pair: Instance, mixed: Plan, question: tuple[str, ...]) -> None:
    result = run(path, saved(path, pair, mixed), *question, "--json")
    found = json.loads(result.stdout)
    what = question[0].lstrip("-") if question else "whole"
    assert {*found} == {"version", "instance", "solver", "status", "objective", "bound", what}


def test_a_plan_that_breaks_rules_is_refused(path: Path, pair: Instance) -> None:
    file = saved(path, pair, plan(pair, "gpu: 2 a + 1 b", "gpu: 1 b"))
    result = run(path, file)
    assert result.exit_code == 1
    assert (
        "the plan is refused, 1 violation\n  slots: 1 x gpu with 2 x a + 1 x b: 3 replicas" in result.stdout
    )
    data = json.loads(run(path, file, "--json").stdout)
    assert [v["rule"] for v in data["violations"]] == ["slots"]


def test_without_a_plan_one_is_made(path: Path) -> None:
    result = run(path, "--time-limit", 6, "--model", "b")
    assert result.exit_code == 0
    assert result.stdout.startswith("pair: optimal by auto")
    assert "made for this answer" in result.stdout
    assert "costs     0.8: without this replica the objective would be 0.2" in result.stdout


def test_an_infeasible_instance(tmp_path: Path, pair: Instance) -> None:
    """Four machines with one slot each are enough, but a takes 10 ms alone and may take 9.5."""
    instance = with_model(with_type(pair, "gpu", slots=1, count=4), "a", slo_ms=9.5)
    save_instance(instance, tmp_path / "i.yaml")
    result = run(tmp_path / "i.yaml", "--time-limit", 20)
    assert result.exit_code == 3
    assert "a runs nowhere: on gpu it takes 10 ms alone, SLO 9.5 ms, short by 0.5 ms" in result.stdout
    assert "the SLO of a 0.5 ms longer: 10 ms instead of 9.5 ms (0.499 ms is not enough)" in result.stdout
    assert "every hard SLO 6 % longer (5 % is not enough)" in result.stdout
    assert "Not enough alone: more gpu (not even 4); fewer replicas of a (not even 1)" in result.stdout
    assert "trying more gpu" in result.stderr
    data = json.loads(run(tmp_path / "i.yaml", "--time-limit", 20, "--json").stdout)
    assert (data["instance"]["name"], data["status"]) == ("pair", "infeasible")
    slo = {"kind": "slo", "what": "a", "suffices": 0.5, "not_enough": 0.499, "decided": True}
    assert slo.items() <= next(c for c in data["changes"] if c["kind"] == "slo").items()


def test_neither_a_plan_nor_a_proof(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tired(instance: Instance, solver: str, **_: Any) -> Solved:
        return Solved(Status.NO_PLAN, Stop.TIME_LIMIT, solver, 0)

    monkeypatch.setattr(solvers, "solve", tired)
    result = run(path)
    assert result.exit_code == 4
    assert "no plan was found, and no proof that there is none" in result.stdout
    assert json.loads(run(path, "--json").stdout) == {"version": 1, "status": "no_plan"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "c"), "error: --model: must name a model of the instance, found 'c'"),
        (("--machine", "tpu"), "error: --machine: must be a machine type or a group of its machines (gpu)"),
        (("--time-limit", "0"), "error: --time-limit: must be a positive number of seconds, found 0.0"),
        (("--time-limit", "nan"), "error: --time-limit: must be a positive number of seconds, found nan"),
    ],
)
def test_bad_usage(path: Path, pair: Instance, mixed: Plan, arguments: tuple[str, ...], message: str) -> None:
    result = run(path, saved(path, pair, mixed), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_a_plan_of_another_instance(path: Path, pair: Instance, mixed: Plan) -> None:
    file = saved(path, pair.replace(name="other"), mixed)
    result = run(path, file)
    assert result.exit_code == 2
    assert "is a plan for another instance" in result.stderr
