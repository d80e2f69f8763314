"""What ``kubectl get nodes -o json`` and ``kubectl get pods -A -o json`` say, an object at a time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from planner.errors import InputError
from planner.fleet.kubectl_forms import Node, Pod
from planner.json_text import stream_json
from planner.problems import first_problem
from planner.reading import reason, regular_size

LIMIT = 2 * 2**30  # bytes
_MOST = 1_000_000
_CROWD = 100_000  # values in one object, each of which could be a problem of its own

Form = TypeVar("Form", bound=BaseModel)
#: Called with each object and where in the file it stands.
Take = Callable[[Form, str], None]


def each_node(path: Path, take: Take[Node]) -> None:
    """Hand over every node in a file, in order.

    Raises
    ------
    InputError
        If the file holds anything but nodes, naming the field, the rule and what was found; or if ``take``
        raises one, which then names the file.
    """
    _each(path, "Node", Node, take)


def each_pod(path: Path, take: Take[Pod]) -> None:
    """Hand over every pod in a file, in order; raises as :func:`each_node` does."""
    _each(path, "Pod", Pod, take)


def _each(path: Path, kind: str, form: type[Form], take: Take[Form]) -> None:
    count = 0

    def one(item: Any) -> None:
        nonlocal count
        where = f"items[{count}]"
        if count == _MOST:
            raise InputError(f"must have at most {_MOST:,} objects", field="items", value="more")
        count += 1
        if not isinstance(item, dict):
            raise InputError("must be a mapping", field=where, value=item)
        if item.get("kind") != kind:
            raise InputError(f"must be {kind!r}", field=f"{where}.kind", value=item.get("kind", "nothing"))
        take(_formed(item, form, where), where)

    try:
        size = regular_size(path)
        if size > LIMIT:
            raise InputError(f"must be at most {LIMIT // 2**30} GB", value=f"{size / 2**30:,.1f} GB")
        data = stream_json(path, "items", one, number=Decimal)
        if not isinstance(data, dict) or "items" not in data:
            raise InputError(
                f"must be what `kubectl get {kind.lower()}s -o json` prints, with a list 'items'"
            )
        if data["items"] != []:
            raise InputError("must be a list", field="items", value=data["items"])
    except OSError as error:
        raise InputError(f"cannot be read: {reason(error)}", file=str(path)) from None
    except InputError as error:
        raise (error if error.file else error.in_file(str(path))) from None


def _formed(item: dict[str, Any], form: type[Form], where: str) -> Form:
    _check_crowd(item, where)
    try:
        return form.model_validate(item)
    except ValidationError as error:
        problem = first_problem(error, item, form)
        raise InputError(problem.rule, field=f"{where}.{problem.field}", value=problem.value) from None


def _check_crowd(item: dict[str, Any], where: str) -> None:
    waiting: list[Any] = [item]
    seen = 0
    while waiting and seen <= _CROWD:
        value = waiting.pop()
        if isinstance(value, (dict, list)):
            waiting += value.values() if isinstance(value, dict) else value
            seen += len(value)
    if seen > _CROWD:
        raise InputError(f"must hold at most {_CROWD:,} values", field=where)
