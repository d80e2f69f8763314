"""The commands of whoever runs the service: ``planner serve`` and ``planner token``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from planner.exits import EXIT_CODES

app = typer.Typer()
token = typer.Typer(no_args_is_help=True, help="Who may use a service that others can reach.")
app.add_typer(token, name="token")

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder that holds everything.")]
_DATA = Path("planner-data")


@app.command("serve", epilog=EXIT_CODES)
def serve_command(
    data: Data = _DATA,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8765,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1024, help="Jobs at a time; default: one for 2 cores."),
    ] = None,
    longest: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=86_400, help="Longest time limit of a job.")
    ] = 3600.0,
    memory_mb: Annotated[
        int | None,
        typer.Option(metavar="MB", min=256, help="Most memory of a job; default: 4/5 of all, shared."),
    ] = None,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI document instead.")] = False,
) -> None:
    """Take instances from others, plan them, and keep the plans.

    Everything is in one folder; kill and restart the service as you like, what was acknowledged is not lost.
    On an address that others can reach, everybody needs a token (see `planner token`), and what goes over the
    wire is not encrypted: put a proxy that speaks TLS before it.

    \b
    planner serve                                 # then open http://127.0.0.1:8765/
    planner submit fleet.yaml --wait
    """
    from planner.extras import require

    require("fastapi", "uvicorn", "python_multipart", "prometheus_client", "jinja2", extra="serve")
    from planner.serve.run import run
    from planner.serve.service import Limits

    if openapi:
        from planner.serve.app import openapi as document

        print(document(), end="")
        return
    number = workers or max(1, len(os.sched_getaffinity(0)) // 2)
    limits = Limits.of_this_machine(number, longest)
    run(data, host, port, number, limits if memory_mb is None else Limits(longest, memory_mb))


@token.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    data: Data = _DATA,
    queued: Annotated[
        int, typer.Option(metavar="N", min=1, max=10**6, help="Most jobs that wait or run at a time.")
    ] = 1000,
    longest: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=86_400, help="Longest time limit of a job.")
    ] = 3600.0,
) -> None:
    """Make a token and print it; it is not shown again.

    planner token add alice --data planner-data
    """
    from planner.serve import tokens
    from planner.serve.database import Database

    print(tokens.add(Database(data), name, queued, longest))


@token.command("list")
def list_command(data: Data = _DATA) -> None:
    """List who has a token, and what it allows."""
    from planner.serve import tokens
    from planner.serve.database import Database

    for who in tokens.callers(Database(data)):
        print(f"{who.name}: at most {who.queued:,} jobs of at most {who.seconds:g} s")


@token.command("revoke")
def revoke_command(name: Annotated[str, typer.Argument(help="Whose.")], data: Data = _DATA) -> None:
    """Take a token back."""
    from planner.errors import InputError
    from planner.serve import tokens
    from planner.serve.database import Database

    if not tokens.revoke(Database(data), name):
        raise InputError("has no token", field="name", value=name)
