"""What a report is made from: files and folders, told apart by what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from planner.errors import InputError
from planner.json_text import stream_json
from planner.plan_files import LIMIT, read_plan
from planner.plan_form import PlanFile
from planner.problems import first_problem
from planner.reading import reason, regular_size
from planner.report.forms import CompareFile, EvaluationFile, Row, ValidationFile

_FORMS: dict[str, type[BaseModel]] = {
    "rows": CompareFile,
    "victims": ValidationFile,
    "scores": EvaluationFile,
}
_FOLDER = ("compare.json", "validation.json", "evaluation.json")
_KINDS = "a plan file, or what `planner compare`, `validate` or `evaluate` wrote"


@dataclass(frozen=True)
class PlanResult:
    """A plan file; ``label`` is its instance's name in the comparison it belongs to, else None."""

    path: Path
    form: PlanFile
    label: str | None = None


@dataclass(frozen=True)
class RowResult:
    """One row of a comparison, and the plan file beside it if there is one."""

    path: Path
    row: Row
    plan: PlanResult | None = None


@dataclass
class Results:
    """All that was read, in the order in which it was named."""

    plans: list[PlanResult] = field(default_factory=list)
    rows: list[RowResult] = field(default_factory=list)
    validations: list[tuple[Path, ValidationFile]] = field(default_factory=list)
    evaluations: list[tuple[Path, EvaluationFile]] = field(default_factory=list)


class _Plan(Exception):  # noqa: N818  not an error: what ends the reading of a file early
    """The document at hand has machines."""


def read_results(paths: Iterable[Path]) -> Results:
    """Read result files, and folders of them.

    Raises
    ------
    InputError
        For a file that is none of them or a folder that holds none, naming it, the field, the rule and
        what was found.
    """
    results = Results()
    for path in paths:
        if path.is_dir():
            _read_folder(path, results)
        else:
            _read_file(path, results)
    return results


def _read_folder(folder: Path, results: Results) -> None:
    try:
        names = set(os.listdir(folder))
    except OSError as error:
        raise InputError(f"cannot be read: {reason(error)}", file=str(folder)) from None
    found = [folder / name for name in _FOLDER if name in names]
    if not found:
        raise InputError(f"must hold {', '.join(_FOLDER[:-1])} or {_FOLDER[-1]}", file=str(folder))
    for path in found:
        _read_file(path, results, beside=names)


def _read_file(path: Path, results: Results, beside: set[str] | None = None) -> None:
    try:
        document = _read(path)
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None
    if isinstance(document, PlanFile):
        results.plans.append(PlanResult(path, document))
    elif isinstance(document, CompareFile):
        results.rows += _rows(path, document, beside or set())
    elif isinstance(document, ValidationFile):
        results.validations.append((path, document))
    elif isinstance(document, EvaluationFile):
        results.evaluations.append((path, document))


def _rows(path: Path, document: CompareFile, beside: set[str]) -> Iterator[RowResult]:
    for row in document.rows:
        name = f"{row.instance}.{row.solver}.json"
        if row.objective is not None and name in beside:
            plan = PlanResult(path.parent / name, read_plan(path.parent / name), row.instance)
            yield RowResult(path, row, plan)
        else:
            yield RowResult(path, row)


def _read(path: Path) -> BaseModel:
    """Return the document in a file as a plan or one of the other forms."""
    size = regular_size(path)
    if path.suffix.lower() != ".json":
        raise InputError(f"must be a .json file: {_KINDS}", value=path.suffix)
    if size > LIMIT:
        raise InputError(f"must be at most {LIMIT // 2**20} MB", value=f"{size / 2**20:,.0f} MB")
    try:
        data = stream_json(path, "machines", _stop, number=Decimal)
    except _Plan:
        return read_plan(path)
    except OSError as error:
        raise InputError(f"cannot be read: {reason(error)}") from None
    if not isinstance(data, dict):
        raise InputError(f"must be {_KINDS}", value=data)
    if "machines" in data:
        return read_plan(path)
    form = next((form for key, form in _FORMS.items() if key in data), None)
    if form is None:
        raise InputError(f"must be {_KINDS}, by its fields", value=", ".join(data) or "no fields")
    try:
        return form.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, data, form) from None


def _stop(_: Any) -> NoReturn:
    raise _Plan
