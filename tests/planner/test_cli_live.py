"""The command in a process of its own: on a terminal, interrupted, comparing."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.planner.test_cli import path, run

__all__ = ["path"]

_MAIN = "import tests.solvers.naughty as n, solvers.child as c; n.enter(); from planner.cli import main; " + (
    "c._BOOT = c._BOOT.replace('from solvers.nursery', "
    "'import tests.solvers.naughty as n; n.enter(); from solvers.nursery')"
    "; main()"
)


def test_compare(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    both = ("--solver", "greedy", "--solver", "first_fit")
    result = run("compare", path, path, *both, "-o", folder, "--progress", "plain")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stderr.splitlines() if "incumbent" in line] == [
        "1 of 4  pair (greedy)",
        "2 of 4  pair (first_fit)",
        "3 of 4  pair-2 (greedy)",
        "4 of 4  pair-2 (first_fit)",
    ]
    assert sorted(os.listdir(folder)) == [
        "compare.csv",
        "compare.json",
        *(f"pair{n}.{solver}.json" for n in ("-2", "") for solver in ("first_fit", "greedy")),
    ]
    with (folder / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["instance"], r["solver"]) for r in rows] == [
        (label, solver) for label in ("pair", "pair-2") for solver in ("greedy", "first_fit")
    ]
    assert min(float(r["ratio_to_best"]) for r in rows) == 1.0
    for row in rows:
        plan = folder / f"{row['instance']}.{row['solver']}.json"
        assert run("check", path, plan).exit_code == 0
        assert row["objective"] in plan.read_text()
    document = json.loads((folder / "compare.json").read_text())
    assert [r["solver"] for r in document["rows"]] == [r["solver"] for r in rows]
    assert "gap to best bound" in result.stdout


def test_compare_as_json(path: Path) -> None:
    result = run("compare", path, "--solver", "greedy", "--json")
    assert [r["solver"] for r in json.loads(result.stdout)["rows"]] == ["greedy"]


def test_a_terminal_shows_a_view_that_disappears(path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    arguments = ("plan", str(path), "--solver", "patient", "--time-limit", "1", "--json")
    environment = os.environ | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", _MAIN, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a pseudo-terminal ends
            while part := os.read(ours, 4096):
                shown += part
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["objective"] == 1.0
    os.close(ours)
    text = shown.decode()
    assert (
        "pair (patient)  1 s left  gap ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁\r\n  incumbent 1  bound 0.000007  gap 100 %"
        in text
    )
    assert text.endswith("\x1b[2K"), "nothing of it stays"


def interrupted(*arguments: object) -> tuple[int, str, str]:
    """Run the command, press Ctrl-C as soon as there is an incumbent; return how it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, *map(str, arguments), "--progress", "plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    while "patient" not in line and line:
        line = process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    return process.returncode, out, line + err


def test_ctrl_c_ends_a_plan_with_the_incumbent(path: Path, tmp_path: Path) -> None:
    code, out, err = interrupted("plan", path, "--solver", "patient", "-o", tmp_path / "p.json")
    assert (code, "Traceback" in err) == (0, False), err
    assert "feasible by patient" in out
    assert "interrupted" in out
    assert run("check", path, tmp_path / "p.json").exit_code == 0


def test_ctrl_c_keeps_the_finished_rows_of_a_comparison(path: Path, tmp_path: Path) -> None:
    order = [word for name in ("chatty", "patient", "hang") for word in ("--solver", name)]
    code, out, err = interrupted("compare", path, *order, "-o", tmp_path / "out", "--json")
    assert (code, "Traceback" in err) == (130, False), err
    rows = json.loads(out)["rows"]
    assert [(r["solver"], r["stop"]) for r in rows] == [("chatty", "finished"), ("patient", "interrupted")]
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["rows"] == rows


def test_a_comparison_shows_failures_and_contradictions(path: Path) -> None:
    command = [sys.executable, "-c", _MAIN, "compare", str(path), "--solver", "abort", "--solver", "wrong"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no plan (failed)" in done.stdout
    assert "Check failed: the moon is not cheese" in done.stdout
    assert "SolverError: wrong claims the bound 1000001 above" in done.stdout
