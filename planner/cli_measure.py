"""The commands that measure: ``planner hosts``, ``planner profile`` and ``planner merge``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.cli_options import AsJson, Cluster
from planner.exits import INTERRUPTED, OK, REFUSED, Commands

if TYPE_CHECKING:
    from planner.measure.merge import Source
    from planner.measure.profile import Outcome
    from planner.measure.spec import Spec

app = typer.Typer(cls=Commands, rich_markup_mode=None, no_args_is_help=True)


@app.command()
def hosts(
    as_json: AsJson = False,
) -> None:
    """Show what this host is and which machine types it can stand for.

    Ends with a profile spec for them, ready to be edited.

    \b
    planner hosts
    planner hosts --json | jq .machine_types
    """
    import json

    from planner.measure.host import offered, snippet, this_host
    from planner.measure.ping import ping
    from planner.report import tables, text

    host = this_host()
    types = offered(host)
    transfer = ping((host.cores[0], host.cores[1])) if len(host.cores) > 1 else None
    document = host.document() | {"ping_ns": transfer}
    if as_json:
        document["machine_types"] = [m.model_dump(mode="json") for m in types]
        print(json.dumps(document, indent=1))
        return
    rows = [(name.replace("_", " "), _shown(value)) for name, value in document.items()]
    text.show([tables.table("This host", ("<what", "<is"), rows), "", snippet(types).rstrip()])


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {v}" for name, v in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "not known" if value is None else str(value)


@app.command()
def profile(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="Profile spec, YAML or JSON.")],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="Measurements table: NAME.csv.")],
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Most seconds to measure; default: until all is.")
    ] = None,
    select: Annotated[
        str, typer.Option(help="What is measured first: active, random or all (in rounds).")
    ] = "active",
    cluster: Cluster = None,
) -> None:
    """Measure how much models slow each other down, on this host or on a cluster.

    Runs every co-location as often as the spec says: each model alone, all together twice, each alone
    again. Ctrl-C, a crash or an empty budget lose nothing: the same command goes on where it was. Beside
    the table come NAME.features.csv, NAME.hosts.json and NAME.spec.json.

    \b
    A spec (`planner hosts` prints one for this host):
    version: 1
    models:
      - {zoo: resnet18}
      - {zoo: bert_mini@8, rate_rps: 20}
      - {name: mine, onnx: mine.onnx, inputs: [{name: x, shape: [1, 16], dtype: float32}]}
    machine_types:
      - {name: 2-cores-own, cores: [0, 1], sharing: own, slots: 4, memory_gb: 8}
      - {name: 1-core-shared, cores: [0], sharing: shared, slots: 4, memory_gb: 8}
    protocol: {loop: closed, window_s: 0.5, warmup_s: 0.2, repeats: 5, seed: 0}
    sets: {2: all, 3: 20}

    \b
    planner profile spec.yaml -o fleet.csv --budget 3600

    With --cluster each machine type of the spec is measured on a worker of a Dask cluster that says that it
    is one, in pieces of five minutes; Ctrl-C then loses what was measured of the last. One worker a host:

    \b
    dask worker tcp://HOST:8786 --nthreads 1 --resources "machine:2-cores-own=1 machine:1-core-shared=1"
    planner profile spec.yaml -o fleet.csv --cluster tcp://HOST:8786

    Exit codes: 0 measured, or the budget is used up; 1 an internal failure, or lost workers; 2 bad usage
    or input; 130 interrupted (the table is valid).
    """
    from planner.measure.profile import check_options
    from planner.measure.spec import load_spec
    from planner.writing import check_writable

    check_options(select, budget)
    check_writable(output)
    asked = load_spec(spec)
    for warning in asked.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if cluster is None:
        outcome = _profile_here(asked, output, select, budget)
    else:
        outcome = _profile_fleet(asked, output, select, budget, cluster)
    _report(outcome, output)
    codes = {"done": OK, "budget": OK, "interrupted": INTERRUPTED}
    raise typer.Exit(codes.get(outcome.ended, REFUSED))


@app.command("merge")
def merge_command(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE...", help="Tables of `planner profile`.")],
    output: Annotated[
        Path, typer.Option("-o", metavar="FILE", help="The table to write: NAME.csv, a new file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make one measurements table of several that were measured apart, on any hosts.

    Runs are numbered anew; all else stays as it was measured, features, hosts and specs beside the table too.
    Where two tables have features of one model on one machine type, those of the first stay. Specs must mean
    the same by a name: a machine type as many cores shared in the same way, a model the same network.

    \b
    planner merge rack1.csv rack2.csv -o fleet.csv
    planner train fleet.csv -o predictor

    Exit codes: 0 written; 2 bad usage or input, or a run that two tables hold.
    """
    import json

    from planner.measure.merge import merge

    sources = merge(tables, output)
    for s in sources:
        if not s.checked:
            print(
                f"warning: {s.table} has no spec beside it: its names are taken at their word",
                file=sys.stderr,
            )
        if s.cut:
            print(f"warning: {s.table} ends in an incomplete run, which is left out", file=sys.stderr)
    if as_json:
        print(json.dumps({"table": str(output), "sources": [s.document() for s in sources]}, indent=1))
        return
    _show_merged(output, sources)


def _show_merged(output: Path, sources: Sequence[Source]) -> None:
    """Print what came from which table."""
    from planner.report import tables, text
    from planner.report.text import count

    rows = []
    for s in sources:
        left_out = f", {s.known:,} more were known" if s.known else ""
        features = f"{s.features:,}{left_out}"
        rows.append((s.table, s.runs, s.rows, ", ".join(s.machine_types), ", ".join(s.hosts), features))
    columns = ("<table", "runs", "rows", "<machine types", "<hosts", "<features")
    title = f"{output}: {count(sum(s.rows for s in sources), 'row')}"
    text.show([tables.table(title, columns, rows)])


def _profile_here(spec: Spec, output: Path, select: str, budget: float | None) -> Outcome:
    """Measure on this host."""
    from planner.measure.host import check_spec, this_host
    from planner.measure.profile import prepare
    from planner.measure.profile import profile as measure
    from planner.measure.progress import Progress
    from planner.measure.runner import Runner
    from planner.measure.subject import HOGS, hog

    host = this_host()
    check_spec(spec, host)
    subjects = spec.subjects | {hog(r).name: hog(r) for r in HOGS}
    with Runner(subjects, spec.form.protocol, host.id) as runner, Progress() as progress:
        prepare(spec, progress)
        return measure(spec, output, runner, host, progress=progress, select=select, budget_s=budget)


def _profile_fleet(spec: Spec, output: Path, select: str, budget: float | None, cluster: str) -> Outcome:
    """Measure on the workers of a Dask cluster."""
    from planner.cluster.dask_pool import DaskPool
    from planner.measure.fleet import profile_fleet
    from planner.measure.progress import Progress
    from planner.report.text import plain

    def say(text: str) -> None:
        print(plain(text), file=sys.stderr, flush=True)

    with DaskPool(cluster, say) as pool, Progress() as progress:
        return profile_fleet(spec, output, pool, progress=progress, say=say, select=select, budget_s=budget)


def _report(outcome: Outcome, output: Path) -> None:
    """Print what was measured."""
    from planner.report import tables, text
    from planner.report.text import count, number, percent

    flags = ", ".join(f"{word} {n}" for word, n in outcome.flags.items()) or "none"
    rows = [
        (
            "ended",
            {"done": "all is measured", "budget": "the budget is used up"}.get(outcome.ended, outcome.ended),
        ),
        ("this session", f"{count(outcome.runs, 'run')}, features of {outcome.features} models x types"),
        ("table", f"{count(outcome.total_runs, 'run')}, {count(outcome.rows, 'row')}"),
        ("co-locations", f"{outcome.colocations:,} of {outcome.of:,} as often as asked for"),
        ("left out", f"{outcome.too_large:,} that exceed the memory of their machine type"),
        ("rows with flags", flags),
        ("seconds", f"{number(outcome.wall_s, 1)}, of which driven {number(outcome.driven_s, 1)}"),
        ("", f"counted {number(outcome.counted_s, 1)}, loading {number(outcome.loading_s, 1)}"),
        ("harness overhead", f"{percent(outcome.overhead)} of the driven seconds"),
    ]
    if outcome.cut:
        rows.append(("cut off", f"{outcome.cut:,} bytes of a run that a crash left incomplete"))
    text.show([tables.table(str(output), ("<what", "<is"), rows)])
