"""Pages as HTML: what they look like, and who gets one.

Everything that is shown is escaped by the templates. Names are those of instances, which have no characters
that turn text around; other text of users goes through :func:`planner.report.text.plain`.
"""

from __future__ import annotations

import hashlib
import time
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse
from starlette.types import Scope

from planner.plan_files import version
from planner.report.drawing import palette, svg
from planner.report.figures.figure import Figure
from planner.report.text import count, number, percent, plain
from planner.serve.tokens import LOCAL

_NO_PAGES = ("/v1/", "/static/", "/healthz", "/metrics", "/openapi.json")
_TITLES = {
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Not found",
    409: "That does not fit",
    413: "Too large",
    422: "That breaks a rule",
    429: "Too many jobs",
}


def wants_page(scope: Scope) -> bool:
    """Return whether a browser asks for a page, not a program for an answer."""
    if str(scope["path"]).startswith(_NO_PAGES):
        return False
    return any(key == b"accept" and b"text/html" in value for key, value in scope["headers"])


def page(scope: Scope, name: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """Return a page: a template filled in."""
    caller = scope.get("state", {}).get("caller")
    who = caller.name if caller is not None and caller.name != LOCAL.name else ""
    text = _environment().get_template(f"{name}.html.j2").render(who=who, **shown)
    return HTMLResponse(text, status)


def refusal(scope: Scope, status: int, problem: Any) -> HTMLResponse:
    """Return the page that says why a request was refused; ``problem`` as programs get it."""
    title = _TITLES.get(status, "That did not work")
    return page(scope, "refusal", status, title=title, code=status, problem=problem)


def local_path(where: str) -> str:
    """Return where to go next, which is on this site whatever was asked for."""
    parts = urlsplit(where)
    safe = where.startswith("/") and not where.startswith("//") and where.isprintable() and "\\" not in where
    return where if safe and not parts.scheme and not parts.netloc else "/"


@cache
def static(name: str) -> bytes | None:
    """Return a file that pages use."""
    folder = resources.files("planner.serve").joinpath("static")
    if name == "style.css":
        shared = resources.files("planner.report").joinpath("templates/page.css").read_text("utf-8")
        return (palette.style() + "\n" + shared + folder.joinpath(name).read_text("utf-8")).encode()
    return folder.joinpath(name).read_bytes() if name in ("page.js", "icon.svg") else None


@cache
def _stamp() -> str:
    """Return what changes when the static files do."""
    return hashlib.sha256(b"".join(static(name) or b"" for name in ("style.css", "page.js"))).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("planner.serve"), PackageLoader("planner.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "number": number,
        "percent": percent,
        "plain": plain,
        "query": urlencode,
        "seconds": seconds,
        "words": lambda name: str(name).replace("_", " "),
        "moment": lambda at: time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)),
    }
    environment.globals |= {"drawing": _drawing, "stamp": _stamp(), "version": version()}
    return environment


def _drawing(figure: Figure) -> Markup:
    """Return a figure for a wide page and for a narrow one."""
    drawn = (("wide", figure.wide), ("narrow", figure.narrow))
    return Markup("".join(svg.inline(what, figure.title, kind=kind) for kind, what in drawn))


def seconds(value: float | None) -> str:
    """Return how long something took."""
    if value is None:
        return "-"
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"
