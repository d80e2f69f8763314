"""Errors as answers: each is one JSON document that names the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from planner.errors import InputError, shorten
from planner.serve.clerk import ChoreError
from planner.serve.forms import Problem, Refusal
from planner.serve.layout import refusal, wants_page

#: What every operation may answer.
COMMON: dict[int | str, dict[str, Any]] = {
    code: {"model": Refusal, "description": words}
    for code, words in {
        400: "not a request that this service understands",
        401: "needs a token",
        403: "comes from another site",
        404: "is not there",
        409: "does not fit the state of the job",
        413: "is too large",
        422: "breaks a rule, which it names",
        429: "too many jobs wait",
    }.items()
}


class Refused(Exception):  # noqa: N818  an answer, not a failure
    """A request that is answered with a 4xx status."""

    def __init__(self, status: int, rule: str, *, field: str = "", value: Any = None) -> None:
        self.status = status
        self.problem = Problem.of(InputError(rule, field=field, value=value))
        super().__init__(rule)


class _Answer(JSONResponse):
    """JSON for programs, a page for a browser that asked for one."""

    def __init__(self, status: int, found: Problem, headers: dict[str, str] | None) -> None:
        super().__init__(Refusal(error=found).model_dump(), status, headers)
        self._found, self._extra = found, headers or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send whichever of the two is wanted."""
        if not wants_page(scope):
            await super().__call__(scope, receive, send)
            return
        page = refusal(scope, self.status_code, self._found)
        page.headers.update(self._extra)
        await page(scope, receive, send)


def answer(status: int, found: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an answer that says what is wrong."""
    return _Answer(status, found, headers)


def handle(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Have an application answer every error so; ``routes`` are those of its routers."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return answer(error.status, error.problem)

    @app.exception_handler(InputError)
    async def bad(_: Request, error: InputError) -> JSONResponse:
        return answer(422, Problem.of(error))

    @app.exception_handler(ChoreError)
    async def undone(_: Request, error: ChoreError) -> JSONResponse:
        return answer(422, Problem.of(InputError(f"could not be done: it {error}")))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query"))
        value = None if isinstance(first.get("input"), dict | list) else shorten(first.get("input"))
        rule = str(first["msg"])
        message = f"{where}: {rule}" + (f", found {value}" if value is not None else "")
        return answer(422, Problem(rule=rule, field=where[:200], message=message[:1000]))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        found = Problem.of(InputError(str(error.detail).lower()))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(_allowed([*app.routes, *routes], request)))
        return answer(error.status_code, found, headers)


def _allowed(routes: Sequence[BaseRoute], request: Request) -> set[str]:
    """Return the methods of all routes of a path; the framework names those of the first."""
    allowed: set[str] = set()
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            allowed |= getattr(route, "methods", None) or set()
    return allowed
