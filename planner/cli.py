"""The ``planner`` command: reads files, calls the planner, prints what it answers. No logic.

Little more than typer is imported here; what is slow is imported inside the command that needs it, so
that ``planner --help`` is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from planner import (
    cli_compare,
    cli_explain,
    cli_fleet,
    cli_instance,
    cli_jobs,
    cli_learn,
    cli_loop,
    cli_measure,
    cli_plan,
    cli_replan,
    cli_report,
    cli_robust,
    cli_serve,
    cli_whatif,
)
from planner.exits import EXIT_CODES, Commands, unforeseen

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from planner.plan_files import version

        print(f"planner {version()}")
        raise typer.Exit


@app.callback()
def _planner(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Decide which inference models share which machines, with a proven gap.

    \b
    planner generate -o fleet.yaml            a random instance to play with
    planner plan fleet.yaml -o plan.json      plan it
    planner check fleet.yaml plan.json        check any plan, rule by rule
    planner compare fleet.yaml                all solvers side by side
    """


#: In the order in which --help lists their commands.
_PARTS = (
    cli_plan,
    cli_explain,
    cli_report,
    cli_whatif,
    cli_replan,
    cli_robust,
    cli_fleet,
    cli_compare,
    cli_instance,
    cli_measure,
    cli_learn,
    cli_loop,
    cli_serve,
    cli_jobs,
)
for more in _PARTS:
    app.add_typer(more.app)


def main() -> None:
    """Run the command; an error that nobody foresaw ends it with one line and exit code 1."""
    try:
        app()
    except Exception as error:
        unforeseen(error)
