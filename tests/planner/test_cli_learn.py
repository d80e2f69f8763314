"""`planner train` and `planner evaluate`: output, files, exit codes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from planner import cli_learn
from planner.degradation import network
from planner.degradation.predictor import Predictor
from planner.degradation.table import read_table
from planner.exits import Commands
from tests.planner.degradation.planted import contended, pairs_of

app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
app.registered_commands += cli_learn.app.registered_commands


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a few steps only: what is tested here is the command."""

    def few(
        task: network.Task,
        grid: network.Grid,
        kept: network.Kept,
        config: network.Config,
        seed: int,
        on_progress: network.Progress | None,
    ) -> network.Weights:
        return network.train(task, grid, kept, replace(config, steps=15), seed, on_progress)

    monkeypatch.setattr("planner.degradation.predictor.train", few)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pairs = pairs_of(contended()[:2, :6, :6])
    rows = zip(*pairs.names(), pairs.degradation, strict=True)
    path = tmp_path / "t.csv"
    path.write_text(
        "machine_type,victim,aggressor,degradation\n"
        + "".join(f"{k},{v},{u},{d:.6f}\n" for k, v, u, d in rows)
    )
    return path


def test_train_writes_a_predictor_and_says_how_good_it_is(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "it"
    result = run("train", table, "-o", folder, "--members", 2, "--seed", 4, "--quantity", "something")
    assert result.exit_code == 0, result.output
    assert "degradation of something" in result.stdout
    assert "72 rows, 72 directed pairs of 6 models" in result.stdout
    assert "a: mean absolute error" in result.stdout
    assert "b: mean absolute error" in result.stdout
    predictor = Predictor.load(folder)
    assert (predictor.seed, predictor.config.members) == (4, 2)
    assert sorted(path.name for path in folder.iterdir()) == ["predictor.json", "predictor.safetensors"]


def test_train_refuses_before_it_works(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments, text in (
        ((tmp_path / "none.csv", "-o", tmp_path / "m"), "none.csv: cannot be read"),
        ((table, "-o", tmp_path / "file"), "file: must be a folder, or a new name inside one"),
    ):
        result = run("train", *arguments)
        assert result.exit_code == 2
        assert text in result.stderr
        assert not result.stdout
    assert not (tmp_path / "m").exists()


def test_nothing_is_written_if_training_is_interrupted(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(what: str) -> network.Progress:
        def at(step: int, steps: int) -> None:
            raise KeyboardInterrupt

        return at

    monkeypatch.setattr(cli_learn, "_progress", interrupted)
    assert run("train", table, "-o", tmp_path / "m").exit_code == 130
    assert not (tmp_path / "m").exists()


def test_evaluate_shows_all_methods_and_writes_what_it_shows(table: Path, tmp_path: Path) -> None:
    result = run("evaluate", table, "-o", tmp_path / "out", "--split", "pairs")
    assert result.exit_code == 0, result.output
    for method in ("no interference", "victim mean", "additive plus rank 2", "random forest", "network"):
        assert result.stdout.count(method) == 2, "once for each machine type"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    plots = [f"{n}.{kind}" for n in ("error_pairs", "heat_map", "predicted_pairs") for kind in ("png", "svg")]
    assert names == sorted(["evaluation.csv", "evaluation.json", *plots])
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    with (tmp_path / "out" / "evaluation.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["method"], float(r["mae"])) for r in rows] == [
        (s["method"], s["mae"]) for s in document["scores"]
    ]
    assert len(rows) == 14
    assert document["quantity"] == "mean latency"


def test_evaluate_json_is_one_document(table: Path) -> None:
    result = run("evaluate", table, "--split", "rows", "--json")
    assert result.exit_code == 0, result.output
    assert {s["split"] for s in json.loads(result.stdout)["scores"]} == {"rows"}


def test_all_splits_are_those_that_the_table_is_enough_for(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = read_table(table)
    assert cli_learn._splits(["model", "all"], measured) == ["model", "rows", "pairs", "pairs-all"]
    assert capsys.readouterr().err == "machine-type: left out, needs three machine types in the table\n"
    assert cli_learn._splits(None, measured) == ["pairs"]


def test_evaluate_refuses_splits_that_cannot_be(table: Path) -> None:
    for split, text in (
        ("people", "must be one of rows, pairs"),
        ("machine-type", "needs three machine types"),
    ):
        result = run("evaluate", table, "--split", split)
        assert result.exit_code == 2
        assert f"--split: {text}" in result.stderr
        assert not result.stdout


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_has_examples(command: str) -> None:
    text = run(command, "--help").stdout
    assert text.count(f"planner {command} ") >= 2
