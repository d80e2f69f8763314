"""The commands about instance files: ``planner generate`` and ``planner schema``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.cli_options import Seed

app = typer.Typer()


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


@app.command()
def schema() -> None:
    """Print the JSON Schema of an instance file.

    \b
    planner schema > instance.schema.json
    """
    import json

    from planner.files import instance_schema

    print(json.dumps(instance_schema(), indent=2))
