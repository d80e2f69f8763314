"""The command that says why: why a plan is as it is, or what would make an instance feasible."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.cli_options import AsJson, InstancePath
from planner.exits import EXIT_CODES, INFEASIBLE, NO_PLAN, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table

    from planner.instance import Instance
    from planner.plan_checks import Checked
    from planner.plan_form import PlanFile
    from planner.result import Result

app = typer.Typer()
_PLANNING = 1 / 3  # share of the time for a plan, or for the proof that there is none
_DECIDING = 1 / 8  # of what is left then, for one decision


@app.command("explain", epilog=EXIT_CODES)
def explain_command(
    instance: InstancePath,
    plan: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="Plan file; default: plan first.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Why is this model where it is?")] = None,
    machine: Annotated[
        str | None,
        typer.Option(metavar="TYPE[#N]", help="Who hurts whom on this type, or on its N-th group?"),
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="For all that is solved.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Say why a plan is as it is, or what would make an instance feasible.

    Of a plan: what it costs and which limits bind; of a model: what a replica suffers and causes, which other
    places there are, and what stands in the way of better ones; of machines: who hurts whom. Every change of
    the objective is the checker's. Groups of machines are called as `planner show --all` numbers them.
    Of an instance without a plan: the reasons, and the smallest changes that give it one.

    \b
    planner explain fleet.yaml plan.json
    planner explain fleet.yaml plan.json --model bert
    planner explain fleet.yaml plan.json --machine 'gpu-a#3'
    planner explain infeasible.yaml --time-limit 120
    """
    from planner.errors import InputError
    from planner.explain.parts import model_number
    from planner.files import load_instance
    from planner.plan_checks import check_plan
    from planner.plan_files import plan_document, promised, read_plan
    from planner.plan_form import PlanFile
    from planner.result import Status

    if not (time_limit > 0 and math.isfinite(time_limit)):
        raise InputError("must be a positive number of seconds", field="time_limit", value=time_limit)
    asked = load_instance(instance)
    if model is not None:
        model_number(asked, model)
    if plan is not None:
        asked = promised(read_plan(plan), asked)
        checked = check_plan(plan, asked)
        if checked.violations:
            _say(checked.document(asked), _refused(plan, checked), as_json)
            raise typer.Exit(REFUSED)
        _explain_plan(asked, read_plan(plan), model, machine, (instance, plan), as_json)
        return
    result = _solve(asked, _PLANNING * time_limit)
    if result.status is Status.INFEASIBLE:
        _explain_infeasible(asked, result, time_limit - result.seconds, as_json)
        raise typer.Exit(INFEASIBLE)
    if result.plan is None:
        text = "no plan was found, and no proof that there is none; give it a longer --time-limit"
        _say({"version": 1, "status": result.status.value}, [text], as_json)
        raise typer.Exit(NO_PLAN)
    document = PlanFile.model_validate(plan_document(asked, result))
    _explain_plan(asked, document, model, machine, (instance, None), as_json)


def _explain_plan(
    instance: Instance,
    document: PlanFile,
    model: str | None,
    machine: str | None,
    files: tuple[Path, Path | None],
    as_json: bool,
) -> None:
    """Say why a valid plan is as it is; without a file of it, it was made for the occasion."""
    from planner.explain.answer import explain
    from planner.plan_files import plan_of
    from planner.report import explain as words

    answer = explain(instance, plan_of(document, instance), document, model=model, machine=machine)
    path, plan = files
    call = f"planner explain {shlex.quote(str(path))} {shlex.quote(str(plan or 'PLAN'))}"
    _say(answer.document(instance, document), words.show(answer, document, call, made=plan is None), as_json)


def _explain_infeasible(instance: Instance, result: Result, seconds: float, as_json: bool) -> None:
    from planner.explain.changes import smallest_changes
    from planner.explain.decide import Decider
    from planner.explain.relaxing import Family
    from planner.report import changes as words
    from solvers import solve

    def show(family: Family, left: float) -> None:
        print(words.trying(family, left), file=sys.stderr, flush=True)

    decide = Decider(solve, max(seconds, 0.0), at_most=max(seconds * _DECIDING, 1.0))
    found = smallest_changes(instance, decide, show)
    document = words.document(instance, result.reasons, found)
    _say(document, words.infeasible(instance, result.reasons, found), as_json)


def _solve(instance: Instance, seconds: float) -> Result:
    from planner.report.live import watch
    from solvers import solve

    with watch("auto", instance.name, "auto", seconds) as shown:
        return solve(instance, "auto", time_limit=seconds, on_progress=shown)


def _refused(plan: Path, checked: Checked) -> Iterator[str]:
    from planner.report.text import count, plain

    found = checked.violations
    yield plain(f"{plan}: there is nothing to explain, the plan is refused, {count(len(found), 'violation')}")
    for violation in found:
        yield plain(f"  {violation.rule}: {violation.message}")


def _say(document: dict[str, Any], parts: Iterable[Table | str], as_json: bool) -> None:
    """Print a document, or the same in words."""
    from planner.plan_files import render
    from planner.report import text

    if as_json:
        print(render(document), end="")
    else:
        text.show(parts)
