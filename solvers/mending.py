"""Plans from machines that place some replicas too often and others not at all.

Covering asks for enough of every model. What is too much leaves the machine where leaving saves most; what
is short joins the machine where joining costs least. One replica moves at a time.
"""

from __future__ import annotations

import numpy as np

from planner.compiled import UNLIMITED
from planner.plan import Plan
from solvers.columns import Columns, Need
from solvers.enumeration import costs, may_be_together
from solvers.run import Run
from solvers.terms import Ints

_MOST = 500


def mended(columns: Columns, need: Need, machines: Ints, run: Run, limit: int = UNLIMITED) -> Plan | None:
    """Return a plan near ``machines`` (N,) with each pattern; None if a replica finds no machine.

    Also if many are short, or ``run`` is stopping: one after the other takes its time. The plan is not
    checked: a rule about several machines may be broken.

    Parameters
    ----------
    limit
        No replica that joins may make one suffer more degradation than this.
    """
    draft = _Draft(columns, need, machines, limit)
    for t in np.flatnonzero(draft.left < 0).tolist():
        for _ in range(-int(draft.left[t])):
            draft.leave(t)
    if np.maximum(draft.left, 0).sum() > _MOST:
        return None
    demand = columns.c.demand.sum(axis=(0, 2))
    short = np.flatnonzero(draft.left > 0)
    for t in short[np.argsort(-demand[short], kind="stable")].tolist():
        for _ in range(int(draft.left[t])):
            if run.report() or not draft.join(t):
                return None
    return columns.plan(draft.machines)


class _Draft:
    """Machines with patterns, in work."""

    def __init__(self, columns: Columns, need: Need, machines: Ints, limit: int) -> None:
        self.columns, self.c, self.limit = columns, columns.c, limit
        self.machines = np.zeros(len(columns), dtype=np.int64)
        self.machines[: machines.size] = machines
        after = need.less(columns, self.machines)
        self.left, self.spread, self.free = after.replicas.copy(), after.holders, after.machines
        self.full = need.least > 0

    def leave(self, t: int) -> None:
        """Take a replica of t from where that saves most, but from no machine that it is pinned to."""
        used = np.flatnonzero(self.machines)
        number = (self.columns.who[used] == t).sum(axis=1)
        found = number > self.c.pinned[self.columns.pool[used], t]
        if self.spread[t] >= 0 and self.c.min_machines[t] > 1 and (found & (number > 1)).any():
            found &= number > 1
        best, saved = None, -UNLIMITED
        for p, i, members in self._groups(used[found]):
            kept = _without(members, t)
            gain = self.columns.cost[i] - (costs(self.c, p, kept) if kept.shape[1] else 0)
            at = int(np.argmax(gain))
            if gain[at] > saved:
                best, saved = (int(i[at]), p, kept[at]), int(gain[at])
        if best is not None:
            self._change(*best)

    def join(self, t: int) -> bool:
        """Put a replica of t where that costs least; return whether there was room."""
        best, added = None, UNLIMITED
        for p in np.flatnonzero((self.free > 0) & ~self.full & self.c.allowed[:, t]).tolist():
            alone = np.array([[t]])
            if may_be_together(self.c, p, alone, self.limit)[0]:
                cost = int(costs(self.c, p, alone)[0])
                best, added = ((-1, p, alone[0]), cost) if cost < added else (best, added)
        used = np.flatnonzero(self.machines)
        for p, i, members in self._groups(used[self.c.allowed[self.columns.pool[used], t]]):
            more = np.hstack([members, np.full((i.size, 1), t)])
            adds = costs(self.c, p, more) - self.columns.cost[i]
            adds[~may_be_together(self.c, p, more, self.limit)] = UNLIMITED
            at = int(np.argmin(adds))
            if adds[at] < added:
                best, added = (int(i[at]), p, more[at]), int(adds[at])
        if best is not None:
            self._change(*best)
        return best is not None

    def _groups(self, used: Ints) -> list[tuple[int, Ints, Ints]]:
        """Return (pool, columns, members (n, load)) for patterns of equal pool and load."""
        who = self.columns.who[used]
        load = (who < self.columns.models).sum(axis=1)
        kind = self.columns.pool[used] * (who.shape[1] + 1) + load
        result = []
        for value in np.unique(kind).tolist():
            here = np.flatnonzero(kind == value)
            p, n = divmod(value, who.shape[1] + 1)
            result.append((p, used[here], who[here, :n]))
        return result

    def _change(self, i: int, p: int, members: Ints) -> None:
        """Give one machine with pattern i, or an empty one of pool p, these replicas."""
        before = self.columns.who[i] if i >= 0 else np.zeros(0, dtype=np.int64)
        np.add.at(self.left, before[before < self.columns.models], 1)
        np.subtract.at(self.left, members, 1)
        if i >= 0:
            self.machines[i] -= 1
        else:
            self.free[p] -= 1
        if members.size:
            (new,) = self.columns.add(p, members[None, :])
            self.machines = np.pad(self.machines, (0, len(self.columns) - self.machines.size))
            self.machines[new] += 1
        else:
            self.free[p] += 1


def _without(members: Ints, t: int) -> Ints:
    """Return (n, load - 1): patterns (n, load) with one replica of t, each of which holds one, fewer."""
    first = np.argmax(members == t, axis=1)
    keep = np.arange(members.shape[1])[None, :] != first[:, None]
    kept: Ints = members[keep].reshape(members.shape[0], -1)
    return kept
