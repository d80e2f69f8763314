"""The commands that close the loop: an instance from predictions, and a plan measured on this host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from planner.degradation.build import Built

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
        typer.Option(
            metavar="FILE", help="Measurements; where there are any, they replace predictions."
        ),
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
