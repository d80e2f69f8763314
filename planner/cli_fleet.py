"""The commands between plans and fleets: ``planner export`` and ``planner import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planner.cli_options import InstancePath, PlanPath
from planner.exits import EXIT_CODES, OK, REFUSED

app = typer.Typer()


@app.command("export", epilog=EXIT_CODES)
def export_command(
    instance: InstancePath,
    plan: PlanPath,
    format_name: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="kubernetes, ray-serve, triton or csv.")
    ],
    output: Annotated[
        Path, typer.Option("-o", metavar="PATH", help="New or empty folder to write; of csv a file.")
    ],
    image: Annotated[
        str,
        typer.Option(metavar="TEXT", help="kubernetes: container image, with {model} for a model's label."),
    ] = "image-not-set.invalid/{model}",
    import_path: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="ray-serve: import path, with {model} for a model's label, - as _."
        ),
    ] = "import_path_not_set.{model}:app",
    resource: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RESOURCE[:UNIT]",
            help="What a resource of the instance is in Kubernetes and how much a 1 of it is, as in "
            "memory=memory:Gi; may be given several times. cpu, memory_gb and nvidia.com/gpu are known.",
        ),
    ] = None,
) -> None:
    """Write a plan as files that a fleet runs from. It is checked first.

    \b
    kubernetes   Deployments that spread exactly as planned, and a script that labels the nodes
    ray-serve    a config of Ray Serve, and a script that starts Ray on each machine
    triton       model repositories, one for each group of machines that carry the same models
    csv          one row for each model of each group

    \b
    planner export fleet.yaml plan.json --format kubernetes --image 'registry.example/{model}:1' -o deploy
    planner export fleet.yaml plan.json --format csv -o plan.csv
    """
    from planner.files import load_instance
    from planner.fleet.export import Options, check_output, export
    from planner.fleet.layout import layout
    from planner.plan_files import check_plan
    from planner.report.text import plain

    check_output(format_name, output)
    asked = load_instance(instance)
    checked = check_plan(plan, asked)
    if checked.violations:
        first, others = checked.violations[0], len(checked.violations) - 1
        more = f" ({others} more; `planner check {instance} {plan}` shows them)" if others else ""
        typer.echo(plain(f"refused: the plan is not valid: {first.rule}: {first.message}{more}"), err=True)
        raise typer.Exit(REFUSED)
    groups = layout(asked, checked.plan)
    options = Options(image, import_path, resource or ())
    for note in export(groups, format_name, output, options):
        print(plain(note))
    print(f"{groups.replicas:,} replicas in {len(groups.groups):,} groups of machines written to {output}")
    raise typer.Exit(OK)
