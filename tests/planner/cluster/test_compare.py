"""``planner compare`` on several cores and on a cluster: the same plans, in the same files."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planner.cli import app
from planner.files import save_instance
from tests import tiny
from tests.planner.cluster.conftest import ROOT, Cluster

QUICKSTART = ROOT / "instances" / "quickstart.yaml"
TIMES = ("runtime_s", "history")
_MAIN = "from planner.cli import main; main()"


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two instances."""
    for name, instance in (("pair", tiny.pair()), ("types", tiny.two_types())):
        save_instance(instance, tmp_path / f"{name}.yaml")
    return [str(tmp_path / f"{name}.yaml") for name in ("pair", "types")]


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def written(folder: Path) -> dict[str, Any]:
    """Return what a comparison wrote, without times."""
    found: dict[str, Any] = {}
    for path in folder.iterdir():
        if path.suffix == ".csv":
            with path.open() as stream:
                rows: list[Any] = list(csv.DictReader(stream))
        else:
            document = json.loads(path.read_text())
            rows = document.get("rows", [document])
        found[path.name] = [{k: v for k, v in row.items() if k not in TIMES} for row in rows]
    return found


def test_a_cluster_and_a_local_pool_write_the_same(
    paths: list[str], tmp_path: Path, cluster: Cluster
) -> None:
    ways = {"local": ("--jobs", 2), "cluster": ("--cluster", cluster.address)}
    tables = {}
    for name, way in ways.items():
        code, out, _ = run(*paths, "--solver", "greedy", *way, "-o", tmp_path / name)
        assert code == 0
        tables[name] = [line.split()[:3] for line in out.splitlines()]
    assert len(written(tmp_path / "local")) == 2 + 2
    assert written(tmp_path / "local") == written(tmp_path / "cluster")
    assert tables["local"] == tables["cluster"]


def test_jobs_and_cluster_exclude_each_other(paths: list[str]) -> None:
    code, _, errors = run(*paths, "--jobs", 1, "--cluster", "tcp://127.0.0.1:1")
    assert (code, "--jobs: must not stand beside --cluster" in errors) == (2, True)


@pytest.mark.soak
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    words = ("--solver", "greedy", "--solver", "local_search", "--time-limit", "100", "--jobs", "1")
    options = ("--json", "--progress", "plain", "-o", str(tmp_path / "out"))
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, "compare", str(QUICKSTART), *words, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "1 of 2 done: quickstart (greedy)\n"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert [row["solver"] for row in json.loads(out)["rows"]] == ["greedy"]
    assert sorted(written(tmp_path / "out")) == ["compare.csv", "compare.json", "quickstart.greedy.json"]
