"""The command for capacity questions: tables, files, exit codes, and flags in error messages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from planner.cli import app
from planner.files import load_instance, save_instance
from planner.plan_checks import check_plan
from planner.whatif import sweeps
from planner.whatif.ranges import counts
from solvers import solve
from tests import tiny

QUICKSTART = Path(__file__).parents[2] / "instances" / "quickstart.yaml"


def run(*arguments: object) -> Result:
    """Ask with a solver that needs no compiling, and that searches a fifth of its time before it proves."""
    return CliRunner().invoke(app, ["whatif", "--solver", "milp", "--time-limit", "6", *map(str, arguments)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of :func:`tiny.pair`, with SLOs that nobody misses."""
    save_instance(tiny.with_model(tiny.pair(), "a", slo_ms=15.0), tmp_path / "pair.yaml")
    return tmp_path / "pair.yaml"


def test_a_sweep_equals_independent_solves() -> None:
    done = run(QUICKSTART, "--machines", "2-cores-own=4..9", "--json")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)["rows"]
    sweep = sweeps.machines(load_instance(QUICKSTART), "2-cores-own", counts("4..9", "machines"))
    alone = [solve(p.instance, "cpsat", time_limit=3.0) for p in sweep.ascending]
    assert [row["status"] for row in rows] == [r.status.value for r in alone]
    shown = [None if r.objective is None else r.objective / 1e6 for r in alone]
    assert [row["objective"] for row in rows] == shown


def test_it_says_what_is_the_least_and_what_is_proven(path: Path) -> None:
    done = run(path, "--machines", "gpu=0..5")
    assert done.exit_code == 0
    assert "2 is the smallest of the range with a plan; 1 is proven to have none: slots" in done.stdout
    assert "beyond 4 more does not help, the optimum stays 0" in done.stdout


def test_marginal_values_are_per_machine(path: Path) -> None:
    """1.0 on two machines, 0 on four: two steps of one, or one of two at half of that each."""
    rows = json.loads(run(path, "--machines", "gpu=2..4:2", "--json").stdout)["rows"]
    assert (rows[1]["change_low"], rows[1]["change_high"]) == (-0.5, -0.5)


def test_files_hold_what_is_shown(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "results"
    assert run(path, "--machines", "gpu=1..3", "-o", folder).exit_code == 0
    names = {p.name for p in folder.iterdir()}
    assert names == {
        "whatif.csv",
        "whatif.json",
        "whatif.svg",
        "whatif.png",
        "plan-2.json",
        "plan-3.json",
    }
    with (folder / "whatif.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["infeasible", "optimal", "optimal"]
    assert not check_plan(folder / "plan-2.json", load_instance(path)).violations


@pytest.mark.parametrize(
    "question", [("--slo", "0.5..2:4"), ("--growth", "0.5..2:4"), ("--growth-of", "a=1..3")]
)
def test_other_sweeps_answer(path: Path, question: tuple[str, str]) -> None:
    done = run(path, *question)
    assert done.exit_code == 0
    assert "solve" in done.stdout


def test_a_price_that_the_objective_ignores_is_said(path: Path) -> None:
    done = run(path, "--price", "gpu=0..4")
    assert "the objective ignores prices" in done.stdout
    assert "1 solve" in done.stdout


def test_the_cheapest_mix_is_a_plan_of_the_instance(path: Path, tmp_path: Path) -> None:
    done = run(path, "--cheapest", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "price 6, bound 6, gap 0 %" in done.stdout
    assert "least degradation at this price: 1, bound 1" in done.stdout
    assert not check_plan(tmp_path / "out" / "plan.json", load_instance(path)).violations
    assert json.loads((tmp_path / "out" / "whatif.json").read_text())["price"] == 6


def test_the_front_is_shown_and_written(tmp_path: Path) -> None:
    save_instance(tiny.with_type(tiny.pair(), "gpu", slots=4), tmp_path / "roomy.yaml")
    done = run(tmp_path / "roomy.yaml", "--pareto", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "this is the whole front, which is proven" in done.stdout
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"whatif.csv", "whatif.json", "whatif.svg", "whatif.png", "plan-3.json", "plan-6.json"}


@pytest.mark.parametrize("question", [("--machines", "gpu=0..1"), ("--cheapest",), ("--pareto",)])
def test_without_any_plan_it_is_proven(path: Path, question: tuple[str, ...], tmp_path: Path) -> None:
    save_instance(tiny.with_type(load_instance(path), "gpu", count=1), path)
    done = run(path, *question, "-o", tmp_path / "out")
    assert done.exit_code == 3
    assert "slots" in done.stdout
    assert json.loads((tmp_path / "out" / "whatif.json").read_text())["solves"] == 0


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ((), "give exactly one of"),
        (("--cheapest", "--pareto"), "found --cheapest, --pareto"),
        (("--cheapest", "--points", 3), "--points: goes with --pareto"),
        (("--cheapest", "--time-limit", 0), "--time-limit: must be a positive"),
        (("--machines", "gpu"), "--machines: must be TYPE=LOW..HIGH"),
        (("--machines", "tpu=1..2"), "--machines: must name a machine type"),
        (("--machines", "gpu=1..2000000000:1000000000"), "--machines: at 1000000001, gpu.count"),
        (("--slo", "1..x"), "--slo: must be LOW..HIGH"),
        (("--slo", "1..999999999:3"), "--slo: at "),
        (("--growth", "0..1"), "--growth: must have a LOW above 0"),
        (("--growth", "1..999999999:2"), "--growth: at 999999999, a.replicas"),
        (("--growth-of", "c=1..2"), "--growth-of: must name a model"),
        (("--growth-of", "a=0..2"), "--growth-of: must have a LOW of at least 1"),
        (("--price", "gpu=1..9999999999999"), "--price: must be LOW..HIGH"),
    ],
)
def test_bad_questions_name_the_flag(path: Path, question: tuple[object, ...], message: str) -> None:
    done = run(path, *question)
    assert done.exit_code == 2
    assert message in done.stderr


def test_an_instance_without_slos_or_with_pins_limits_the_range(tmp_path: Path) -> None:
    from planner.instance import Pinned

    base = tiny.pair().replace(pinned=(Pinned(name="pin", machine_type="gpu", models={"a": 2}),))
    save_instance(base, tmp_path / "pinned.yaml")
    for question, message in (
        (("--machines", "gpu=0..2"), "--machines: must have a LOW of at least 1"),
        (("--growth-of", "a=1..2"), "--growth-of: at 1, pinned[0].models.a: pins 2 replicas"),
        (("--slo", "1..2"), "--slo: must be asked of an instance with an SLO"),
    ):
        done = run(tmp_path / "pinned.yaml", *question)
        assert done.exit_code == 2
        assert message in done.stderr
