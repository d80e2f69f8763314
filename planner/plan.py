"""The answer: which patterns, and how many machines of each pool carry them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from planner.instance import Instance

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """G groups of machines, each group carrying one pattern. Empty machines do not appear.

    The arrays are canonical: groups are sorted and distinct, so two plans that place the same
    replicas on the same kinds of machines are equal.

    Attributes
    ----------
    pool (G,), machines (G,)
        The pool of each group and how many of its machines carry the pattern.
    start (G + 1,)
        Group g's pattern is the entries ``start[g]:start[g + 1]`` of the next two arrays.
    model (E,), count (E,)
        Models of the pattern, ascending, and how many replicas of each.

    Raises
    ------
    InputError
        If the arrays are not of this form, e.g. a count is not positive.
    """

    pool: Ints
    machines: Ints
    start: Ints
    model: Ints
    count: Ints

    def __post_init__(self) -> None:
        entries, sizes = self.model.size, np.diff(self.start)
        if [self.machines.size, sizes.size, self.count.size] != [self.pool.size, self.pool.size, entries]:
            raise InputError("must have one element for each group or entry", field="plan")
        if self.start[0] != 0 or self.start[-1] != entries or (sizes < 1).any():
            raise InputError("must delimit a pattern for each group", field="plan.start")
        opening = np.zeros(entries, dtype=bool)
        opening[self.start[:-1]] = True
        for field, rule, ok in (
            ("plan.pool", "must be ascending", np.diff(self.pool) >= 0),
            ("plan.machines", "must be positive", self.machines > 0),
            ("plan.model", "must be ascending in a pattern", opening[1:] | (np.diff(self.model) > 0)),
            ("plan.count", "must be positive", self.count > 0),
        ):
            if not ok.all():
                raise InputError(rule, field=field)

    @classmethod
    def from_patterns(cls, patterns: Iterable[tuple[int, int, Mapping[int, int]]]) -> Plan:
        """Build a plan from ``(pool, machines, {model: count})`` triples; equal ones are merged."""
        groups: dict[tuple[int, bytes, bytes], int] = {}
        for pool, machines, pattern in patterns:
            items = sorted((t, c) for t, c in pattern.items() if c)
            if not items or not machines:
                continue
            model, count = (np.array(column, dtype=np.int64) for column in zip(*items, strict=True))
            key = (pool, model.tobytes(), count.tobytes())
            groups[key] = groups.get(key, 0) + machines
        return cls._from_groups(groups)

    @classmethod
    def from_assignment(cls, pool_of: Ints, machine: Ints, model: Ints) -> Plan:
        """Build a plan from single replicas.

        Parameters
        ----------
        pool_of
            The pool of each machine, shape (M,).
        machine, model
            The machine and the model of each replica, shape (N,).
        """
        pair, count = np.unique(machine * (int(model.max(initial=0)) + 1) + model, return_counts=True)
        machine, model = np.divmod(pair, int(model.max(initial=0)) + 1)
        first = np.flatnonzero(np.diff(machine, prepend=-1))
        ends = np.append(first[1:], machine.size)
        groups: dict[tuple[int, bytes, bytes], int] = {}
        for a, b in zip(first.tolist(), ends.tolist(), strict=True):
            key = (int(pool_of[machine[a]]), model[a:b].tobytes(), count[a:b].tobytes())
            groups[key] = groups.get(key, 0) + 1
        return cls._from_groups(groups)

    @classmethod
    def _from_groups(cls, groups: Mapping[tuple[int, bytes, bytes], int]) -> Plan:
        keys = sorted(groups)
        models = [np.frombuffer(key[1], dtype=np.int64) for key in keys]
        counts = [np.frombuffer(key[2], dtype=np.int64) for key in keys]
        empty = [np.zeros(0, dtype=np.int64)]
        return cls(
            pool=np.array([key[0] for key in keys], dtype=np.int64),
            machines=np.array([groups[key] for key in keys], dtype=np.int64),
            start=np.cumsum([0] + [m.size for m in models], dtype=np.int64),
            model=np.concatenate(models or empty),
            count=np.concatenate(counts or empty),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        mine, theirs = vars(self).values(), vars(other).values()
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __len__(self) -> int:
        return self.pool.size

    def patterns(self) -> Iterator[tuple[int, int, dict[int, int]]]:
        """Yield ``(pool, machines, {model: count})`` of each group."""
        for g in range(len(self)):
            span = slice(self.start[g], self.start[g + 1])
            pattern = dict(zip(self.model[span].tolist(), self.count[span].tolist(), strict=True))
            yield int(self.pool[g]), int(self.machines[g]), pattern

    def placed(self, models: int) -> Ints:
        """Return how many replicas of each of ``models`` models the plan places, shape (models,)."""
        entries = self.count * np.repeat(self.machines, np.diff(self.start))
        placed = np.zeros(models, dtype=np.int64)
        np.add.at(placed, self.model, entries)
        return placed

    def expand(self, machines: Ints) -> tuple[Ints, Ints]:
        """Return the machine and the model of each replica, shapes (N,).

        Machines are numbered pool by pool, as in ``np.repeat(range(P), machines)``; each pool's
        groups take its machines in order. Needs a plan that uses at most ``machines`` of each pool.
        """
        first = np.concatenate([[0], np.cumsum(machines)[:-1]])
        per_group = self.machines
        before = np.cumsum(per_group) - per_group
        opening = np.searchsorted(self.pool, self.pool, side="left")
        base = first[self.pool] + before - before[opening]
        group = np.repeat(np.arange(len(self)), per_group)
        machine_of_group_copy = base[group] + np.arange(group.size) - before[group]
        sizes = np.diff(self.start)[group]
        entry = np.repeat(self.start[group], sizes) + _ramp(sizes)
        replica_machine = np.repeat(np.repeat(machine_of_group_copy, sizes), self.count[entry])
        return replica_machine, np.repeat(self.model[entry], self.count[entry])

    def to_frame(self, instance: Instance) -> DataFrame:
        """Return who lives where, in the terms of ``instance``; see :func:`planner.frames.plan_frame`."""
        from planner.frames import plan_frame

        return plan_frame(instance, self)

    def _repr_html_(self) -> str:
        from planner.notebook import plan_html

        return plan_html(self)


def _ramp(sizes: Ints) -> Ints:
    """Return 0..s-1 for each s in ``sizes``, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if sizes.size else 0) - np.repeat(ends - sizes, sizes)
