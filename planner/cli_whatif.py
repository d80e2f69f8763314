"""The command for capacity questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.cli_options import AsJson, InstancePath, ProgressStyle, ShowProgress
from planner.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from planner.instance import Instance
    from planner.plan import Plan
    from planner.report.whatif import Asked
    from planner.result import OnProgress, Progress, Result, Solve, Status
    from planner.whatif.prices import Units
    from planner.whatif.sweeps import Sweep
    from planner.whatif.work import Work

app = typer.Typer()
_POINTS = 10


@app.command("whatif")
def whatif_command(
    instance: InstancePath,
    machines: Annotated[
        str | None,
        typer.Option(metavar="TYPE=LOW..HIGH[:STEP]", help="How many machines of a type there are."),
    ] = None,
    slo: Annotated[
        str | None, typer.Option(metavar="LOW..HIGH[:STEPS]", help="A factor on every SLO.")
    ] = None,
    growth: Annotated[
        str | None,
        typer.Option(metavar="LOW..HIGH[:STEPS]", help="A factor on every model's replicas, rounded up."),
    ] = None,
    growth_of: Annotated[
        str | None, typer.Option(metavar="MODEL=LOW..HIGH[:STEP]", help="Replicas of one model.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="TYPE=LOW..HIGH[:STEPS]", help="Price of a machine type.")
    ] = None,
    cheapest: Annotated[
        bool, typer.Option("--cheapest", help="Cheapest mix of machines that meets every hard SLO.")
    ] = False,
    pareto: Annotated[bool, typer.Option("--pareto", help="Least degradation for each price.")] = False,
    points: Annotated[
        int | None, typer.Option(min=2, max=200, help=f"With --pareto: most plans to look for ({_POINTS}).")
    ] = None,
    solver: Annotated[str, typer.Option(help="One of `planner solvers`.")] = "auto",
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Most seconds for everything.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of every solve.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", metavar="DIR", help="Folder for whatif.csv, whatif.json, plots, plans."),
    ] = None,
    as_json: AsJson = False,
    progress: ShowProgress = ProgressStyle.AUTO,
) -> None:
    """Ask what if: other machines, SLOs, replicas or prices; each answer with its bound.

    Give exactly one question. STEP is the distance of whole numbers, STEPS how many values there are, ends
    included (11). What is found at one point, a plan, a bound, a proof that there is none, is used at all
    others where it holds. Values without a plan are proven to have none, or said to be undecided. Ctrl-C
    keeps what is done.

    \b
    planner whatif fleet.yaml --machines a100=4..12        how many do we need, what does one more buy?
    planner whatif fleet.yaml --slo 0.8..1.5:8             how tight may the SLOs be?
    planner whatif fleet.yaml --growth 1..2                how much growth fits?
    planner whatif fleet.yaml --growth-of bert=10..40:5    of one model
    planner whatif fleet.yaml --price a100=1..5:9          where does the mix of machines change?
    planner whatif fleet.yaml --cheapest                   the cheapest mix, then its least degradation
    planner whatif fleet.yaml --pareto -o results          what less degradation costs

    Exit codes: 0 some point has a plan; 1 an internal failure; 2 bad usage or input; 3 proven that none has;
    4 none was found in the time; 130 interrupted.
    """
    asked = {"machines": machines, "slo": slo, "growth": growth, "growth_of": growth_of, "price": price}
    given = {flag: text for flag, text in asked.items() if text is not None}
    given |= {flag: "" for flag, wanted in (("cheapest", cheapest), ("pareto", pareto)) if wanted}
    flag, text = _one(given, points)
    _check(time_limit, output, flag)
    from planner.files import load_instance
    from planner.plan_files import render
    from planner.report import text as console
    from planner.report.whatif import Asked

    base = load_instance(instance)
    question = _question(base, flag, text, points or _POINTS)
    work = _work(solver, time_limit, seed, base, progress)
    answer = question(work)
    said = Asked(
        base.name,
        f"--{flag.replace('_', '-')} {text}".strip(),
        solver,
        seed,
        work.solves,
        work.seconds,
        work.interrupted,
    )
    if output is not None:
        answer.save(output, said)
    if as_json:
        print(render(answer.document(said)), end="")
    else:
        console.show(answer.show(said))
        if output is not None:
            print(f"written to {output}")
    raise typer.Exit(INTERRUPTED if work.interrupted else answer.exit_code())


def _question(instance: Instance, flag: str, text: str, points: int) -> Callable[[Work], _Answer]:
    """Return what answers the question that a flag asks; refuses a bad range at once."""
    from planner.whatif import ranges, sweeps
    from planner.whatif.prices import Units

    if flag == "cheapest":
        return partial(_cheapest, Units.of(instance))
    if flag == "pareto":
        return partial(_pareto, Units.of(instance), most=points)
    if flag == "slo":
        return partial(_swept, sweeps.slo(instance, ranges.decimals(text, flag)))
    if flag == "growth":
        return partial(_swept, sweeps.growth(instance, ranges.decimals(text, flag)))
    name, values = ranges.named(text, flag, "MODEL" if flag == "growth_of" else "TYPE")
    if flag == "machines":
        return partial(_swept, sweeps.machines(instance, name, ranges.counts(values, flag)))
    if flag == "growth_of":
        return partial(_swept, sweeps.growth_of(instance, name, ranges.counts(values, flag)))
    return partial(_swept, sweeps.price(instance, name, ranges.decimals(values, flag, zero=True)))


def _one(given: dict[str, str], points: int | None) -> tuple[str, str]:
    """Return the one question that was given."""
    from planner.errors import InputError

    if len(given) != 1:
        flags = "--machines, --slo, --growth, --growth-of, --price, --cheapest and --pareto"
        found = ", ".join("--" + flag.replace("_", "-") for flag in given) or "none"
        raise InputError(f"give exactly one of {flags}; found {found}")
    flag, text = next(iter(given.items()))
    if points is not None and flag != "pareto":
        raise InputError("goes with --pareto", field="points", value=points)
    return flag, text


def _check(time_limit: float, output: Path | None, flag: str) -> None:
    """Refuse what would fail only after the work is done."""
    from math import isfinite

    from planner.errors import InputError
    from planner.extras import require
    from planner.writing import make_folder

    if not (time_limit > 0 and isfinite(time_limit)):
        raise InputError("must be a positive number of seconds", field="time_limit", value=time_limit)
    if output is not None:
        if flag != "cheapest":
            require("matplotlib", extra="report")
        make_folder(output)


def _work(solver: str, time_limit: float, seed: int, instance: Instance, progress: ProgressStyle) -> Work:
    """Return the work to do, its clock started once the solver is loaded."""
    from planner.report.live import watch
    from planner.whatif.work import Work
    from solvers import load

    with watch(progress, instance.name, solver, time_limit):
        load(solver)
    return Work(_watched(progress), time_limit, seed, solver)


def _watched(progress: ProgressStyle) -> Solve:
    """Return the way into the solvers, with the progress of each solve shown."""
    from planner.report.live import watch
    from solvers import solve

    number = 0

    def watched(
        instance: Instance,
        solver: str = "auto",
        *,
        time_limit: float,
        seed: int = 0,
        start: Plan | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        nonlocal number
        number += 1
        with watch(progress, instance.name, solver, time_limit, f"solve {number}") as shown:

            def both(now: Progress) -> bool:
                shown(now)
                return bool(on_progress and on_progress(now))

            return solve(instance, solver, time_limit=time_limit, seed=seed, start=start, on_progress=both)

    return watched


@dataclass(frozen=True)
class _Answer:
    """What to do with an answer, whatever was asked."""

    statuses: list[Status]
    show: Callable[[Asked], Iterator[Table | str]]
    document: Callable[[Asked], dict[str, Any]]
    save: Callable[[Path, Asked], None]

    def exit_code(self) -> int:
        """Return how the command ends."""
        if any(status in ("optimal", "feasible") for status in self.statuses):
            return OK
        return INFEASIBLE if all(status == "infeasible" for status in self.statuses) else NO_PLAN


def _cheapest(units: Units, work: Work) -> _Answer:
    from planner.report import whatif_price as report
    from planner.whatif.cheapest import cheapest

    found = cheapest(units, work, work.left)
    return _Answer(
        [found.price.status],
        partial(report.show_cheapest, found),
        partial(report.cheapest_document, found),
        partial(report.save_cheapest, found),
    )


def _pareto(units: Units, work: Work, most: int) -> _Answer:
    from planner.report import whatif_price as report
    from planner.whatif.pareto import pareto

    first, front = pareto(units, work, most)
    return _Answer(
        [first.price.status],
        partial(report.show_front, first, front),
        partial(report.front_document, first, front),
        partial(report.save_front, first, front),
    )


def _swept(sweep: Sweep, work: Work) -> _Answer:
    from planner.report import whatif as report

    work.settle(sweep.points, sweep.inference)
    return _Answer(
        [point.status for point in sweep.points],
        partial(report.show, sweep),
        partial(report.document, sweep),
        partial(report.save, sweep),
    )
