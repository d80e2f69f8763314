"""The commands that close the loop: an instance from predictions, and a plan measured on this host."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, Cluster, InstancePath
from planner.exits import OK, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from planner.degradation.build import Built
    from planner.degradation.rows import Measurement
    from planner.measure.execute import Step
    from planner.measure.journal import Colocation, Journal
    from planner.measure.spec import Spec

app = typer.Typer()


@app.command("build")
def build_command(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="Models, inventory and SLOs, YAML or JSON.")],
    predictor: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of a predictor, from `planner train`.")
    ],
    output: Annotated[Path, typer.Option("-o", metavar="INSTANCE", help="Instance file to write.")],
    measurements: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measurements; where there are any, they replace predictions."),
    ] = None,
) -> None:
    """Make an instance from a predictor: what will these models do to each other on these machines?

    SPEC is an instance file without degradations. A model may leave out latency_ms, which is then looked up
    in the measurements, and give slo_slowdown (SLO over the latency alone) for slo_ms. The table beside the
    instance says of each degradation whether it was measured or predicted, with a 95 % interval. Where sets
    of three and more were measured, co-location factors are calibrated.

    \b
    planner build fleet.spec.yaml --predictor models/cpu2 -o fleet.yaml
    planner build fleet.spec.yaml --predictor models/cpu2 --measurements measured.csv -o fleet.yaml
    """
    from planner.degradation.build import build, read_spec
    from planner.degradation.predictor import Predictor
    from planner.degradation.table import read_table
    from planner.errors import InputError
    from planner.files import save_instance
    from planner.writing import check_writable

    check_writable(output)
    asked = read_spec(spec)
    trained = Predictor.load(predictor)
    table = None if measurements is None else read_table(measurements)
    try:
        built = build(asked, trained, table)
    except InputError as error:
        raise (error if error.file else error.in_file(str(spec))) from None
    said = list(_provenance(built, spec, predictor, measurements))
    save_instance(built.instance, output, table=built.table(), comment=said)
    print("\n".join(said), file=sys.stderr)
    print(f"written to {output}; `planner plan {output}` plans it", file=sys.stderr)


def _provenance(built: Built, spec: Path, predictor: Path, measurements: Path | None) -> Iterator[str]:
    """Yield where the numbers come from, a line each."""
    from planner.plan_files import version
    from planner.report.text import plain

    yield plain(f"built by planner {version()} from {spec}")
    measured, predicted = built.count("measured"), built.count("predicted")
    where = "" if measurements is None else f" in {measurements}"
    yield plain(f"degradations: {measured} measured{where}, {predicted} predicted by {predictor}")
    yield plain(f"latencies: as {spec} gives them{'' if measurements is None else ', else as measured'}")
    for f in built.factors:
        interval = f"[{f.lower:.2f}, {f.upper:.2f}]"
        sums = f"sums of pairs x {f.factor:.3f} {interval}, from {f.sets} measured sets"
        yield plain(f"{f.machine_type} with {f.replicas} replicas: {sums}")


@app.command("validate")
def validate_command(
    instance: InstancePath,
    plans: Annotated[
        list[Path], typer.Argument(metavar="PLAN...", help="Plans of it; the first is compared with.")
    ],
    on: Annotated[
        Path, typer.Option(metavar="SPEC", help="Profile spec: what types and models are on this host.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="Folder for runs and results; goes on there.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each pattern.")] = 5,
    sample: Annotated[int | None, typer.Option(min=1, help="Measure only so many patterns.")] = None,
    budget: Annotated[float | None, typer.Option(metavar="SECONDS", help="Begin no run beyond this.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    cluster: Cluster = None,
    as_json: AsJson = False,
) -> None:
    """Measure plans and compare them with what was predicted, on this host or on a cluster.

    Each distinct pattern of two or more replicas is run by the protocol (solo, together, together, solo) in
    every round; machines of this host stand for those of the plan, one at a time. With several plans, their
    measured degradations are summed up and compared with the first one's.

    \b
    planner validate fleet.yaml plan.json --on host.spec.yaml
    planner validate fleet.yaml least.json plan.json --on host.spec.yaml --rounds 8 -o results

    With --cluster the patterns of each machine type are measured on a worker of a Dask cluster that says that
    it is one (see `planner profile --help`), in pieces of a minute; Ctrl-C then loses what was measured of
    the last.

    Exit codes: 0 measured, or the budget is used up; 1 an internal failure, or lost workers (the report is of
    what was measured); 2 bad usage or input.
    """
    from planner.degradation.validation import patterns_of, sampled, validate
    from planner.files import load_instance, load_plan
    from planner.measure.execute import check_covers
    from planner.measure.spec import load_spec
    from planner.plan_files import render
    from planner.report import text
    from planner.report import validation as report

    asked = load_instance(instance)
    named = {_plan_name(path, plans): load_plan(path, asked) for path in plans}
    spec = load_spec(on)
    wanted = sampled([patterns_of(asked, plan) for plan in named.values()], sample, seed)
    check_covers(spec, wanted, str(on))
    if cluster is None:
        _check_here(spec, on)
    with _folder(output) as folder:
        runs = folder / "runs.csv"
        rows, lost = _measure(spec, wanted, runs, rounds, budget, cluster)
        found = validate(asked, named, rows)
        if output is not None:
            report.save(folder, found)
    if as_json:
        print(render(report.as_document(found)), end="")
    else:
        text.show(report.show(found))
    raise typer.Exit(REFUSED if lost else OK)


def _check_here(spec: Spec, file: Path) -> None:
    """Refuse a spec of machine types that this host cannot be."""
    from planner.errors import InputError
    from planner.measure.host import check_spec, this_host

    try:
        check_spec(spec, this_host())
    except InputError as error:
        raise (error if error.file else error.in_file(str(file))) from None


def _plan_name(path: Path, plans: Sequence[Path]) -> str:
    """Return what to call a plan: its file's name, or all of its path if two share that."""
    alike = sum(other.stem == path.stem for other in plans)
    return path.stem if alike == 1 else str(path)


@contextlib.contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    """Yield the folder for runs: the one asked for, else one that goes away."""
    from tempfile import TemporaryDirectory

    from planner.writing import make_folder

    if output is not None:
        make_folder(output)
        yield output
    else:
        with TemporaryDirectory() as folder:
            yield Path(folder)


def _measure(
    spec: Spec,
    wanted: Sequence[Colocation],
    runs: Path,
    rounds: int,
    budget: float | None,
    cluster: str | None,
) -> tuple[list[Measurement], bool]:
    """Measure until done, out of time or interrupted; return the rows, and whether workers were lost."""
    from planner.degradation.rows import read_rows
    from planner.measure.execute import execute
    from planner.measure.journal import Journal

    lost = False
    with Journal(runs, spec.sha256, spec.form.model_dump(mode="json")) as journal:
        try:
            if cluster is None:
                execute(spec, wanted, journal, rounds=rounds, budget_s=budget, on_step=_show_step)
            else:
                lost = _on_fleet(spec, wanted, journal, rounds, budget, cluster)
        except KeyboardInterrupt:
            print("interrupted; what was measured counts", file=sys.stderr)
        return read_rows(runs) if journal.rows else [], lost


def _on_fleet(
    spec: Spec,
    wanted: Sequence[Colocation],
    journal: Journal,
    rounds: int,
    budget: float | None,
    cluster: str,
) -> bool:
    """Measure on the workers of a Dask cluster; return whether some were lost."""
    from planner.cluster.dask_pool import DaskPool
    from planner.measure.fleet import execute_fleet
    from planner.report.text import plain

    def say(text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    with DaskPool(cluster, say) as pool:
        return bool(
            execute_fleet(
                spec, wanted, journal, pool, rounds=rounds, say=say, budget_s=budget, on_step=_show_step
            )
        )


def _show_step(step: Step) -> None:
    from planner.report.text import plain

    left = "" if step.seconds_left is None else f", about {step.seconds_left:.0f} s left"
    at = f"run {min(step.done + 1, step.wanted)} of {step.wanted}{left}"
    print(plain(f"{at}: {step.what}"), file=sys.stderr, flush=True)
