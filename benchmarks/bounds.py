"""Plans and proven gaps at every size: the table in ``reports/bounds``.

Run as ``python -m benchmarks.bounds -o reports/bounds``. Each run is ``planner plan`` in a process of its
own, one after the other: *seconds* is from process start to the plan file on disk, with reading the instance;
*memory* is the largest of any process of the run. ``--only GROUP`` runs the groups that begin with it; rows
that the report has of others stay.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.distinct import CAPACITIES, crowded, quadratic
from benchmarks.machine import fingerprint, in_words
from planner.files import save_instance
from planner.generate import generate
from planner.instance import Instance

PLANNER = Path(sys.executable).with_name("planner")
CROWDS = ((800, 8, False), (800, 8, True), (2_000, 15, True), (5_000, 15, True))
LONG = 180  # seconds after which the best plan is what those of 60 s are compared with
AGAIN, LONGER = range(1, 5), range(2)  # seeds of further runs of 60 s, and of runs that long
ITEMS, DENSITIES = (25, 30, 35, 40, 45), (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Case:
    """A row: what is planned and for how long."""

    group: str
    make: Callable[[], Instance]
    limit: float
    seed: int = 0


def fleet(models: int, types: int, replicas: int, machines: int, slots: tuple[int, int]) -> Instance:
    """Return an instance of many replicas, with a hidden plan, 80 % of the memory taken, SLOs for half."""
    return generate(
        name=f"{replicas:,} of {models} on {machines:,}, {slots[0]}-{slots[1]} slots, {types} types",
        models=models,
        types=types,
        replicas=replicas,
        machines=machines,
        slots=slots,
        feasible=True,
        seed=1,
    )


FLEETS = (
    (partial(fleet, 20, 3, 2_000, 600, (4, 6)), 30),
    (partial(fleet, 100, 3, 20_000, 6_000, (4, 6)), 30),
    (partial(fleet, 200, 8, 100_000, 30_000, (4, 6)), 60),
    (partial(fleet, 100, 3, 20_000, 3_000, (8, 12)), 120),
    (partial(fleet, 100, 8, 1_000_000, 400_000, (4, 4)), 7),
    (partial(fleet, 500, 20, 10_000_000, 3_000_000, (4, 4)), 200),
)


def cases(seeds: int) -> Iterator[Case]:
    """Yield the rows, those that take much memory last: a child counts what its parent had."""
    for types, items in product((1, 2), ITEMS):
        group = f"quadratic, {types} type{'s' * (types > 1)}, {items} models"
        for seed, density, capacity in product(range(seeds), DENSITIES, CAPACITIES):
            yield Case(group, partial(quadratic, items, density, capacity, types=types, seed=seed), 60)
    for (models, machines, slots), kind in product(CROWDS, ("random", "geometric", "colourable")):
        yield Case("crowded", partial(crowded, models, machines, kind, slots=slots), 60)
    for (models, machines, slots), kind in product(CROWDS[::2], ("random", "geometric")):
        make = partial(crowded, models, machines, kind, slots=slots)
        yield from (Case("again", make, 60, seed) for seed in AGAIN)
        yield from (Case("long", make, LONG, seed) for seed in LONGER)
    for make, limit in FLEETS:
        yield Case("fleet", make, limit)


def run(case: Case, folder: Path) -> dict[str, Any]:
    """Plan in a process of its own; return what came out."""
    source, target = folder / "instance.yaml", folder / "plan.json"
    instance = case.make()
    save_instance(instance, source)
    command = [str(PLANNER), "plan", str(source), "--json", "-o", str(target), "--seed", str(case.seed)]
    began = time.monotonic()
    with subprocess.Popen(
        [*command, "--time-limit", str(case.limit)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    row = {key: document.get(key) for key in ("status", "objective", "bound", "gap", "solver")}
    return {
        "group": case.group,
        "instance": instance.name,
        "limit": case.limit,
        "seed": case.seed,
        "seconds": round(time.monotonic() - began, 1),
        "memory_gb": round(usage.ru_maxrss / 2**20, 2),
        "exit": process.returncode,
        **row,
    }


def text(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the report."""
    lines = [
        "# Plans and proven gaps",
        "",
        "`python -m benchmarks.bounds -o reports/bounds`, one run of `planner plan` each; the last on "
        f"{in_words(machine)}.",
        "",
        "| instance | limit, s | objective | bound | gap, % | process start to plan file, s | memory, GB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        if r["group"] in ("crowded", "fleet"):
            gap = "-" if r["gap"] is None else f"{100 * r['gap']:.4f}"
            bound = "-" if r["bound"] is None else f"{r['bound']:,.4f}"
            lines.append(
                f"| {r['instance']} | {r['limit']:g} | {r['objective']:,.4f} | {bound} | {gap} "
                f"| {r['seconds']} | {r['memory_gb']} |"
            )
    lines += ["", *again(rows), ""]
    lines += ["| distinct models | proven | median s | largest gap, % |", "|---|---:|---:|---:|"]
    for group in sorted({r["group"] for r in rows if r["group"].startswith("quadratic")}):
        some = [r for r in rows if r["group"] == group]
        proven = sum(r["status"] == "optimal" for r in some)
        middle = sorted(r["seconds"] for r in some)[len(some) // 2]
        worst = max(1.0 if r["gap"] is None else r["gap"] for r in some)
        lines.append(f"| {group} | {proven} of {len(some)} | {middle} | {100 * worst:.2f} |")
    return "\n".join(lines) + "\n"


def again(rows: list[dict[str, Any]]) -> list[str]:
    """Return a table of how far runs of few big machines that differ in the seed alone lie apart."""
    lines = [
        f"| runs | of 60 s | least | median | greatest | of {LONG} s | least | median of 60 s above it, % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(r["instance"] for r in rows if r["group"] == "long"):
        short, long = (
            [r["objective"] for r in rows if r["instance"] == name and r["limit"] == limit]
            for limit in (60, LONG)
        )
        if short:
            middle, best = statistics.median(short), min(long)
            lines.append(
                f"| {name} | {len(short)} | {min(short):,.2f} | {middle:,.2f} | {max(short):,.2f} "
                f"| {len(long)} | {best:,.2f} | {100 * (middle / best - 1):.1f} |"
            )
    return lines


def main() -> None:
    """Run the rows, print each, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", dest="folder", type=Path, help="folder for bounds.md and bounds.json")
    parser.add_argument("--only", default="", help="what the groups to run begin with")
    parser.add_argument("--seeds", type=int, default=5, help="quadratic instances of each shape")
    options = parser.parse_args()
    machine, rows = fingerprint(), known(options.folder)
    with tempfile.TemporaryDirectory() as name:
        for case in cases(options.seeds):
            if case.group.startswith(options.only):
                row = run(case, Path(name))
                rows[key(row)] = row
                print(json.dumps(row), flush=True)
                if options.folder:
                    write(options.folder, machine, list(rows.values()))


def key(row: dict[str, Any]) -> tuple[str, str, int]:
    """Return what no two rows of a report share."""
    return row["group"], row["instance"], row["seed"]


def known(folder: Path | None) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the rows of the report that is there."""
    if folder is None or not (folder / "bounds.json").exists():
        return {}
    document = json.loads((folder / "bounds.json").read_text())
    return {key(row): row for row in document["rows"]}


def write(folder: Path, machine: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write the report and its data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bounds.md").write_text(text(machine, rows))
    (folder / "bounds.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
