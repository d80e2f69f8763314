"""The patterns that are known, as arrays that grow; and what there is to cover with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from planner.compiled import Compiled
from planner.plan import Plan
from solvers.enumeration import Pattern, costs
from solvers.needs import holders, machines_needed
from solvers.terms import Ints

Bools = NDArray[np.bool_]


class Columns:
    """N patterns of at most D replicas; each is there once."""

    def __init__(self, c: Compiled, deepest: int) -> None:
        self.c, self.models = c, c.replicas.size
        self._pool = np.zeros(64, dtype=np.int64)
        self._cost = np.zeros(64, dtype=np.int64)
        self._who = np.full((64, max(deepest, 1)), self.models, dtype=np.int64)
        self._index: dict[tuple[int, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._index)

    @property
    def pool(self) -> Ints:
        """The pool of each pattern, (N,)."""
        return self._pool[: len(self)]

    @property
    def cost(self) -> Ints:
        """The cost of each in ppm, (N,)."""
        return self._cost[: len(self)]

    @property
    def who(self) -> Ints:
        """The models of its replicas, ascending; T where there is none: (N, D)."""
        return self._who[: len(self)]

    def add(self, p: int, members: Ints) -> list[int]:
        """Add patterns of pool p; return where they are, new or not.

        Parameters
        ----------
        members (n, load)
            The model of each replica, in any order.
        """
        members = np.sort(members, axis=1)
        rows = [(p, row.tobytes()) for row in members]
        new = [i for i, row in enumerate(rows) if row not in self._index]
        self._grow(len(self) + len(new))
        cost = costs(self.c, p, members[new]).tolist() if new else []
        for i, each in zip(new, cost, strict=True):
            if rows[i] not in self._index:  # it may be there twice
                at = len(self)
                self._pool[at], self._cost[at] = p, each
                self._who[at, : members.shape[1]] = members[i]
                self._index[rows[i]] = at
        return [self._index[row] for row in rows]

    def _grow(self, size: int) -> None:
        more = max(2 * size, 64) - self._pool.size
        if size > self._pool.size:
            self._pool = np.pad(self._pool, (0, more))
            self._cost = np.pad(self._cost, (0, more))
            self._who = np.pad(self._who, ((0, more), (0, 0)), constant_values=self.models)

    def of(self, plan: Plan) -> Ints:
        """Return how many machines of a plan carry each pattern, (N,); unknown ones are added."""
        found = []
        for p, number, counts in plan.patterns():
            members = np.repeat(np.array([*counts]), np.array([*counts.values()]))
            found.append((self.add(p, members[None, :])[0], number))
        result = np.zeros(len(self), dtype=np.int64)
        for i, number in found:
            result[i] += number
        return result

    def plan(self, machines: Ints) -> Plan:
        """Return the plan in which so many machines (N,) carry each pattern."""
        used = np.flatnonzero(machines).tolist()
        return Plan.from_patterns((int(self.pool[i]), int(machines[i]), self._counted(i)) for i in used)

    def patterns(self, which: Iterable[int]) -> list[Pattern]:
        """Return some of them one by one."""
        return [Pattern(int(self.pool[i]), self._counted(i), int(self.cost[i])) for i in which]

    def _counted(self, i: int) -> dict[int, int]:
        return dict(Counter(t for t in self.who[i].tolist() if t < self.models))

    def counts(self, which: Ints) -> csr_array:
        """Return (n, T): the replicas of each model on machines with some of the patterns; sparse."""
        who = self.who[which]
        there = who < self.models
        row = np.repeat(np.arange(who.shape[0]), there.sum(axis=1))
        shape = (who.shape[0], self.models)
        result = csr_array((np.ones(row.size, dtype=np.int64), (row, who[there])), shape=shape)
        result.sum_duplicates()
        return result

    def holding(self, wanted: Bools) -> Bools:
        """Return (N,): which patterns hold a replica of a model that is ``wanted`` (T,)."""
        found: Bools = np.any(np.append(wanted, False)[self.who], axis=1)
        return found

    def paid(self, replica: Ints, holder: Ints) -> Ints:
        """Return (N,): what patterns are paid at prices (T,) of replicas and of holders."""
        who = self.who
        first = np.ones(who.shape, dtype=bool)
        first[:, 1:] = who[:, 1:] != who[:, :-1]
        total: Ints = np.append(replica, 0)[who].sum(axis=1) + (np.append(holder, 0)[who] * first).sum(axis=1)
        return total


@dataclass(frozen=True)
class Need:
    """What is to be covered, by how many machines.

    Attributes
    ----------
    replicas (T,), holders (T,)
        To place; and on how many machines each model must be at least, 0 where one is enough.
    least (P,), machines (P,)
        The fewest and the most machines of each pool that carry a pattern. All must where replicas are
        pinned.
    fewest, most
        The same over all pools.
    """

    replicas: Ints
    holders: Ints
    least: Ints
    machines: Ints
    fewest: int
    most: int

    @classmethod
    def of(cls, c: Compiled) -> Need:
        """Return what a plan of ``c`` needs."""
        machines = machines_needed(c)
        least = np.where(c.pinned.any(axis=1), machines, 0)
        return cls(c.replicas, holders(c), least, machines, 0, int(machines.sum()))

    def less(self, columns: Columns, machines: Ints) -> Need:
        """Return what is needed beside so many machines (N,) with each pattern; negative where too much."""
        used = np.flatnonzero(machines)
        counts, number = columns.counts(used), machines[used]
        held = counts.copy()
        held.data = np.ones_like(held.data)
        spread = self.holders > 0
        taken = np.zeros_like(self.machines)
        np.add.at(taken, columns.pool[used], number)
        total = int(taken.sum())
        return Need(
            self.replicas - number @ counts,
            self.holders - spread * (number @ held),
            np.maximum(self.least - taken, 0),
            self.machines - taken,
            max(self.fewest - total, 0),
            self.most - total,
        )

    def at_least_nothing(self) -> Need:
        """Return the same without what is covered more than enough."""
        return replace(self, replicas=np.maximum(self.replicas, 0), holders=np.maximum(self.holders, 0))
