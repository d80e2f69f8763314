"""The commands about plans: ``planner plan``, ``planner check`` and ``planner show``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, Cluster, InstancePath, PlanPath, ProgressStyle, Seed, ShowProgress
from planner.exits import EXIT_CODES, INFEASIBLE, NO_PLAN, OK, REFUSED

if TYPE_CHECKING:
    from planner.instance import Instance
    from planner.plan import Plan
    from planner.result import Result
    from solvers.run import Helpers

app = typer.Typer()
_HELPED = ("auto", "patterns")
Everything = Annotated[bool, typer.Option("--all", help="Show every group and every model.")]


@app.command("plan", epilog=EXIT_CODES)
def plan_command(
    instance: InstancePath,
    solver: Annotated[str, typer.Option(help="One of `planner solvers`.")] = "auto",
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Most seconds to solve.")] = 60.0,
    seed: Seed = 0,
    start: Annotated[Path | None, typer.Option(metavar="PLAN", help="Valid plan to begin from.")] = None,
    output: Annotated[Path | None, typer.Option("-o", metavar="PLAN", help="Plan file to write.")] = None,
    as_json: AsJson = False,
    write_model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the MILP: a .lp or .mps file.")
    ] = None,
    robust: Annotated[
        float | None,
        typer.Option(metavar="P", help="Each replica keeps its SLO with this probability, 0.5 to 0.9999."),
    ] = None,
    progress: ShowProgress = ProgressStyle.AUTO,
    cluster: Cluster = None,
) -> None:
    """Place every replica of an instance.

    The plan minimises the instance's objective (degradation, price, both, or the worst degradation)
    under all of its rules. Ctrl-C ends the solve with the best plan so far and its bound. With --robust, SLOs
    are kept although degradations are not certain: each must have an upper end of its 95 % interval, in the
    column `upper` of their table. With --cluster the pools of machines are priced by the threads of a Dask
    cluster's workers, where that is what takes long: large plans of many machine types by column generation.

    \b
    planner plan fleet.yaml --solver milp --time-limit 300 -o plan.json
    planner plan fleet.yaml --start plan.json --json > better.json
    planner plan fleet.yaml --robust 0.95 -o robust.json
    planner plan fleet.yaml --time-limit 600 --cluster tcp://HOST:8786 -o plan.json
    """
    from planner.files import load_instance, load_plan
    from planner.plan_files import check_plan_path, plan_document, render, save_document
    from planner.plan_form import PlanFile
    from planner.report import tables, text
    from planner.writing import check_writable

    if output is not None:
        check_plan_path(output)
        check_writable(output)
    asked = load_instance(instance)
    if robust is not None:
        asked = _promising(asked, robust)
    begun = None if start is None else load_plan(start, asked)
    if write_model is not None:
        _write_model(asked, write_model)
    with _helpers(cluster, solver) as helpers:
        result = _solve(asked, solver, time_limit, seed, start, begun, progress, helpers)
    document = plan_document(asked, result)
    if output is not None and result.plan is not None:
        save_document(output, document)
    if as_json:
        print(render(document), end="")
    else:
        text.show(tables.plan(PlanFile.model_validate(document)))
        if output is not None and result.plan is not None:
            print(f"written to {output}; `planner show {output}` shows it again")
    if result.plan is None and result.stop == "failed":
        raise typer.Exit(REFUSED)
    raise typer.Exit({"infeasible": INFEASIBLE, "no_plan": NO_PLAN}.get(result.status, OK))


def _promising(instance: Instance, probability: float) -> Instance:
    from planner.errors import InputError

    try:
        return instance.replace(slo_probability=probability)
    except InputError as error:
        raise InputError(error.rule, field="robust", value=error.value) from None


def _write_model(instance: Instance, path: Path) -> None:
    from planner.writing import check_writable
    from solvers.milp import write_model

    check_writable(path)
    write_model(instance, path)


@contextlib.contextmanager
def _helpers(cluster: str | None, solver: str) -> Iterator[Helpers | None]:
    """Yield the threads of a cluster, with kernels compiled there; None if none was asked for."""
    if cluster is None:
        yield None
        return
    from planner.cluster.threads import Threads
    from planner.errors import InputError
    from planner.report.text import plain
    from solvers import load

    if solver not in _HELPED:
        rule = f"must be given with one of the solvers {', '.join(_HELPED)}: others have nothing to hand out"
        raise InputError(rule, field="cluster", value=solver)

    def say(text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    with Threads(cluster, say) as threads:
        threads.everywhere(load, "patterns")
        yield threads


def _solve(
    instance: Instance,
    solver: str,
    time_limit: float,
    seed: int,
    start: Path | None,
    begun: Plan | None,
    progress: ProgressStyle,
    helpers: Helpers | None,
) -> Result:
    from planner.errors import InputError
    from planner.report.live import watch
    from solvers import solve

    try:
        with watch(progress, instance.name, solver, time_limit) as shown:
            return solve(
                instance,
                solver,
                time_limit=time_limit,
                seed=seed,
                start=begun,
                on_progress=shown,
                helpers=helpers,
            )
    except InputError as error:
        raise (error if error.field or start is None else error.in_file(str(start))) from None


@app.command(epilog=EXIT_CODES)
def check(instance: InstancePath, plan: PlanPath, as_json: AsJson = False) -> None:
    """Check a plan against every rule of its instance.

    Exactly, in integers, by code that no solver uses; prints the objective, each violation and every
    model's predicted latency against its SLO.

    \b
    planner check fleet.yaml plan.json && kubectl apply ...
    """
    from planner.files import load_instance
    from planner.plan_checks import check_plan
    from planner.plan_files import render
    from planner.report import tables, text

    asked = load_instance(instance)
    checked = check_plan(plan, asked)
    if as_json:
        print(render(checked.document(asked)), end="")
    else:
        text.show(tables.verdict(asked.name, checked))
    raise typer.Exit(REFUSED if checked.violations else OK)


@app.command()
def show(plan: PlanPath, everything: Everything = False) -> None:
    """Show who lives where, who suffers, who hurts them.

    planner show plan.json --all | less
    """
    from planner.plan_files import read_plan
    from planner.report import tables, text

    text.show(tables.plan(read_plan(plan), everything=everything))
