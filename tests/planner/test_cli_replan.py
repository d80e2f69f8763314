"""`planner replan` and `planner simulate`: output, files and exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from planner.cli import app
from planner.files import load_instance, save_instance
from planner.instance import Instance
from planner.plan import Plan
from planner.plan_checks import check_plan
from planner.plan_files import plan_document, save_document
from planner.result import Result as Solved
from planner.result import Status, Stop
from tests import tiny


def run(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of :func:`tests.tiny.pair`, whose degradations are uncertain."""
    instance = tiny.pair()
    save_instance(instance.replace(upper=2 * instance.degradation), tmp_path / "pair.yaml")
    return tmp_path / "pair.yaml"


@pytest.fixture
def today(path: Path) -> Path:
    """The file of the plan in which both machines are mixed: objective 1.1, the optimum is 1.0."""
    return saved(path, load_instance(path), tiny.plan(tiny.pair(), "gpu: 1 a + 1 b", "gpu: 1 a + 1 b"))


def saved(path: Path, instance: Instance, plan: Plan) -> Path:
    """Return the file of a plan."""
    solved = Solved(Status.FEASIBLE, Stop.FINISHED, "hand", 0, plan=plan)
    save_document(path.with_name("today.json"), plan_document(instance, solved))
    return path.with_name("today.json")


def test_the_best_plan_within_some_moves(path: Path, today: Path, tmp_path: Path) -> None:
    """Two moves separate the models; one moves a to a machine that is full."""
    files = ("-o", tmp_path / "next.json", "--moves", tmp_path / "m.csv", "--curve", tmp_path / "c.svg")
    done = run("replan", path, "--from", today, "--max-moves", 2, "--time-limit", 5, *files)
    assert done.exit_code == 0, done.output
    assert "objective 1 with 2 moves: 9.09 % less than today; proven to be the best" in done.stdout
    assert not check_plan(tmp_path / "next.json", load_instance(path)).violations
    steps = [*csv.DictReader((tmp_path / "m.csv").read_text().splitlines())]
    assert [s["do"] for s in steps] == ["pause", "move", "place"]  # both machines are full
    assert {s["from"] for s in steps} | {s["to"] for s in steps} == {"gpu #1", "gpu #2", ""}
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")


def test_no_moves_are_the_plan_of_today(path: Path, today: Path) -> None:
    done = run("replan", path, "--from", today, "--max-moves", 0, "--time-limit", 2, "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["moves"], answer["objective"], answer["bound"]) == (0, 0, 1.1, 1.1)
    assert answer["steps"] == []


def test_a_price_of_moves(path: Path, today: Path) -> None:
    """Two moves save 0.1: worth it at 0.04 each, not at 0.06."""
    for price, moves in ((0.04, 2), (0.06, 0)):
        done = run("replan", path, "--from", today, "--move-cost", price, "--time-limit", 2, "--json")
        assert json.loads(done.stdout)["moves"] == moves


def test_too_few_moves_are_proven_to_be_too_few(path: Path) -> None:
    """Both replicas of a on one machine, where a rule lets only one be."""
    crowded = saved(path, load_instance(path), tiny.plan(tiny.pair(), "gpu: 2 a", "gpu: 2 b"))
    instance = load_instance(path)
    rules = instance.rules.model_copy(update={"max_per_machine": {"a": 1}})
    save_instance(instance.replace(rules=rules), path)
    done = run("replan", path, "--from", crowded, "--max-moves", 1, "--time-limit", 5)
    assert done.exit_code == 3, done.output
    assert "proven: 2 have to move" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-moves", "1", "--move-cost", "1"), "max"),
        (("--move-cost", "-1"), "--move-cost"),
        (("--curve", "x.pdf"), "--curve"),
        (("--time-limit", "0"), "--time-limit"),
        (("-o", "plan.yaml"), "plan.yaml"),
    ],
)
def test_bad_usage(path: Path, today: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run("replan", path, "--from", today, *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr


def test_simulated_plans_are_side_by_side(path: Path, today: Path) -> None:
    done = run("simulate", path, today, today, "--draws", 50)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "50 draws, errors independent of each other" in done.stdout
    answer = json.loads(run("simulate", path, today, "--draws", 50, "--factor", 2, "--json").stdout)
    assert (answer["factor"], answer["plans"][0]["draws"]) == (2.0, 50)


def test_a_robust_plan_is_checked_against_its_promise(path: Path, tmp_path: Path) -> None:
    """At 14 ms over 10 ms and d(b, b) = 0.4 with upper end 0.8, b beside b keeps its SLO half of the time."""
    save_instance(tiny.with_model(load_instance(path), "b", slo_ms=14.0), path)
    plain, robust = tmp_path / "plain.json", tmp_path / "robust.json"
    assert run("plan", path, "--time-limit", 2, "-o", plain).exit_code == 0
    assert run("plan", path, "--time-limit", 2, "--robust", 0.6, "-o", robust).exit_code == 0
    assert json.loads(robust.read_text())["slo_probability"] == 0.6
    assert (json.loads(plain.read_text())["objective"], json.loads(robust.read_text())["objective"]) == (
        1,
        1.1,
    )
    assert "60 % quantiles" in run("show", robust).stdout
    assert run("check", path, robust).exit_code == 0
    document = json.loads(plain.read_text())
    document |= {"slo_probability": 0.6, "instance": json.loads(robust.read_text())["instance"]}
    plain.write_text(json.dumps(document))
    assert run("check", path, plain).exit_code == 1


def test_a_promise_needs_upper_ends(tmp_path: Path) -> None:
    save_instance(tiny.pair(), tmp_path / "certain.yaml")
    done = run("plan", tmp_path / "certain.yaml", "--robust", 0.9)
    assert done.exit_code == 2
    assert "--robust: needs the upper end" in done.stderr
