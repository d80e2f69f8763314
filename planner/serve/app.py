"""The service over HTTP. What each operation answers is in :mod:`planner.serve.forms`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.datastructures import UploadFile

from planner.plan_files import exact, version
from planner.serve.asking import SUFFIXES, suffix_of
from planner.serve.forms import (
    Health,
    History,
    InstanceOut,
    JobOut,
    Jobs,
    Moment,
    Problem,
    Sha256,
    SolverOut,
    Submission,
    Submitted,
)
from planner.serve.guard import Guard
from planner.serve.jobs import ENDED, State
from planner.serve.metrics import Metered, Metrics
from planner.serve.needs import TheService, Who
from planner.serve.pages import pages
from planner.serve.refusals import COMMON, Refused, answer, handle
from planner.serve.service import JSON_MOST, TABLE_MOST, Service
from planner.serve.tokens import caller

_SUMMARY = "Decides which inference models share which machines, with a proven gap."
_WATCH_S, _KEEP_S = 0.3, 10.0
_KINDS = {
    "application/json": ".json",
    "application/yaml": ".yaml",
    "application/x-yaml": ".yaml",
    "text/yaml": ".yaml",
}
_Responses = dict[int | str, dict[str, Any]]
_FILES = {"type": "string", "format": "binary"}
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/yaml": {"schema": {"type": "string"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["instance"],
                    "properties": {"instance": _FILES, "table": _FILES},
                }
            },
        },
    }
}
_JSON: _Responses = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
_HTML: _Responses = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_PARQUET: _Responses = {200: {"content": {"application/vnd.apache.parquet": {"schema": _FILES}}}}
_EVENTS: _Responses = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


def _link(operation: str, parameter: str, where: str) -> dict[str, Any]:
    """Return an OpenAPI link to an operation whose parameter is in the answer."""
    return {"operationId": operation, "parameters": {parameter: f"$response.body#{where}"}}


AJob = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="id of a job")]
ManyJobs = Annotated[list[str], Query(min_length=1, max_length=50, description="ids of jobs of one instance")]

_OF_A_JOB = ("job", "history", "events", "plan", "report", "explanation", "moves", "cancel", "retry")
#: What the answers to a submission and an upload lead to.
_JOB_LINKS: _Responses = {
    202: {"links": {n: _link(n, "job", "/jobs/0/id") for n in _OF_A_JOB}},
}
_INSTANCE_LINKS: _Responses = {
    201: {"links": {n: _link(n, "sha256", "/sha256") for n in ("instance", "table")}},
}

api = APIRouter(prefix="/v1", responses=COMMON, generate_unique_id_function=lambda route: route.name)


def _fine(found: Any) -> Any:
    """Return what is not a problem; raise what is."""
    if isinstance(found, Problem):
        raise Unfit(found)
    return found


class Unfit(Exception):  # noqa: N818  an answer, not a failure
    """An instance breaks a rule."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@api.post("/instances", status_code=201, openapi_extra=_UPLOAD, responses=_INSTANCE_LINKS)
async def upload(request: Request, service: TheService) -> InstanceOut:
    """Upload an instance: JSON or YAML, or a form with the file `instance` and the `table` that it names."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        arguments = await _form(request)
    elif kind in _KINDS:
        arguments = (await request.body(), _KINDS[kind])
    else:
        rule = f"must be {', '.join(_KINDS)} or multipart/form-data"
        raise Refused(422, rule, field="Content-Type", value=kind[:100])
    return InstanceOut.of(_fine(await asyncio.to_thread(service.upload, *arguments)))


async def _form(request: Request) -> tuple[Any, ...]:
    """Return the files of a form, and what kinds they are, by the ends of their names."""
    async with request.form(max_files=2, max_fields=0, max_part_size=JSON_MOST) as form:
        files = {name: part for name, part in form.multi_items() if isinstance(part, UploadFile)}
        if "instance" not in files or not {*files} <= {"instance", "table"}:
            raise Refused(422, "must have the files instance and, if it names one, table", field="form")
        read: list[Any] = []
        for name in SUFFIXES:
            if name in files:
                suffix = suffix_of(name, files[name].filename or "")
                read += [await files[name].read(TABLE_MOST + 1), suffix]
        return tuple(read)


@api.get("/instances")
def instances(service: TheService) -> list[InstanceOut]:
    """List the latest 100 instances."""
    return [InstanceOut.of(found) for found in service.store.instances(100)]


@api.get("/instances/{sha256}", responses=_JSON, response_class=Response)
def instance(service: TheService, sha256: Sha256) -> Response:
    """Fetch an instance; a table that it names is at `/table` below."""
    return Response(service.instance(sha256, files=True).document, media_type="application/json")


@api.get(
    "/instances/{sha256}/table",
    response_class=Response,
    responses=_PARQUET,
)
def table(service: TheService, sha256: Sha256) -> Response:
    """Fetch the degradation table of an instance, as Parquet."""
    found = service.instance(sha256, files=True)
    if found.table is None:
        raise Refused(404, "has no table: its degradations are in the document", field="instance")
    return Response(found.table, media_type="application/vnd.apache.parquet")


@api.post("/jobs", status_code=202, responses=_JOB_LINKS)
def submit(service: TheService, who: Who, asked: Submission) -> Submitted:
    """Queue jobs. They are on the disk when this answers."""
    return Submitted(jobs=[JobOut.of(job) for job in _fine(service.submit(asked, who))])


@api.get("/jobs")
def jobs(
    service: TheService,
    state: State | None = None,
    instance: Sha256 | None = None,
    before: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Jobs:
    """List jobs, the newest first."""
    found = service.store.jobs(state=state, instance=instance, before=before, most=most)
    more = found[-1].number if len(found) == most else None
    return Jobs(jobs=[JobOut.of(job) for job in found], more=more)


@api.get("/jobs/{job}")
def job(service: TheService, job: AJob) -> JobOut:
    """Look at a job."""
    return JobOut.of(service.job(job))


@api.post("/jobs/{job}/cancel")
def cancel(service: TheService, job: AJob) -> JobOut:
    """Have a job ended; one that has ended stays as it is. What it has found so far is kept."""
    return JobOut.of(service.cancel(job))


@api.post("/jobs/{job}/retry")
def retry(service: TheService, job: AJob) -> JobOut:
    """Queue a job again that failed or was cancelled."""
    return JobOut.of(service.retry(job))


@api.get("/jobs/{job}/plan", responses=_JSON, response_class=Response)
def plan(service: TheService, job: AJob) -> Response:
    """Fetch the plan file; without a plan it says why."""
    return Response(service.document(job), media_type="application/json")


@api.get("/jobs/{job}/moves", responses=_JSON, response_class=Response)
def moves(service: TheService, job: AJob) -> Response:
    """Fetch the moves of a re-plan in their order, and the curve of objective against moves."""
    return Response(service.answer(job), media_type="application/json")


@api.get("/jobs/{job}/report", responses=_HTML, response_class=Response)
def report(service: TheService, job: AJob) -> HTMLResponse:
    """Fetch the page on a plan."""
    return HTMLResponse(service.report([job]))


@api.get("/jobs/{job}/explanation")
def explanation(service: TheService, job: AJob) -> dict[str, Any]:
    """Say why the plan is as it is; of an infeasible instance, which smallest changes would do."""
    return service.explain(job)


@api.get("/jobs/{job}/history")
def history(service: TheService, job: AJob) -> History:
    """List the improvements of a solve so far."""
    found = service.job(job)
    return History(job=JobOut.of(found), moments=[_moment(*row[1:]) for row in service.store.history(job)])


@api.get("/jobs/{job}/events", responses=_EVENTS, response_class=Response)
async def events(service: TheService, job: AJob) -> StreamingResponse:
    """Watch a job: server-sent events `progress` and `job`, until it has ended."""
    await asyncio.to_thread(service.job, job)
    return StreamingResponse(_events(service, job), media_type="text/event-stream")


async def _events(service: Service, job: str) -> AsyncIterator[str]:
    seen, last, quiet = 0, "", 0.0
    while True:
        found = await asyncio.to_thread(service.job, job)
        for moment in await asyncio.to_thread(service.store.history, job, seen):
            seen, quiet = moment[0], 0.0
            yield f"id: {seen}\nevent: progress\ndata: {_moment(*moment[1:]).model_dump_json()}\n\n"
        text = JobOut.of(found).model_dump_json()
        if text != last:
            last, quiet = text, 0.0
            yield f"event: job\ndata: {text}\n\n"
        if found.state in ENDED:
            return
        if quiet >= _KEEP_S:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_WATCH_S)
        quiet += _WATCH_S


def _moment(seconds: float, objective: int | None, bound: int | None) -> Moment:
    shown = [None if value is None else str(exact(value)) for value in (objective, bound)]
    return Moment(seconds=round(seconds, 3), objective=shown[0], bound=shown[1])


@api.get("/compare")
def compare(service: TheService, job: ManyJobs) -> Jobs:
    """List jobs of one instance beside each other."""
    return Jobs(jobs=[JobOut.of(found) for found in service.compared(job)])


@api.get("/compare/report", responses=_HTML, response_class=Response)
def compare_report(service: TheService, job: ManyJobs) -> HTMLResponse:
    """Fetch the page that compares the plans of jobs of one instance."""
    return HTMLResponse(service.report(job))


@api.get("/solvers")
def solvers() -> list[SolverOut]:
    """List the solvers."""
    from solvers import SOLVERS

    return [SolverOut(name=n, proves=e.proves, summary=e.about) for n, e in SOLVERS.items()]


def make_app(service: Service, *, local: bool) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    local
        It listens on this machine only, so nobody needs a token.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="planner",
        version=version(),
        summary=_SUMMARY,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    measured = Metrics(service)
    handle(app, [*api.routes, *pages.routes])

    @app.exception_handler(Unfit)
    async def unfit(_: Request, error: Unfit) -> Response:
        return answer(422, error.problem)

    @app.get("/healthz")
    def healthz() -> Health:
        """Say that the service works."""
        return Health(
            status="ok",
            version=version(),
            workers=service.supervisor.alive,
            jobs=service.store.counts(),
        )

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(measured.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.include_router(api)
    app.include_router(pages)
    app.add_middleware(
        Guard,
        find=lambda token: caller(service.database, token),
        local=local,
        most_bytes=JSON_MOST + TABLE_MOST,
    )
    app.add_middleware(Metered, metrics=measured)
    return app


def openapi() -> str:
    """Return the OpenAPI document, as it is committed: `planner serve --openapi` prints it."""
    from fastapi.openapi.utils import get_openapi

    document = get_openapi(title="planner", version="1", routes=api.routes, summary=_SUMMARY)
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
