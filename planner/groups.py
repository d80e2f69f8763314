"""The machines of a plan file: groups of them, in little memory, checked as they come.

There may be a million groups. As mappings they would take half a gigabyte; here they are numbers, and
a mapping is made of one when somebody asks for it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np

from planner.errors import InputError
from planner.names import LONGEST

Group = dict[str, Any]  #: machine_type, pinned (or absent), machines, models: {name: count}

ENTRIES = 10_000_000  #: most models on machines, over all groups
_NAMES = 300_000
_MOST = 10**9
_FIELDS = {"machine_type", "pinned", "machines", "models"}


class Groups:
    """Groups of machines, each with its machine type and the replicas of each model on each machine.

    Parameters
    ----------
    most
        Most groups there may be.
    """

    def __init__(self, most: int = ENTRIES) -> None:
        self._most = most
        self._places: dict[tuple[str, str | None], int] = {}
        self._models: dict[str, int] = {}
        self._place, self._machines = array("i"), array("i")
        self._start, self._model, self._count = array("i", [0]), array("i"), array("i")

    @classmethod
    def of(cls, data: Any) -> Groups:
        """Return the groups in a list of mappings.

        Raises
        ------
        InputError
            If it is something else, naming the field, the rule and what was found.
        """
        if isinstance(data, Groups):
            return data
        if not isinstance(data, list):
            raise InputError("must be a list", field="machines", value=data)
        result = cls()
        for group in data:
            result.append(group)
        return result

    def append(self, group: Any) -> None:
        """Take the next group; raises as :meth:`of` does."""
        where = f"machines[{len(self)}]"
        if len(self) == self._most:
            raise InputError(f"must have at most {self._most:,} groups", field="machines", value="more")
        _check(group, where)
        machine_type, models = group["machine_type"], group["models"]
        if len(self._model) + len(models) > ENTRIES:
            raise InputError(f"must hold at most {ENTRIES:,} entries in 'models'", field="machines")
        self._place.append(_number((machine_type, group.get("pinned")), self._places, where))
        self._machines.append(group["machines"])
        for name, count in models.items():
            self._model.append(_number(name, self._models, where))
            self._count.append(count)
        self._start.append(len(self._model))

    def __len__(self) -> int:
        return len(self._place)

    def __iter__(self) -> Iterator[Group]:
        return self.at(range(len(self)))

    def at(self, positions: Iterable[int]) -> Iterator[Group]:
        """Yield the groups at these positions, in this order."""
        places, models = list(self._places), list(self._models)
        for g in positions:
            machine_type, pinned = places[self._place[g]]
            span = slice(self._start[g], self._start[g + 1])
            names = [models[t] for t in self._model[span]]
            group: Group = {"machine_type": machine_type, "machines": self._machines[g]}
            if pinned is not None:
                group["pinned"] = pinned
            yield group | {"models": dict(zip(names, self._count[span], strict=True))}

    def largest(self, most: int | None) -> Iterator[Group]:
        """Yield the groups by falling number of machines, at most so many of them."""
        order = np.argsort(-np.array(self._machines, dtype=np.int64), kind="stable")
        return self.at(order[:most].tolist())

    def named(self, most: int | None) -> Iterator[tuple[str, Group]]:
        """Yield them as :meth:`largest` does, each after its name.

        A name is the machine type and which of its groups this is in that order, as in ``gpu#2``.
        """
        seen: Counter[str] = Counter()
        for group in self.largest(most):
            seen[group["machine_type"]] += 1
            yield f"{group['machine_type']}#{seen[group['machine_type']]}", group


def _number(name: Any, known: dict[Any, int], where: str) -> int:
    """Return the number of a name, the next one if it is new."""
    number = known.setdefault(name, len(known))
    if number == _NAMES:
        raise InputError(f"must not use more than {_NAMES:,} different names", field=where, value=name)
    return number


def _check(group: Any, where: str) -> None:
    """Check a group by hand; there are too many for pydantic to be quick about."""
    if type(group) is not dict:
        raise InputError("must be a mapping", field=where, value=group)
    for name in group.keys() - _FIELDS:
        raise InputError("is not a known field", field=f"{where}.{name}", value=group[name])
    for name in ("machine_type", "machines", "models"):
        if name not in group:
            raise InputError("is required", field=f"{where}.{name}")
    for name in ("machine_type", "pinned"):
        if type(group.get(name, "")) is not str:
            raise InputError("must be text", field=f"{where}.{name}", value=group[name])
        _check_length(group.get(name, ""), where, name)
    _check_count(group["machines"], where, "machines")
    if type(group["models"]) is not dict or not group["models"]:
        rule = "must be a mapping of at least one model to its replicas"
        raise InputError(rule, field=f"{where}.models", value=group["models"])
    for name, count in group["models"].items():
        _check_count(count, where, "models", name)
        _check_length(name, where, "models")


def _check_count(value: Any, *where: str) -> None:
    if type(value) is not int or not 1 <= value <= _MOST:
        shown = float(value) if isinstance(value, Decimal) else value
        raise InputError("must be a whole number from 1 to 1e9", field=".".join(where), value=shown)


def _check_length(name: str, *where: str) -> None:
    if len(name) > LONGEST:
        raise InputError(f"must have at most {LONGEST} characters", field=".".join(where), value=name)
