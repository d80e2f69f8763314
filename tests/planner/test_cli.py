"""The command does what its help says: output, files and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import solvers
from planner.cli import app
from planner.errors import SolverError
from planner.files import load_instance, load_plan, save_instance
from planner.instance import InferenceModel, Instance
from planner.result import Stop
from solvers.run import Outcome, Run, Solver
from tests import tiny
from tests.solvers import naughty

COMMANDS = ("plan", "check", "compare", "show", "report", "generate", "solvers", "schema")
Register = Callable[[Solver], str]


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def path(tmp_path: Path, pair: Instance) -> Path:
    """The file of :func:`tiny.pair`."""
    save_instance(pair, tmp_path / "pair.yaml")
    return tmp_path / "pair.yaml"


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Return a function that enters a solver into the registry under the name ``fake``."""

    def enter(function: Solver) -> str:
        monkeypatch.setitem(solvers.SOLVERS, "fake", solvers.Entry("", True, "for this test"))
        monkeypatch.setitem(solvers._loaded, "fake", function)
        return "fake"

    return enter


def best(_: Instance, run: Run) -> Outcome:
    """Return the best plan of :func:`tiny.pair`."""
    run.report(objective=1_100_000, bound=5)
    return Outcome(plan=naughty.separate(), bound=1_000_000, note="picked nothing")


def test_help_is_quick() -> None:
    slow = ("numpy", "pydantic", "pyarrow", "yaml", "rich.console", "numba")
    code = f"import sys, planner.cli; print([m for m in {slow!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_help_lists_every_command_and_the_exit_codes() -> None:
    text = run("--help").output
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "3 proven infeasible" in text
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0


def test_version() -> None:
    assert run("--version").output.startswith("planner ")


def test_plan_shows_and_writes(path: Path, tmp_path: Path, register: Register) -> None:
    result = run("plan", path, "--solver", register(best), "-o", tmp_path / "p.json", "--progress", "plain")
    assert result.exit_code == 0
    for words in (
        "pair: optimal by fake",
        "picked nothing",
        "objective 1, bound 1, gap 0 %",
        "mean 25.0 %, worst 40.0 %",
        "4 replicas on 2 machines, price 6, no SLO is missed",
        "2 x a",
        "b 100 %",
    ):
        assert words in result.stdout
    assert "incumbent 1.1  bound 0.000005  gap 100 %  60 s left" in result.stderr
    assert load_plan(tmp_path / "p.json", load_instance(path)) == naughty.separate()


def test_progress_is_for_terminals_unless_it_is_asked_for(path: Path, register: Register) -> None:
    command = ("plan", path, "--solver", register(best), "--json")
    assert run(*command).stderr == run(*command, "--progress", "none").stderr == ""
    result = run(*command, "--progress", "json")
    assert json.loads(result.stdout)["objective"] == 1.0
    seen = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(p["instance"], p["solver"], p["objective"], p["bound"]) for p in seen] == [
        ("pair", "fake", 1.1, 0.000005),
        ("pair", "fake", 1.0, 1.0),
    ]
    refused = run(*command, "--progress", "loud")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "'auto', 'json', 'plain', 'none'" in refused.stderr


def test_plan_as_json(path: Path, register: Register) -> None:
    result = run("plan", path, "--solver", register(best), "--json", "--seed", 4)
    found = json.loads(result.stdout)
    assert (found["status"], found["objective"], found["seed"]) == ("optimal", 1.0, 4)
    assert found["machines"][0] == {"machine_type": "gpu", "machines": 1, "models": {"a": 2}}


@pytest.mark.parametrize("solver", ["greedy", "first_fit"])
def test_plan_check_and_show_agree(path: Path, tmp_path: Path, solver: str) -> None:
    plan = tmp_path / "p.json"
    assert run("plan", path, "--solver", solver, "-o", plan, "--time-limit", 5).exit_code == 0
    claimed = json.loads(plan.read_text())["objective"]
    checked = run("check", path, plan, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["objective"] == claimed
    assert f"objective {claimed:g}" in run("show", plan).stdout


def test_plan_from_a_start(path: Path, tmp_path: Path, register: Register) -> None:
    def nothing(_: Instance, run: Run) -> Outcome:
        return Outcome(stop=Stop.TIME_LIMIT)

    run("plan", path, "--solver", register(best), "-o", tmp_path / "p.json")
    result = run("plan", path, "--solver", register(nothing), "--start", tmp_path / "p.json", "--json")
    assert (result.exit_code, json.loads(result.stdout)["objective"]) == (0, 1.0)


def test_infeasible(tmp_path: Path, pair: Instance, register: Register) -> None:
    save_instance(tiny.with_type(pair, "gpu", slots=1), tmp_path / "i.yaml")
    solver = register(best)
    result = run("plan", tmp_path / "i.yaml", "--solver", solver, "-o", tmp_path / "p.json")
    assert (result.exit_code, os.listdir(tmp_path)) == (3, ["i.yaml"])
    assert "pair: infeasible" in result.stdout
    assert "slots" in result.stdout
    result = run("plan", tmp_path / "i.yaml", "--solver", solver, "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (3, "infeasible")
    assert "slots" in json.loads(result.stdout)["reasons"][0]


def test_no_plan_in_time(path: Path, tmp_path: Path, register: Register) -> None:
    def nothing(_: Instance, run: Run) -> Outcome:
        return Outcome(stop=Stop.TIME_LIMIT, bound=3)

    result = run("plan", path, "--solver", register(nothing), "-o", tmp_path / "p.json")
    assert (result.exit_code, os.listdir(tmp_path)) == (4, ["pair.yaml"])
    assert "no plan" in result.stdout
    result = run("plan", path, "--solver", "fake", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["objective"], found["bound"]) == (4, None, 0.000003)


def test_a_solver_that_gives_up_without_a_plan_is_an_internal_failure(path: Path, register: Register) -> None:
    def broken(_: Instance, run: Run) -> Outcome:
        return Outcome(stop=Stop.FAILED, note="the library ran out of memory")

    result = run("plan", path, "--solver", register(broken))
    assert result.exit_code == 1
    assert "no plan by fake" in result.stdout
    assert "the library ran out of memory" in result.stdout

    def lucky(_: Instance, run: Run) -> Outcome:
        return Outcome(stop=Stop.FAILED, plan=naughty.separate())

    assert run("plan", path, "--solver", register(lucky)).exit_code == 0


def test_internal_failure(path: Path, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(_: Instance, run: Run) -> Outcome:
        raise SolverError("I lied")

    result = run("plan", path, "--solver", register(liar))
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "internal failure: I lied\n")
    monkeypatch.setenv("PLANNER_DEBUG", "1")
    assert "Traceback" in run("plan", path, "--solver", "fake").stderr


def test_unforeseen_failure_is_one_line(path: Path) -> None:
    code = "import planner.files\nplanner.files.instance_schema = lambda: 1 / 0\n"
    code += "from planner.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code, "schema"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "internal failure: ZeroDivisionError: 'division by zero'\n"


def test_write_model(path: Path, tmp_path: Path, register: Register) -> None:
    result = run("plan", path, "--solver", register(best), "--write-model", tmp_path / "m.lp")
    assert result.exit_code == 0
    assert (tmp_path / "m.lp").read_text().rstrip().endswith("end")


def test_check_refuses(path: Path, tmp_path: Path, register: Register) -> None:
    plan = tmp_path / "p.json"
    run("plan", path, "--solver", register(best), "-o", plan)
    plan.write_text(plan.read_text().replace('"models": {"a": 2}', '"models": {"a": 3}'))
    result = run("check", path, plan)
    assert result.exit_code == 1
    for words in (
        "pair: the plan is refused, 4 violations",
        "replicas: a: 3 replicas placed, has 2",
        "slots: 1 x gpu with 3 x a: 3 replicas on 2 slots",
        "objective: the file claims 1.000000, it is 1.400000",
    ):
        assert words in result.stdout
    found = json.loads(run("check", path, plan, "--json").stdout)
    assert not found["valid"]
    assert [v["rule"] for v in found["violations"]] == ["replicas", "slots", "objective", "status"]


def test_check_shows_latency_against_slo(tmp_path: Path, pair: Instance, register: Register) -> None:
    instance = tiny.with_model(pair, "a", slo_ms=10.5, miss_price=0.0)
    save_instance(instance, tmp_path / "i.yaml")
    run("plan", tmp_path / "i.yaml", "--solver", register(best), "-o", tmp_path / "p.json")
    lines = run("check", tmp_path / "i.yaml", tmp_path / "p.json").stdout.splitlines()
    row = next(line.split() for line in lines if line.split()[:1] == ["a"])
    assert row == ["a", "gpu", "2", "10.0", "%", "10.0", "%", "11", "10.5", "2"]


def test_show_cuts_what_is_long(tmp_path: Path, pair: Instance, register: Register) -> None:
    names = [f"m{t}" for t in range(60)]
    instance = pair.replace(
        machine_types=tuple(m.model_copy(update={"count": 60}) for m in pair.machine_types),
        models=tuple(InferenceModel(name=name, replicas=1, latency_ms={"gpu": 1}) for name in names),
        degradation=np.zeros((1, 60, 60)),
    )
    save_instance(instance, tmp_path / "i.yaml")

    def alone(_: Instance, run: Run) -> Outcome:
        return Outcome(plan=tiny.plan(instance, *(f"gpu: 1 {name}" for name in names)))

    run("plan", tmp_path / "i.yaml", "--solver", register(alone), "-o", tmp_path / "p.json")
    short, long = run("show", tmp_path / "p.json").stdout, run("show", tmp_path / "p.json", "--all").stdout
    assert "... and 40 more groups" in short
    assert "... and 50 more models" in short
    assert "m59" not in short
    assert "m59" in long
    assert "more" not in long


def test_names_cannot_command_the_terminal(tmp_path: Path, pair: Instance) -> None:
    document: dict[str, Any] = {
        "version": 1,
        "instance": {"name": "[bold]x[/bold]"},
        "machines": [{"machine_type": "g\x1b[31m", "machines": 1, "models": {"[red]\x07": 1}}],
    }
    (tmp_path / "p.json").write_text(json.dumps(document))
    result = run("show", tmp_path / "p.json")
    assert result.exit_code == 0
    assert "[bold]x[/bold]" in result.stdout
    assert r"g\x1b[31m" in result.stdout
    assert r"[red]\x07" in result.stdout


def test_solvers_and_schema() -> None:
    text = run("solvers").stdout
    assert all(name in text for name in solvers.SOLVERS)
    assert json.loads(run("schema").stdout)["title"] == "InstanceFile"


def test_a_closed_pipe_is_no_error() -> None:
    for command in ("schema", "solvers"):
        process = subprocess.Popen(
            [sys.executable, "-c", "from planner.cli import main; main()", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
