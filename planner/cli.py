"""The ``planner`` command: reads files, calls the planner, prints what it answers. No logic.

Little more than typer is imported here; what is slow is imported inside the command that needs it, so
that ``planner --help`` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner import cli_learn, cli_loop, cli_measure, cli_replan
from planner.exits import EXIT_CODES, INFEASIBLE, INTERRUPTED, NO_PLAN, OK, REFUSED, Commands, unforeseen

if TYPE_CHECKING:
    from planner.instance import Instance
    from planner.plan import Plan
    from planner.report.compare import Comparison
    from planner.result import Result

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)

InstancePath = Annotated[Path, typer.Argument(metavar="INSTANCE", help="Instance file, YAML or JSON.")]
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file, JSON.")]
Seed = Annotated[int, typer.Option(help="Same instance, seed, version: same plan, unless the time runs out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
Everything = Annotated[bool, typer.Option("--all", help="Show every group and every model.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from planner.plan_files import version

        print(f"planner {version()}")
        raise typer.Exit


@app.callback()
def _planner(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Decide which inference models share which machines, with a proven gap.

    \b
    planner generate -o fleet.yaml            a random instance to play with
    planner plan fleet.yaml -o plan.json      plan it
    planner check fleet.yaml plan.json        check any plan, rule by rule
    planner compare fleet.yaml                all solvers side by side
    """


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
) -> None:
    """Place every replica of an instance.

    The plan minimises the instance's objective (degradation, price, both, or the worst degradation)
    under all of its rules. Ctrl-C ends the solve with the best plan so far and its bound.

    \b
    planner plan fleet.yaml --solver milp --time-limit 300 -o plan.json
    planner plan fleet.yaml --start plan.json --json > better.json
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
    begun = None if start is None else load_plan(start, asked)
    if write_model is not None:
        _write_model(asked, write_model)
    result = _solve(asked, solver, time_limit, seed, start, begun)
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


def _write_model(instance: Instance, path: Path) -> None:
    from planner.writing import check_writable
    from solvers.milp import write_model

    check_writable(path)
    write_model(instance, path)


def _solve(
    instance: Instance, solver: str, time_limit: float, seed: int, start: Path | None, begun: Plan | None
) -> Result:
    from planner.errors import InputError
    from planner.report.live import Watch
    from solvers import solve

    try:
        with Watch(time_limit, f"{instance.name} ({solver})") as watch:
            return solve(instance, solver, time_limit=time_limit, seed=seed, start=begun, on_progress=watch)
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
    from planner.plan_files import check_plan, render
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
    from planner.writing import make_folder

    names = _solver_names(solver)
    asked = dict(zip(labels(instances), map(load_instance, instances), strict=True))
    if output is not None:
        make_folder(output)
    done: list[Comparison] = []
    try:
        for label, instance in asked.items():
            _compare(label, instance, names, time_limit, seed, output, done, as_json)
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
    time_limit: float,
    seed: int,
    output: Path | None,
    done: list[Comparison],
    as_json: bool,
) -> None:
    """Run the named solvers on one instance and print the table, even if interrupted."""
    from planner.plan_files import plan_document
    from planner.report.compare import Comparison, save
    from planner.report.live import Watch
    from planner.report.text import show
    from planner.result import Stop
    from solvers.child import solve_in_child

    done.append(Comparison(label))
    try:
        for name in names:
            with Watch(time_limit, f"{label} ({name})") as watch:
                result = solve_in_child(instance, name, time_limit=time_limit, seed=seed, on_progress=watch)
            done[-1].documents.append(plan_document(instance, result))
            if output is not None:
                save(output, done)
            if result.stop is Stop.INTERRUPTED:
                raise KeyboardInterrupt
    finally:
        if not as_json:
            show([done[-1].table(), *done[-1].notes()])


@app.command()
def generate(
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="Where to write it: .yaml or .json.")],
    name: Annotated[str, typer.Option(help="Name of the instance.")] = "generated",
    models: Annotated[int, typer.Option(help="Models.")] = 20,
    types: Annotated[int, typer.Option(help="Machine types.")] = 3,
    replicas: Annotated[int, typer.Option(help="Replicas over all models.")] = 200,
    machines: Annotated[
        int | None, typer.Option(help="Machines over all types; default: from the tightness.")
    ] = None,
    slots: Annotated[tuple[int, int], typer.Option(help="Fewest and most slots of a machine.")] = (4, 6),
    tightness: Annotated[float, typer.Option(help="Memory needed over memory there.")] = 0.8,
    heterogeneity: Annotated[
        float, typer.Option(help="Share of the variance that is pair x machine type.")
    ] = 0.44,
    slo_fraction: Annotated[float, typer.Option(help="Share of the models that have an SLO.")] = 0.5,
    rules: Annotated[int, typer.Option(help="Rules of each kind.")] = 0,
    objective: Annotated[str, typer.Option(help="degradation, price or worst.")] = "degradation",
    feasible: Annotated[bool, typer.Option("--feasible", help="Make sure that there is a plan.")] = False,
    seed: Seed = 0,
) -> None:
    """Write a random instance that looks like a fleet.

    \b
    planner generate -o fleet.yaml
    planner generate -o large.yaml --replicas 20000 --models 100 --types 8 --feasible --seed 7
    """
    from planner.files import save_instance
    from planner.generate import generate as make

    instance = make(
        name=name,
        models=models,
        types=types,
        replicas=replicas,
        machines=machines,
        slots=slots,
        tightness=tightness,
        heterogeneity=heterogeneity,
        slo_fraction=slo_fraction,
        rules=rules,
        objective=objective,
        feasible=feasible,
        seed=seed,
    )
    save_instance(instance, output)
    print(f"written to {output}; `planner plan {output}` plans it", file=sys.stderr)


@app.command("solvers")
def solvers_command() -> None:
    """List the solvers that --solver takes."""
    from planner.report import tables, text
    from solvers import SOLVERS

    rows = [(name, "yes" if e.proves else "no", e.about) for name, e in SOLVERS.items()]
    text.show([tables.table("Solvers", ("<name", "<proves a bound", "~what it does"), rows)])


@app.command()
def schema() -> None:
    """Print the JSON Schema of an instance file.

    \b
    planner schema > instance.schema.json
    """
    import json

    from planner.files import instance_schema

    print(json.dumps(instance_schema(), indent=2))


for more in (cli_measure, cli_learn, cli_loop, cli_replan):
    app.add_typer(more.app)


def main() -> None:
    """Run the command; an error that nobody foresaw ends it with one line and exit code 1."""
    try:
        app()
    except Exception as error:
        unforeseen(error)
