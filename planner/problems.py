"""What pydantic finds wrong with a document, as one error in the words of this project."""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planner.errors import InputError
from planner.json_text import field_path

_RULES = {
    "extra_forbidden": "is not a known field",
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "string_unicode": "must be text without broken characters",
    "string_pattern_mismatch": "must not start or end with a space, nor hold control characters or marks "
    "that turn the direction of text around",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}
_CROWD = 300_000
_MANY = 10_000
_WITHOUT_VALUE = ("missing", "too_short", "value_error")

Path = tuple[str | int, ...]


def whole_one(value: Any) -> Any:
    """Refuse ``true`` and ``1.0`` where the version 1 is meant; pydantic takes them for 1."""
    if value != 1 or type(value) is not int:
        raise ValueError("must be 1")
    return value


def check_crowd(data: Any, *besides: str) -> None:
    """Refuse a document of absurdly many values, each of which could be a problem of its own.

    Parameters
    ----------
    data
        The document.
    besides
        Path of the one field of it that may be large and is checked by other means.

    Raises
    ------
    InputError
        If there are more than 300,000 values in the rest.
    """
    spared = data
    for name in besides:
        spared = spared.get(name) if isinstance(spared, dict) else None
    waiting, seen = [data], 0
    while waiting and seen <= _CROWD:
        value = waiting.pop()
        if isinstance(value, (dict, list)) and value is not spared:
            waiting += value.values() if isinstance(value, dict) else value
            seen += len(value)
    if seen > _CROWD:
        raise InputError(f"must hold at most {_CROWD:,} values besides {'.'.join(besides)!r}")


def first_problem(error: ValidationError, data: Any, form: type[BaseModel]) -> InputError:
    """Return the first problem of a document, and how many fields have others.

    Parameters
    ----------
    error
        What pydantic raised.
    data
        The document.
    form
        What it should be; its fields are suggested for those that are not known.
    """
    if error.error_count() > _MANY:
        return InputError(
            f"has {error.error_count():,} problems; `planner schema` shows the form of an instance"
        )
    found: dict[Path, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail, data)
        found.setdefault(path, detail)
    deeper = {path[:n] for path in found for n in range(len(path))}  # a union also blames the whole
    paths = [path for path in found if path not in deeper or found[path]["type"] == "value_error"]
    path, detail = paths[0], found[paths[0]]
    known = _RULES.get(detail["type"])
    rule = known.format(**detail.get("ctx", {})) if known else detail["msg"].lower()
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1]), _siblings(form, path), n=1)
        rule += f" (did you mean {close[0]!r}?)" if close else ""
    if detail["type"] == "value_error" and isinstance(detail["input"], (str, int, float)):
        return _problem(rule, path, detail["input"], len(paths) - 1)
    value = None if detail["type"] in _WITHOUT_VALUE else _shown(detail["input"])
    return _problem(rule, path, value, len(paths) - 1)


def _problem(rule: str, path: Path, value: Any, others: int) -> InputError:
    more = f" ({others} more problem{'s' * (others > 1)} in this file)" if others else ""
    return InputError(rule + more, field=field_path(path), value=value)


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return "nothing" if value is None else value


def _path(detail: ErrorDetails, data: Any) -> Path:
    """Return where in ``data`` a problem is, without the names of unions and validators."""
    path: list[str | int] = []
    for part in detail["loc"]:
        there = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part in there:
            data = data[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path.append(part)
    return tuple(path)


def _siblings(form: type[BaseModel], path: Path) -> list[str]:
    """Return the names of the fields that could stand where ``path`` ends."""
    schema = form.model_json_schema()
    node: dict[str, Any] = schema
    for part in path[:-1]:
        node = node.get("properties", {}).get(part) or node.get("items") or {}
        node = next((n for n in node.get("anyOf", ()) if "$ref" in n), node)
        node = schema["$defs"].get(node.get("$ref", "").rpartition("/")[2], node)
    return list(node.get("properties", ()))
