"""Our solvers beside the formulations that a user would write by hand, one after the other.

Each run has a process of its own and the same time limit, building included::

    python -m benchmarks.exact [INSTANCE ...] [--time-limit 60] [-o FILE.json]

Prints the machine and a Markdown table; FILE.json holds the same with the machine's fingerprint. Meta's
Rebalancer is among the peers if ``REBALANCER_PYTHON`` names a Python that has it
(:mod:`benchmarks.peers.meta_rebalancer`).
Importing and compiling are not counted. A peer that is not done 60 s after its limit is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import fingerprint, in_words
from benchmarks.peers.answer import Answer
from benchmarks.peers.meta_rebalancer import INTERPRETER
from planner.files import load_instance
from planner.writing import check_writable, write_atomically
from solvers.child import solve_in_child

ROOT = Path(__file__).resolve().parent.parent
OURS = ("milp", "cpsat", "patterns", "local_search")
PEERS = ("milp_pairwise", "cpsat_pairwise", "meta_rebalancer")
_GRACE = 60.0


def ours(path: Path, solver: str, time_limit: float) -> Answer:
    """Run one of our solvers."""
    instance = load_instance(path)
    result = solve_in_child(instance, solver, time_limit=time_limit)
    return Answer(
        solver=solver,
        status=result.status.value.replace("_", " "),
        objective=result.objective,
        bound=result.bound,
        seconds=result.seconds,
        variables=None,
        rows=None,
        building=None,
        note=result.note,
    )


def peer(path: Path, name: str, time_limit: float) -> Answer:
    """Run one of the peers."""
    command = [sys.executable, "-m", f"benchmarks.peers.{name}", str(path), "--time-limit", str(time_limit)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=time_limit + _GRACE, check=False
        )
    except subprocess.TimeoutExpired:
        seconds = time.monotonic() - began
        return Answer(name, "killed", None, None, seconds, None, None, None, "did not heed its limit")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return Answer(name, "failed", None, None, time.monotonic() - began, None, None, None, last)
    return Answer(**json.loads(done.stdout.splitlines()[-1]))


def answers(paths: list[Path], time_limit: float) -> Iterator[tuple[Path, Answer]]:
    """Run everything, one after the other."""
    for path in paths:
        for name in OURS:
            yield path, ours(path, name, time_limit)
        for name in PEERS:
            if name != "meta_rebalancer" or INTERPRETER in os.environ:
                yield path, peer(path, name, time_limit)


def row(path: Path, answer: Answer) -> str:
    """Return a row of the table."""
    cells = [
        path.stem,
        answer.solver,
        answer.status,
        _value(answer.objective),
        _value(answer.bound),
        "-" if answer.gap is None else f"{100 * answer.gap:.2f} %",
        f"{answer.seconds:.1f}",
        "-" if answer.variables is None else f"{answer.variables:,}",
        "-" if answer.rows is None else f"{answer.rows:,}",
    ]
    return f"| {' | '.join(cells)} |"


def _value(ppm: int | None) -> str:
    return "-" if ppm is None else f"{ppm / 1e6:,.4f}"


HEADER = (
    "| instance | formulation | status | objective | bound | gap | seconds | variables | rows |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|"
)


def document(answer: Answer) -> dict[str, Any]:
    """Return an answer for the JSON document."""
    return {**asdict(answer), "gap": answer.gap}


def main() -> None:
    """Run, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    instances = [ROOT / "instances" / name for name in ("quickstart.yaml", "medium.yaml")]
    parser.add_argument("instances", nargs="*", type=Path, default=instances)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.output:
        check_writable(options.output)
    machine = fingerprint()
    print(f"{in_words(machine)}\nTime limit {options.time_limit:g} s each\n\n{HEADER}", flush=True)
    runs = []
    for path, answer in answers([path.resolve() for path in options.instances], options.time_limit):
        print(row(path, answer), flush=True)
        runs.append({"instance": path.name, **document(answer)})
    if options.output:
        found = {"machine": machine, "time_limit": options.time_limit, "runs": runs}
        write_atomically(options.output, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
