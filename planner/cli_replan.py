"""The command that changes a plan as little as possible when the fleet has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, InstancePath, ProgressStyle, Seed, ShowProgress
from planner.exits import EXIT_CODES, INFEASIBLE, NO_PLAN, OK

if TYPE_CHECKING:
    from planner.instance import Instance
    from planner.plan_form import PlanFile
    from planner.report.replan import Answer

app = typer.Typer()


@app.command("replan", epilog=EXIT_CODES)
def replan_command(
    instance: InstancePath,
    today: Annotated[Path, typer.Option("--from", metavar="PLAN", help="Plan file of what runs today.")],
    max_moves: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Most replicas that may change machines.")
    ] = None,
    move_cost: Annotated[
        float | None, typer.Option(metavar="C", help="What a move adds to the objective.")
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Most seconds to solve.")] = 60.0,
    seed: Seed = 0,
    output: Annotated[Path | None, typer.Option("-o", metavar="PLAN", help="Plan file to write.")] = None,
    moves: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the steps, in their order, as CSV.")
    ] = None,
    curve: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw objective against moves: .svg or .png.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step.")] = False,
    as_json: AsJson = False,
    progress: ShowProgress = ProgressStyle.AUTO,
) -> None:
    """Change a plan as little as possible: the best plan within N moves of what runs today.

    The instance may have changed since PLAN was made: models and machines added or gone, other
    measurements. Models and machine types are known by their names. Replicas that have no machine yet are
    placed, which is no move. Without --max-moves and --move-cost, the best plan at all. The steps come in an
    order in which every machine keeps its rules after each.

    \b
    planner replan fleet.yaml --from plan.json --max-moves 20 -o next.json --moves moves.csv
    planner replan fleet.yaml --from plan.json --move-cost 0.05 --curve curve.svg
    """
    from planner.errors import InputError
    from planner.extras import require
    from planner.files import load_instance
    from planner.integers import PPM
    from planner.plan_files import check_plan_path, read_plan, render
    from planner.report import replan as report
    from planner.report.text import show
    from planner.writing import check_writable

    if output is not None:
        check_plan_path(output)
    if curve is not None and curve.suffix not in (".svg", ".png"):
        raise InputError("must end in .svg or .png", field="curve", value=str(curve))
    if curve is not None:
        require("matplotlib", extra="report")
    if move_cost is not None and not 0 <= move_cost <= 1e12:
        raise InputError("must be from 0 to 1e12", field="move_cost", value=move_cost)
    for path in (output, moves, curve):
        if path is not None:
            check_writable(path)
    asked = load_instance(instance)
    document = read_plan(today)
    price = None if move_cost is None else round(move_cost * PPM)
    answer = _answer(asked, document, max_moves, price, time_limit, seed, progress)
    _write(answer, output, moves, curve, seed)
    if as_json:
        print(render(answer.document()), end="")
    else:
        show(report.show(answer, everything=everything))
        if output is not None and answer.found.best is not None:
            print(f"written to {output}; `planner check {instance} {output}` checks it")
    if answer.found.best is None:
        raise typer.Exit(INFEASIBLE if answer.found.infeasible else NO_PLAN)
    raise typer.Exit(OK)


def _answer(
    asked: Instance,
    document: PlanFile,
    max_moves: int | None,
    price: int | None,
    time_limit: float,
    seed: int,
    progress: ProgressStyle,
) -> Answer:
    """Replan and put the moves in order, with progress."""
    from planner.current import current
    from planner.move_order import order
    from planner.report.live import watch
    from planner.report.replan import Answer
    from solvers.replan import replan

    now = current(document, asked)
    with watch(progress, asked.name, "replan", time_limit) as shown:
        found = replan(
            now,
            max_moves=max_moves,
            move_price=price,
            time_limit=time_limit,
            seed=seed,
            on_progress=shown,
        )
    way = None if found.best is None else order(now, found.best.became)
    return Answer(now, found, way, max_moves, price)


def _write(answer: Answer, output: Path | None, moves: Path | None, curve: Path | None, seed: int) -> None:
    """Write what was asked for, all of it or nothing."""
    from planner.pictures import encoded
    from planner.plan_files import save_plan
    from planner.report.replan import figure
    from planner.writing import write_together

    files: dict[Path, str | bytes] = {}
    if moves is not None:
        files[moves] = answer.csv()
    if curve is not None and answer.found.curve:
        files[curve] = encoded(figure(answer.found), curve.suffix[1:])
    write_together(files)
    result = answer.result(seed)
    if result is not None and output is not None:
        save_plan(output, answer.now.instance, result)
