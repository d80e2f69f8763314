"""The commands between plans and fleets: ``planner export`` and ``planner import``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import InstancePath, PlanPath
from planner.exits import EXIT_CODES, OK, REFUSED

if TYPE_CHECKING:
    from planner.fleet.imported import Imported
    from planner.fleet.inventory import Cluster, Which
    from planner.instance import Instance

app = typer.Typer()
importing = typer.Typer(help="Make an instance, and a plan of what runs, of a fleet.", no_args_is_help=True)
app.add_typer(importing, name="import")


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
    from planner.plan_checks import check_plan
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


@importing.command("kubernetes", epilog=EXIT_CODES)
def import_kubernetes(
    nodes: Annotated[Path, typer.Argument(metavar="NODES", help="What `kubectl get nodes -o json` printed.")],
    pods: Annotated[Path, typer.Argument(metavar="PODS", help="What `kubectl get pods -A -o json` printed.")],
    output: Annotated[Path, typer.Option("-o", metavar="INSTANCE", help="Instance file to write.")],
    plan: Annotated[Path, typer.Option(metavar="PLAN", help="Plan file to write: what runs where.")],
    template: Annotated[
        Path | None,
        typer.Option(metavar="INSTANCE", help="Take latencies, degradations and rules from here, by names."),
    ] = None,
    no_interference: Annotated[
        bool, typer.Option("--no-interference", help="In place of --template: 1 ms, and no degradation.")
    ] = False,
    namespace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Models are in it; may be given several times. Default: in any."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="KEY", help="Pod label that names the model. Default: its owner.")
    ] = None,
    type_label: Annotated[
        str, typer.Option(metavar="KEY", help="Node label that names the machine type.")
    ] = "node.kubernetes.io/instance-type",
    pins: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write commands that label the nodes of pinned entries."),
    ] = None,
) -> None:
    """Make an instance and a plan of what runs on Kubernetes.

    Pods of Deployments, ReplicaSets and StatefulSets are replicas of models: with --template, of those that
    it knows. All other pods are background load. CPU is counted in cores, memory in megabytes (10^6 bytes).

    \b
    kubectl get nodes -o json > nodes.json; kubectl get pods -A -o json > pods.json
    planner import kubernetes nodes.json pods.json --template fleet.yaml -o now.yaml --plan now.json
    planner replan now.yaml --from now.json --max-moves 20 -o next.json
    """
    from planner.errors import InputError
    from planner.files import save_instance
    from planner.fleet.findings import findings, pin_nodes
    from planner.fleet.inventory import Which
    from planner.fleet.running import running_document
    from planner.names import check_name
    from planner.plan_files import check_plan_path, save_document
    from planner.report.text import plain
    from planner.writing import check_writable, write_atomically

    if template is not None and no_interference:
        raise InputError("must not be given beside --no-interference", field="template", value=str(template))
    check_name(output.stem, "-o")
    check_plan_path(plan)
    for path in (output, plan, pins):
        if path is not None:
            check_writable(path)
    which = Which(namespace or (), label, type_label)
    cluster, found, known = _imported(nodes, pods, which, output.stem, template, no_interference)
    save_instance(found.instance, output)
    save_document(plan, running_document(found.instance, found.plan))
    if pins is not None:
        write_atomically(pins, pin_nodes(found))
    for line in findings(cluster, found, known):
        print(plain(line))
    print(f"written to {output} and {plan}; `planner replan {output} --from {plan}` changes it")
    raise typer.Exit(OK)


def _imported(
    nodes: Path, pods: Path, which: Which, name: str, template: Path | None, no_interference: bool
) -> tuple[Cluster, Imported, Instance | None]:
    """Read a cluster and make an instance of it and, if one is given, of a template."""
    from planner.errors import InputError
    from planner.files import load_instance
    from planner.fleet.findings import unknown
    from planner.fleet.imported import imported
    from planner.fleet.inventory import read_cluster

    known = None if template is None else load_instance(template)
    which = replace(which, known=None if known is None else known.model_index)
    cluster = read_cluster(nodes, pods, which)
    if known is None and not no_interference:
        rule = "is needed, or --no-interference: Kubernetes knows no latencies and degradations of"
        raise InputError(f"{rule} {unknown(cluster)}", field="template")
    try:
        return cluster, imported(cluster, name, known), known
    except InputError as error:
        raise (error if error.file or template is None else error.in_file(str(template))) from None
