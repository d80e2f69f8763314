"""The pages of the service, for people: each is whole without a script, and a script keeps it up to date."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from planner.serve import explained
from planner.serve.asking import Asked, Trouble, asked_of, submit
from planner.serve.guard import COOKIE
from planner.serve.jobs import Job, State
from planner.serve.layout import local_path, page, static
from planner.serve.needs import TheService, Who
from planner.serve.refusals import Refused
from planner.serve.service import Service
from planner.serve.tokens import Caller, caller
from planner.serve.views import View, curve, gap, view, views

_ROWS = 50
_KINDS = {
    "page.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_KEEP_S = 30 * 86_400

Next = Annotated[str, Form(max_length=2000)]

pages = APIRouter(include_in_schema=False)


@pages.get("/")
def queue(
    request: Request,
    service: TheService,
    state: State | None = None,
    instance: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    before: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
) -> Response:
    """List the jobs, newest first, and take new ones."""
    store = service.store
    found = store.jobs(state=state, instance=instance, before=before, most=_ROWS + 1)
    narrowed = {"state": state and str(state), "instance": instance}
    return page(
        request.scope,
        "queue",
        title="Jobs",
        views=views(store, found[:_ROWS]),
        older=found[_ROWS - 1].number if len(found) > _ROWS else None,
        before=before,
        counts=store.counts(),
        workers=service.supervisor.alive,
        narrowed={name: value for name, value in narrowed.items() if value},
        here=_here(request),
        asked=Asked(),
        **_offered(service),
    )


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _offered(service: Service) -> dict[str, Any]:
    """Return what a form to submit offers."""
    from solvers import SOLVERS

    return {
        "solvers": {name: entry.about for name, entry in SOLVERS.items()},
        "limits": service.limits,
        "trouble": None,
    }


@pages.post("/jobs")
async def submitted(request: Request, service: TheService, who: Who) -> Response:
    """Take a form; go on to its job, or to its jobs beside each other."""
    asked = await asked_of(request)
    found = await asyncio.to_thread(submit, service, asked, who)
    if isinstance(found, Trouble):
        return await asyncio.to_thread(_again, request, service, found)
    ids = [job.id for job in found]
    return RedirectResponse(f"/jobs/{ids[0]}" if len(ids) == 1 else f"/compare?{_jobs(ids)}", 303)


def _again(request: Request, service: Service, trouble: Trouble) -> Response:
    """Show a form again, with what is wrong."""
    job = service.store.job(trouble.asked.value("replan"))
    shown = _offered(service) | {"asked": trouble.asked, "trouble": trouble, "job": job}
    return page(request.scope, "submit", trouble.status, title="Not queued", **shown)


def _jobs(ids: list[str]) -> str:
    return urlencode([("job", job) for job in ids])


@pages.get("/jobs/{job}")
def one(request: Request, service: TheService, job: str) -> Response:
    """Show a job: what it has, how it came to it, and what to do with it."""
    found = service.job(job)
    shown = view(service.store, found, whole=True)
    answer = service.store.answer(job) if found.task.replan is not None and shown.ended else None
    return page(
        request.scope,
        "job",
        title=f"Job {found.number}, {found.name}",
        view=shown,
        job=found,
        curve=curve([shown]),
        moves=explained.moves(json.loads(answer)) if answer is not None else [],
        instance=service.instance(found.instance),
        here=_here(request),
        asked=_asked(service, found),
        **_offered(service),
    )


def _asked(service: Service, job: Job) -> Asked:
    """Return the form that submits a job again."""
    task = job.task
    values = {name: str(getattr(task, name)) for name in ("seed", "priority", "memory_mb", "label")}
    values |= {"sha256": job.instance, "time_limit": f"{task.time_limit:g}"}
    solvers = ("auto",) if task.replan is not None else (task.solver,)
    return Asked(values, solvers, instance=service.instance(job.instance))


@pages.post("/jobs/{job}/cancel")
def cancel(service: TheService, job: str, next: Next = "/") -> Response:
    """Have a job ended."""
    service.cancel(job)
    return RedirectResponse(local_path(next), 303)


@pages.post("/jobs/{job}/retry")
def retry(service: TheService, job: str, next: Next = "/") -> Response:
    """Queue a job again."""
    service.retry(job)
    return RedirectResponse(local_path(next), 303)


@pages.get("/jobs/{job}/explanation")
def explanation(request: Request, service: TheService, job: str) -> Response:
    """Say why a plan is as it is, or what would allow one."""
    found = service.job(job)
    document = service.explain(job)
    return page(
        request.scope,
        "explanation",
        title=f"Why job {found.number}, {found.name}, is as it is",
        job=found,
        view=view(service.store, found),
        reasons=document.get("reasons", []),
        blocks=explained.blocks(document),
    )


@pages.get("/compare")
def compare(
    request: Request, service: TheService, job: Annotated[list[str] | None, Query(max_length=50)] = None
) -> Response:
    """Show jobs of one instance beside each other."""
    found = service.compared(job or [])
    shown = views(service.store, found, whole=True)
    bounds = [(v.bound, -i, v) for i, v in enumerate(shown) if v.bound is not None]
    proven: View | None = max(bounds)[2] if bounds else None
    objectives = [v.objective for v in shown if v.objective is not None]
    return page(
        request.scope,
        "compare",
        title=f"{len(shown)} jobs for {found[0].name}",
        views=shown,
        proven=proven,
        best=min(objectives, default=None),
        gaps=[gap(v.objective, proven.bound if proven is not None else None) for v in shown],
        curve=curve(shown),
        instance=service.instance(found[0].instance),
        documents=_jobs([v.job.id for v in shown if v.has_document]),
    )


@pages.get("/login")
def login(request: Request, service: TheService, next: str = "/") -> Response:
    """Ask for a token."""
    if request.state.caller is not None:
        return RedirectResponse(local_path(next), 303)
    return page(request.scope, "login", title="Log in", next=local_path(next), wrong=False)


@pages.post("/login")
def logged_in(
    request: Request,
    service: TheService,
    token: Annotated[str, Form(max_length=500)] = "",
    next: Next = "/",
) -> Response:
    """Keep a token in a cookie that no script reads and no other site has sent."""
    if _caller(service, token.strip()) is None:
        return page(request.scope, "login", 401, title="Log in", next=local_path(next), wrong=True)
    response = RedirectResponse(local_path(next), 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, token.strip(), _KEEP_S, path="/", secure=secure, httponly=True, samesite="strict"
    )
    return response


def _caller(service: Service, token: str) -> Caller | None:
    return caller(service.database, token)


@pages.post("/logout")
def logged_out(request: Request) -> Response:
    """Forget the token."""
    response = RedirectResponse("/login", 303)
    secure = request.url.scheme == "https"
    response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="strict")
    return response


@pages.get("/static/{name}")
def static_file(name: str) -> Response:
    """Fetch what pages use; its address changes when it does."""
    found = static(name)
    if found is None:
        raise Refused(404, "must be a file that pages use", field="name", value=name[:70])
    return Response(found, media_type=_KINDS[name], headers={"cache-control": "public, max-age=31536000"})
