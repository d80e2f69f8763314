"""The command that makes a page of results, for people who were not there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("report")
def report_command(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...", help="Plan files; files or folders of compare, validate and evaluate."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", metavar="FILE.html", help="The page to write.")],
    instance: Annotated[
        list[Path] | None,
        typer.Option(metavar="INSTANCE", help="Check plans against it; may be given several times."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for every figure as SVG and PNG, and its data as CSV."),
    ] = None,
) -> None:
    """Make one page of results: the answer, who lives where, who hurts whom, how good the plan is.

    The page is a single file that needs no network. With --instance the objective and every rule are
    checked again, and there is no page if a plan breaks one or two results contradict each other.

    \b
    planner report plan.json --instance fleet.yaml -o fleet.html
    planner report results -o compared.html --figures figures     # what `planner compare -o results` wrote

    Exit codes: 0 done; 1 a plan is refused, or an internal failure; 2 bad usage or input.
    """
    from planner.errors import InputError
    from planner.exits import REFUSED
    from planner.extras import require
    from planner.files import load_instance
    from planner.plan_files import version
    from planner.report import page
    from planner.report.cases import cases_of, refusals
    from planner.report.inputs import read_results
    from planner.report.text import count, plain
    from planner.writing import check_writable, make_folder, write_atomically, write_together

    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError("must be a .html file", file=str(output), value=output.suffix)
    require("jinja2", "matplotlib", extra="report")
    check_writable(output)
    found = read_results(results)
    cases = cases_of(found, {path: load_instance(path) for path in instance or ()})
    if refused := list(refusals(cases)):
        print(plain("no page: what the files claim is not so"), file=sys.stderr)
        print("\n".join(map(plain, refused)), file=sys.stderr)
        raise typer.Exit(REFUSED)
    shown = page.page_of(cases, found, version())
    text = page.render(shown)
    drawn = shown.figures()
    if figures is not None:
        make_folder(figures)
        write_together(page.figure_files(drawn, figures))
    write_atomically(output, text)
    where = "" if figures is None else f"; {count(len(drawn), 'figure')} in {figures}"
    print(plain(f"written to {output}, {len(text.encode()) / 1e6:.2f} MB{where}"))
