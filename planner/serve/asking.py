"""The form with which people submit: what they filled in, and what is wrong with it, at its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from planner.errors import InputError, shorten
from planner.report.text import plain
from planner.serve.clerk import ChoreError
from planner.serve.forms import Problem, Submission
from planner.serve.jobs import Job, StoredInstance
from planner.serve.refusals import Refused
from planner.serve.service import TABLE_MOST, Service
from planner.serve.tokens import Caller

#: File of a form -> what its name may end in.
SUFFIXES = {"instance": (".json", ".yaml", ".yml"), "table": (".csv", ".parquet")}
_PLAIN = ("time_limit", "seed", "priority", "memory_mb", "label", "start")
_REPLAN = ("max_moves", "move_cost")
_FIELDS, _FIELD_BYTES = 40, 2**16
_AROUND, _LONGEST = 4, 240
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as YAML counts lines


@dataclass(frozen=True)
class SourceLine:
    """A line of an uploaded file, numbered from 1."""

    number: int
    text: str
    marked: bool


@dataclass(frozen=True)
class Asked:
    """A form as somebody filled it in.

    Attributes
    ----------
    values
        Of its fields, as text.
    files
        Field -> name and content.
    instance
        What it is about where no file is given anew.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    solvers: Sequence[str] = ("auto",)
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    instance: StoredInstance | None = None

    def value(self, name: str, default: object = "") -> str:
        """Return the text of a field."""
        return self.values.get(name, "" if default is None else str(default))


@dataclass(frozen=True)
class Trouble:
    """Why a form was not accepted, and the lines of the file around the place."""

    status: int
    problem: Problem
    asked: Asked
    lines: Sequence[SourceLine] = ()

    @property
    def field(self) -> str:
        """The field of the form that it is about; a file's if it stands there."""
        if self.problem.file:
            return self.problem.file
        name = self.problem.field
        return "objective" if name.startswith("objective") else name.rpartition(".")[2]


async def asked_of(request: Request) -> Asked:
    """Read a form."""
    async with request.form(max_files=2, max_fields=_FIELDS, max_part_size=_FIELD_BYTES) as form:
        values = {name: part.strip() for name, part in form.multi_items() if isinstance(part, str)}
        solvers = [part for name, part in form.multi_items() if name == "solvers" and isinstance(part, str)]
        files = {}
        for name in SUFFIXES:
            part = form.get(name)
            if isinstance(part, UploadFile) and part.filename:  # a browser sends an empty one for none
                files[name] = (part.filename, await part.read(TABLE_MOST + 1))
    return Asked(values, solvers, files)


def suffix_of(name: str, called: str) -> str:
    """Return the end of a file's name, which says how to read it.

    Raises
    ------
    Refused
        If it is none that can be read.
    """
    suffix = next((s for s in SUFFIXES[name] if called.lower().endswith(s)), None)
    if suffix is None:
        raise Refused(422, f"must be called {' or '.join(SUFFIXES[name])}", field=name, value=called[-60:])
    return suffix


def submit(service: Service, asked: Asked, who: Caller) -> list[Job] | Trouble:
    """Queue what a form asks for."""
    try:
        asked = replace(asked, instance=_instance(service, asked))
        uploaded = _uploaded(service, asked)
        if isinstance(uploaded, Problem):
            _, data = asked.files.get(uploaded.file, ("", b""))
            return Trouble(422, uploaded, asked, around(data, uploaded.line) if uploaded.line else ())
        asked = replace(asked, instance=uploaded)
        found = service.submit(Submission.model_validate(_submission(asked)), who)
        if isinstance(found, Problem):  # with another objective the instance breaks a rule
            return Trouble(422, found.model_copy(update={"file": "", "line": None}), asked)
        return found
    except ValidationError as error:
        return Trouble(422, _first(error), asked)
    except Refused as refused:
        return Trouble(refused.status, refused.problem, asked)
    except InputError as error:
        return Trouble(422, Problem.of(error), asked)
    except ChoreError as error:
        return Trouble(422, Problem.of(InputError(f"could not be done: it {error}")), asked)


def _instance(service: Service, asked: Asked) -> StoredInstance | None:
    sha256 = asked.value("sha256")
    return service.instance(sha256) if sha256 else None


def _uploaded(service: Service, asked: Asked) -> StoredInstance | Problem:
    """Return the instance that a form brings, or that it is about."""
    if "instance" not in asked.files:
        if asked.instance is None or "table" in asked.files:
            raise Refused(422, "must be chosen: a .yaml or .json file", field="instance")
        return asked.instance
    parts: list[Any] = []
    for name in SUFFIXES:
        if name in asked.files:
            called, data = asked.files[name]
            parts += [data, suffix_of(name, called)]
    return service.upload(*parts)


def _submission(asked: Asked) -> dict[str, Any]:
    """Return a form as a :class:`~planner.serve.forms.Submission`; what is empty is left to its defaults."""
    assert asked.instance is not None
    given = {name: asked.value(name) for name in _PLAIN if asked.value(name)}
    document: dict[str, Any] = {"instance": asked.instance.sha256, **given}
    if asked.value("replan"):
        moves = {name: asked.value(name) for name in _REPLAN if asked.value(name)}
        return document | {"replan": {"job": asked.value("replan"), **moves}}
    aim = asked.value("objective")
    if aim == "weighted":
        weights = {name: asked.value(f"weight_{name}") for name in ("degradation", "price")}
        document["objective"] = {name: weight for name, weight in weights.items() if weight}
    elif aim:
        document["objective"] = aim
    return document | {"solvers": [*asked.solvers]}


def _first(error: ValidationError) -> Problem:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    where = "objective" if where.startswith("objective") else where
    rule = str(first["msg"]).removeprefix("Value error, ")
    found = first.get("input")
    value = "" if isinstance(found, dict | list) else f", found {shorten(found)}"
    return Problem(rule=rule, field=where, message=f"{where}: {rule}{value}")


def around(data: bytes, line: int) -> list[SourceLine]:
    """Return the lines of a file around one, as they may be shown."""
    lines = _BREAK.split(data.decode("utf-8-sig", errors="replace"))
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    return [SourceLine(n, _shown(lines[n - 1]), n == line) for n in range(first, last + 1)]


def _shown(text: str) -> str:
    text = text.expandtabs(4)
    return plain(text[:_LONGEST]) + ("…" if len(text) > _LONGEST else "")
