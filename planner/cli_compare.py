"""The commands about solvers: ``planner compare`` and ``planner solvers``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, ProgressStyle, Seed, ShowProgress
from planner.exits import INTERRUPTED, OK, REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from planner.instance import Instance
    from planner.report.compare import Comparison
    from planner.result import Result

app = typer.Typer()


@app.command()
def compare(
    instances: Annotated[
        list[Path], typer.Argument(metavar="INSTANCE", help="Instance files, YAML or JSON.")
    ],
    solver: Annotated[
        list[str] | None, typer.Option(help="A solver; may be given several times. Default: all.")
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="For each solve.")] = 10.0,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="Folder for compare.csv, compare.json and plans.")
    ] = None,
    as_json: AsJson = False,
    progress: ShowProgress = ProgressStyle.AUTO,
) -> None:
    """Compare solvers on instances, side by side.

    Each solve runs in a process of its own. The gap is against the solver's own bound, the gap to the
    best bound against the best that any of them has proven. Ctrl-C keeps what is finished.

    \b
    planner compare fleet.yaml
    planner compare small.yaml large.yaml --solver greedy --solver milp --time-limit 60 -o results

    Exit codes: 0 done; 1 a solver failed, or two of them contradict each other; 2 bad usage or input;
    130 interrupted.
    """
    from planner.files import load_instance
    from planner.plan_files import render
    from planner.report.compare import as_document, labels
    from planner.report.live import watch
    from planner.writing import make_folder
    from solvers.child import solve_in_child

    names = _solver_names(solver)
    asked = dict(zip(labels(instances), map(load_instance, instances), strict=True))
    if output is not None:
        make_folder(output)
    done: list[Comparison] = []

    def solve(label: str, name: str) -> Result:
        which = f"{sum(len(c.documents) for c in done) + 1} of {len(asked) * len(names)}"
        with watch(progress, label, name, time_limit, which) as watching:
            return solve_in_child(asked[label], name, time_limit=time_limit, seed=seed, on_progress=watching)

    try:
        for label, instance in asked.items():
            _compare(label, instance, names, solve, output, done, as_json)
        code = OK
    except KeyboardInterrupt:
        code = INTERRUPTED
    document = as_document(done)
    if as_json:
        print(render(document), end="")
    for text in document["contradictions"]:
        print(f"contradiction: {text}", file=sys.stderr)
    failed = document["contradictions"] or any(row["stop"] == "failed" for row in document["rows"])
    raise typer.Exit(REFUSED if failed and code == OK else code)


def _solver_names(wanted: list[str] | None) -> list[str]:
    from planner.errors import InputError
    from solvers import SOLVERS

    for name in wanted or ():
        if name not in SOLVERS:
            raise InputError(f"must be one of {', '.join(SOLVERS)}", field="solver", value=name)
    return list(dict.fromkeys(wanted)) if wanted else [name for name in SOLVERS if name != "auto"]


def _compare(
    label: str,
    instance: Instance,
    names: list[str],
    solve: Callable[[str, str], Result],
    output: Path | None,
    done: list[Comparison],
    as_json: bool,
) -> None:
    """Run the named solvers on one instance and print the table, even if interrupted."""
    from planner.plan_files import plan_document
    from planner.report.compare import Comparison, save
    from planner.report.text import show
    from planner.result import Stop

    done.append(Comparison(label))
    try:
        for name in names:
            result = solve(label, name)
            done[-1].documents.append(plan_document(instance, result))
            if output is not None:
                save(output, done)
            if result.stop is Stop.INTERRUPTED:
                raise KeyboardInterrupt
    finally:
        if not as_json:
            show([done[-1].table(), *done[-1].notes()])


@app.command("solvers")
def solvers_command() -> None:
    """List the solvers that --solver takes."""
    from planner.report import tables, text
    from solvers import SOLVERS

    rows = [(name, "yes" if e.proves else "no", e.about) for name, e in SOLVERS.items()]
    text.show([tables.table("Solvers", ("<name", "<proves a bound", "~what it does"), rows)])
