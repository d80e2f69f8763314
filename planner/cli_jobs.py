"""The commands that speak to a service: ``planner submit``, ``status``, ``fetch``, ``cancel``, ``retry``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.cli_options import AsJson, InstancePath, Seed
from planner.exits import EXIT_CODES, INFEASIBLE, NO_PLAN, OK, REFUSED

if TYPE_CHECKING:
    from planner.client import Client, JobDocument

app = typer.Typer()

Server = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="PLANNER_SERVER", help="Where the service is.")
]
Token = Annotated[
    str | None,
    typer.Option("--token-file", metavar="FILE", help="File with the token; else PLANNER_TOKEN is used."),
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job.")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs.")]
_URL = "http://127.0.0.1:8765"


def _client(server: str, token_file: str | None) -> Client:
    import os

    from planner.client import Client
    from planner.errors import InputError
    from planner.reading import reason

    token = os.environ.get("PLANNER_TOKEN") or None
    if token_file is not None:
        try:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read: {reason(error)}", file=token_file) from None
    if token is not None and not (token.isascii() and token.isprintable()):
        raise InputError("must be a token: letters, digits, '-' and '_'", field="token")
    return Client(server, token)


@app.command("submit", epilog=EXIT_CODES)
def submit_command(
    instance: InstancePath,
    server: Server = _URL,
    token_file: Token = None,
    solver: Annotated[
        list[str] | None, typer.Option(help="One of `planner solvers`; may be given several times.")
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="Most seconds to solve.")] = 60.0,
    seed: Seed = 0,
    objective: Annotated[
        str | None, typer.Option(help="degradation, price or worst, in place of the instance's own.")
    ] = None,
    memory_mb: Annotated[int | None, typer.Option(metavar="MB", help="Most memory of the solve.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher ones come first.")] = 0,
    replan: Annotated[
        str | None, typer.Option(metavar="JOB", help="Change the plan of this job as little as possible.")
    ] = None,
    max_moves: Annotated[int | None, typer.Option(metavar="N", min=0, help="With --replan.")] = None,
    move_cost: Annotated[float | None, typer.Option(metavar="C", min=0, help="With --replan.")] = None,
    label: Annotated[str, typer.Option(help="Your own words.")] = "",
    key: Annotated[
        str | None, typer.Option(help="Your own name for this submission: sent twice, it is queued once.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the jobs have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit an instance to a service (see `planner serve`); print the ids of its jobs.

    What was acknowledged is not lost, whatever happens to the service. Ctrl-C while waiting leaves the jobs
    where they are.

    \b
    planner submit fleet.yaml --solver auto --solver greedy --time-limit 30
    planner submit fleet.yaml --replan 0123456789abcdef --max-moves 10 --wait
    """
    again = None
    if replan is not None:
        again = {"job": replan, "max_moves": max_moves, "move_cost": move_cost}
    elif max_moves is not None or move_cost is not None:
        from planner.errors import InputError

        raise InputError("needs --replan", field="max_moves" if max_moves is not None else "move_cost")
    with _client(server, token_file) as client:
        jobs = client.submit(
            instance,
            solver or ["auto"],
            key=key,
            time_limit=time_limit,
            seed=seed,
            objective=objective,
            memory_mb=memory_mb,
            priority=priority,
            replan=again,
            label=label,
        )
        if wait:
            jobs = [client.wait(job["id"]) for job in jobs]
    _show(jobs, as_json)
    if wait:
        raise typer.Exit(max(map(_exit_code, jobs)))


@app.command("status", epilog=EXIT_CODES)
def status_command(
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB...]", help="Ids of jobs; by default the latest.")
    ] = None,
    server: Server = _URL,
    token_file: Token = None,
    state: Annotated[
        str | None, typer.Option(help="Only these: queued, running, done, failed or cancelled.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show progress until they have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show jobs of a service: where they are and what they have.

    \b
    planner status
    planner status 0123456789abcdef --follow
    """
    with _client(server, token_file) as client:
        if follow and jobs:
            found = [client.wait(job, None if as_json else _progress) for job in jobs]
        else:
            found = [client.job(job) for job in jobs] if jobs else client.jobs(state=state)
    _show(found, as_json)


@app.command("fetch", epilog=EXIT_CODES)
def fetch_command(
    jobs: Jobs,
    server: Server = _URL,
    token_file: Token = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="PLAN", help="Write the plan of a single job.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page that compares their plans.")
    ] = None,
    explanation: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write why the plan is as it is.")
    ] = None,
    moves: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the moves of a re-plan.")
    ] = None,
) -> None:
    """Fetch what jobs of a service have; without a file to write, the plan is printed.

    \b
    planner fetch 0123456789abcdef -o plan.json
    planner fetch 0123456789abcdef fedcba9876543210 --report compared.html
    """
    from planner.errors import InputError
    from planner.plan_files import check_plan_path
    from planner.writing import check_writable, write_together

    if output is not None:
        check_plan_path(output)
    wanted = [path for path in (output, report, explanation, moves) if path is not None]
    for path in wanted:
        check_writable(path)
    if len(jobs) > 1 and (len(wanted) != 1 or report is None):
        raise InputError("must be a single job, but for --report", field="JOB", value=len(jobs))
    with _client(server, token_file) as client:
        if not wanted:
            print(client.plan(jobs[0]).decode(), end="")
            return
        files: dict[Path, str | bytes] = {}
        for where, fetched in (
            (output, client.plan),
            (explanation, client.explanation),
            (moves, client.moves),
        ):
            if where is not None:
                files[where] = fetched(jobs[0])
        if report is not None:
            files[report] = client.report(jobs)
    write_together(files)
    print(f"written to {', '.join(map(str, files))}")


@app.command("cancel", epilog=EXIT_CODES)
def cancel_command(
    jobs: Jobs, server: Server = _URL, token_file: Token = None, as_json: AsJson = False
) -> None:
    """Have jobs of a service ended; what they have found so far is kept.

    planner cancel 0123456789abcdef
    """
    with _client(server, token_file) as client:
        _show([client.cancel(job) for job in jobs], as_json)


@app.command("retry", epilog=EXIT_CODES)
def retry_command(
    jobs: Jobs, server: Server = _URL, token_file: Token = None, as_json: AsJson = False
) -> None:
    """Queue jobs of a service again that failed or were cancelled.

    planner retry 0123456789abcdef
    """
    with _client(server, token_file) as client:
        _show([client.retry(job) for job in jobs], as_json)


def _exit_code(job: JobDocument) -> int:
    if job["state"] != "done":
        return REFUSED
    return {"infeasible": INFEASIBLE, "no_plan": NO_PLAN}.get(str(job["status"]), OK)


def _progress(now: dict[str, Any]) -> None:
    import sys

    words = " ".join(f"{key} {now[key]}" for key in ("objective", "bound") if now[key] is not None)
    print(f"{now['seconds']:8.1f} s  {words}", file=sys.stderr, flush=True)


def _show(jobs: list[JobDocument], as_json: bool) -> None:
    from planner.plan_files import render
    from planner.report import jobs as words
    from planner.report import text

    if as_json:
        print(render({"version": 1, "jobs": jobs}), end="")
    else:
        text.show(words.show(jobs))
