"""The command that asks how a plan fares when degradations turn out otherwise than expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, InstancePath
from planner.exits import OK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from planner.simulate import Simulation

app = typer.Typer()
_MODELS = 10


@app.command("simulate")
def simulate_command(
    instance: InstancePath,
    plans: Annotated[list[Path], typer.Argument(metavar="PLAN", help="Plan files, JSON.")],
    draws: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How often degradations are drawn.")
    ] = 1000,
    factor: Annotated[
        float, typer.Option(min=0.0, max=1000.0, help="What all degradations are multiplied with.")
    ] = 1.0,
    together: Annotated[
        bool, typer.Option("--together", help="All errors rise and fall together, the worst case.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws; each plan meets the same.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask how often plans break SLOs when degradations turn out otherwise than expected.

    The instance must say how uncertain its degradations are: a column `upper` in its table, the upper end of
    each 95 % interval, as `planner build` writes it. Compare a plan with one made by
    `planner plan --robust 0.95`: the difference of their objectives is the price of robustness.

    \b
    planner simulate fleet.yaml plan.json robust.json
    planner simulate fleet.yaml plan.json robust.json --factor 1.5
    """
    from planner.files import load_instance
    from planner.plan_files import load_plan, render
    from planner.report import text
    from planner.simulate import simulate

    asked = load_instance(instance)
    found = {
        str(path): simulate(
            asked, load_plan(path, asked), draws=draws, factor=factor, together=together, seed=seed
        )
        for path in plans
    }
    if as_json:
        print(render(_document(found, factor, together)), end="")
    else:
        text.show(_tables(found, factor, together))
    raise typer.Exit(OK)


def _document(found: dict[str, Simulation], factor: float, together: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from planner.plan_files import exact

    plans = [
        {**asdict(s), "plan": path, "objective": exact(s.objective), "price": exact(s.price)}
        for path, s in found.items()
    ]
    return {"version": 1, "factor": factor, "together": together, "plans": plans}


def _tables(found: dict[str, Simulation], factor: float, together: bool) -> Iterator[Any]:
    from planner.plan_files import exact
    from planner.report.tables import table
    from planner.report.text import number, percent, plain

    draws = next(iter(found.values())).draws
    errors = "rising and falling together" if together else "independent of each other"
    title = f"{draws:,} draws, errors {errors}" + (f", all times {factor:g}" if factor != 1 else "")
    columns = ("<plan", "objective", "machines", "price", "replicas over", "worst model", "draws with any")
    summary = [
        (
            plain(Path(path).name),
            number(exact(s.objective)),
            s.machines_used,
            number(exact(s.price)),
            percent(s.missed),
            percent(s.worst),
            percent(s.any_missed),
        )
        for path, s in found.items()
    ]
    yield table(title, columns, summary)
    for path, s in found.items():
        worst = sorted((m for m in s.models if m.missed), key=lambda m: -m.missed)
        if worst:
            rows = [(plain(m.model), m.replicas, percent(m.missed), percent(m.any_missed)) for m in worst]
            name = plain(f"Models over their SLO in {Path(path).name}")
            yield table(name, ("<model", "replicas", "replicas over", "draws with any"), rows[:_MODELS])
        if len(worst) > _MODELS:
            yield f"  ... and {len(worst) - _MODELS} more models"
