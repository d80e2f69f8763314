"""Pair flow: a bound on the objective whose size depends on models and loads, not on replicas.

A machine that holds n replicas has *load* n. Machines of one pool and one load are alike in all that
a linear program can see, so they are summed up. With c the pattern of a machine, and sums over the
machines of pool p whose load is in a range b = [lo, hi] (one load, except where there would be many):

    Z[p,b]     = number of those machines
    X[p,b,t]   = sum of c_t                          replicas of t on them
    W[p,b,t,u] = sum of c_t (c_u - [u = t])          ordered co-locations, symmetric in t and u

Every plan satisfies these rows: those of single machines, and their products with c_t
(reformulation and linearization: Sherali and Adams, "A hierarchy of relaxations ...", 1990).

    placement      sum_{p,b} X_t = replicas_t
    machines       sum_b Z <= machines_p   (= where replicas are pinned)
    loads          lo Z <= sum_t X_t <= hi Z,   (lo - 1) X_t <= sum_u W_tu <= (hi - 1) X_t
                   sum_tu W_tu >= 2 a sum_t X_t - a (a + 1) Z   for loads a of a wide range
    resources      sum_t a_t X_t <= C Z,   sum_u a_u W_tu <= (C - a_t) X_t
    SLOs           sum_u d_tu W_tu <= (slack_t - background_t) X_t   (+ excess_t Q_t where it is soft)
    pins           X_t >= pinned_t Z,   W_tu >= pinned_u X_t,   W_tt >= (pinned_t - 1) X_t
    spread         V_t <= X_t <= most_t V_t,   V_t <= Z,   sum_{t in group} V_t <= Z,
                   sum_{p,b} V_t >= min_machines_t
    W_tu = 0       where t and u cannot share a machine

V counts machines that hold t, Q replicas that miss a soft SLO. The minimum of
``sum cost_tu W_tu + background_cost_t X_t + price Z + miss_price_t Q_t`` is the bound. Two families
are many and seldom bind; :func:`violated` finds those that a solution breaks:

    caps           W_tu <= most_u X_t,   W_tt <= (most_t - 1) X_t
    triangles      W_uw >= W_tu + W_tw - X_t - (W_uu + W_ww + W_tt) / 2

Triangles say that models that both always live beside t live beside each other; they are
``(v.c)(v.c - 1) >= 0`` with v = 1 at u and w, -1 at t, summed over machines.

Where the patterns of a pool and a load are few, there is a column for each (``P`` machines carry it)
in place of all this: that is exact. Where there are too many models for pairs, there is no W, and
X_t costs half of what the cheapest lo - 1 neighbours of t and t cost each other.

Where there are co-location factors, d and cost are multiplied with the least factor of the range, each
rounded down, so that no sum is above the rounded product of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED, Compiled
from planner.instance import Instance
from solvers.enumeration import Patterns, few_patterns
from solvers.lagrange import FREE, Program
from solvers.loads import Order, cheapest, largest_load, lessened, nearest, ranges
from solvers.needs import machines_needed
from solvers.terms import Ints

Floats = NDArray[np.float64]

_PATTERNS = 40_000
_PAIRS = 400_000
_TANGENTS = 4


@dataclass(frozen=True)
class Cell:
    """The machines of one pool whose load is from ``low`` to ``high``, and their columns.

    Attributes
    ----------
    models (n,)
        The models that such a machine can hold.
    most (n,)
        An upper limit on the replicas of each on one machine.
    z, x (n,), w (n, n)
        Columns of Z, X and W; ``w[i, j] == w[j, i]`` is the column of an unordered pair of models, whose
        value is W[i, j] = W[j, i]; -1 where the two cannot share a machine. Without pairs, shape (0, 0).
    """

    pool: int
    kind: int
    low: int
    high: int
    models: Ints
    most: Ints
    z: int
    x: Ints
    w: Ints

    @property
    def beside(self) -> Ints:
        """Return (n, n): an upper limit on the replicas of the second model beside one of the first."""
        n = self.models.size
        limit = np.broadcast_to(self.most, (n, n)) - np.eye(n, dtype=np.int64)
        return np.minimum(limit, self.high - 1)


class Flow:
    """The linear program of the module's docstring.

    Parameters
    ----------
    limit
        No replica may suffer more degradation than this; for the objective ``worst``.
    proof
        Minimise what cannot be placed, in place of the objective: a bound above 0 proves that there
        is no plan.
    enumerate_up_to
        How many patterns may become columns.
    """

    def __init__(
        self,
        instance: Instance,
        *,
        limit: int = UNLIMITED,
        proof: bool = False,
        enumerate_up_to: int = _PATTERNS,
    ) -> None:
        self.c: Compiled = instance.compiled
        self.groups = [[instance.model_index[n] for n in g] for g in instance.rules.keep_apart]
        self.limit, self.proof = limit, proof
        self.program = Program()
        self.counted = self.c.min_machines > 1
        for group in self.groups:
            self.counted[group] = True
        self.machines = machines_needed(self.c)
        self.patterns: list[tuple[int, Patterns, Ints]] = []  # pool, patterns, columns
        self.cells: list[Cell] = []
        self.sorted: tuple[tuple[int, int], Order] | None = None  # type and factor, its nearest models
        self.placed: list[tuple[int, Ints, Ints, Ints]] = []  # pool, models, columns, replicas of each
        self.standing: list[tuple[Ints, Ints]] = []  # pools, columns that count machines
        self.holding: list[tuple[Ints, Ints]] = []  # models, columns that count machines with them
        pools = np.flatnonzero(self.machines).tolist()
        wide = []
        for p in pools:
            found, complete = few_patterns(self.c, p, enumerate_up_to // len(pools), limit)
            for patterns in found:
                self.add_patterns(p, patterns)
            if not complete:
                loads = found[-1].members.shape[1] if found else int(self.c.pinned[p].sum())
                wide += [(p, low, high) for low, high in ranges(loads + 1, largest_load(self.c, p))]
        lacking = (self.c.most_per_machine() == 0).sum(axis=1)
        self.reach = max((high + int(lacking[p]) for p, _, high in wide), default=0)
        self.paired = len(wide) * self.c.replicas.size**2 // 2 <= _PAIRS
        for p, low, high in wide:
            self.add_cell(p, low, high)
        self.add_placement()
        self.add_machines()
        self.add_min_machines()

    def columns(self, cost: Ints, top: Ints) -> Ints:
        """Add columns; they are free of cost in a proof."""
        return self.program.add_columns(np.zeros_like(cost) if self.proof else cost, top)

    def row(self, column: Ints, value: Ints, lower: int, upper: int) -> None:
        """Add one row."""
        only = np.zeros(1, dtype=np.int64)
        self.program.add_rows(only, column, value, only + lower, only + upper)

    def products(self, cell: Cell, amounts: Ints, own: Ints, lower: int, upper: int) -> None:
        """Add for each model t the row ``sum_u amounts[t, u] W_tu - own_t X_t`` in [lower, upper]."""
        if cell.w.size:
            n = cell.models.size
            column = np.hstack([cell.w, cell.x[:, None]])
            value = np.hstack([np.broadcast_to(amounts, (n, n)), -np.broadcast_to(own, n)[:, None]])
            rows = np.arange(n)[:, None]
            self.program.add_rows(rows, column, value, np.full(n, lower), np.full(n, upper))

    def add_patterns(self, p: int, patterns: Patterns) -> None:
        """A column for each pattern: how many machines of pool p carry it."""
        number, load = patterns.members.shape
        column = self.columns(patterns.cost, np.full(number, self.machines[p]))
        self.patterns.append((p, patterns, column))
        pair = np.stack([patterns.members.ravel(), np.repeat(column, load)])
        (models, carriers), each = np.unique(pair, axis=1, return_counts=True)
        self.placed.append((p, models, carriers, each))
        self.standing.append((np.full(number, p), column))
        self.holding.append((models, carriers))

    def add_cell(self, p: int, low: int, high: int) -> None:
        """The columns and rows of the machines of pool p with a load in a range."""
        c, k, machines = self.c, int(self.c.type_of[p]), int(self.machines[p])
        most = c.most_per_machine()[p]
        models = np.flatnonzero(most)
        here = np.minimum(most[models], high)
        top = np.minimum(c.replicas[models], here * machines)
        z = int(self.columns(c.price[[p]], np.array([machines]))[0])
        cost = (c.background_cost[p] + c.arrival_price[p] * (c.here[p] == 0))[models]
        paired = self.paired and high > 1
        x = self.columns(cost if paired else cost + self.lonely(k, low, high, models, most), top)
        cell = Cell(p, k, low, high, models, here, z, x, np.zeros((0, 0), dtype=np.int64))
        if paired:
            cell.w.resize((models.size, models.size), refcheck=False)
            cell.w[:] = self.pair_columns(cell, top)
        self.cells.append(cell)
        self.placed.append((p, models, x, np.ones_like(x)))
        self.standing.append((np.array([p]), np.array([z])))
        for family in (self.add_loads, self.add_resources, self.add_slos, self.add_pins, self.add_spread):
            family(cell)

    def lonely(self, k: int, low: int, high: int, models: Ints, most: Ints) -> Ints:
        """Return half of what each model and the cheapest neighbours for it cost each other."""
        cost, which = lessened(self.c, self.c.cost, k, low, high), (k, self.c.least_factor(k, low, high))
        if self.sorted is None or self.sorted[0] != which:
            self.sorted = which, nearest(cost, self.reach)
        return cheapest(cost, self.sorted[1], models, np.minimum(most, high), low - 1)

    def pair_columns(self, cell: Cell, top: Ints) -> Ints:
        """Create the columns of the pairs that can share a machine; return their numbers (n, n)."""
        i, j = np.nonzero(np.triu(self.together(cell)))
        cost = lessened(self.c, self.c.cost, cell.kind, cell.low, cell.high)[np.ix_(cell.models, cell.models)]
        both = np.where(i == j, cost[i, i], cost[i, j] + cost[j, i])
        beside = cell.beside
        w = np.full(beside.shape, -1, dtype=np.int64)
        w[i, j] = w[j, i] = self.columns(both, np.minimum(top[i] * beside[i, j], top[j] * beside[j, i]))
        return w

    def slack(self, cell: Cell) -> Ints:
        """Return what co-located replicas may add to each model; ``UNLIMITED`` if anything."""
        c = self.c
        slack = np.minimum(np.where(c.soft, UNLIMITED, c.slack[cell.kind]), self.limit)[cell.models]
        return np.where(slack < UNLIMITED, slack - c.background[cell.pool, cell.models], UNLIMITED)

    def together(self, cell: Cell) -> NDArray[np.bool_]:
        """Return (n, n): whether replicas of the two fit a machine with ``low - 2`` cheapest others."""
        c, models, others = self.c, cell.models, max(cell.low - 2, 0)
        may = ~c.apart[np.ix_(models, models)]
        np.fill_diagonal(may, cell.most > 1)
        for r in range(len(c.resources)):
            demand = c.demand[cell.kind, models, r]
            room = int(c.capacity[cell.pool, r]) - others * int(demand.min())
            may &= demand[:, None] + demand[None, :] <= room
        d = lessened(c, c.degradation, cell.kind, cell.low, cell.high)[np.ix_(models, models)]
        met = d + others * d.min(axis=1, keepdims=True) <= self.slack(cell)[:, None]
        result: NDArray[np.bool_] = may & met & met.T
        return result

    def add_loads(self, cell: Cell) -> None:
        """The loads of the cell's machines are in its range, and so are neighbours of each replica."""
        one = np.ones_like(cell.x)
        for load, lower, upper in ((cell.low, 0, FREE), (cell.high, -FREE, 0)):
            self.row(np.append(cell.x, cell.z), np.append(one, -load), lower, upper)
            self.products(cell, one, (load - 1) * one, lower, upper)
        if cell.w.size and cell.low < cell.high:
            i, j = np.nonzero(np.triu(cell.w >= 0))
            column = np.concatenate([cell.w[i, j], cell.x, [cell.z]])
            for a in np.unique(np.linspace(cell.low, cell.high - 1, _TANGENTS, dtype=np.int64)).tolist():
                value = np.concatenate([np.where(i == j, 1, 2), -2 * a * one, [a * (a + 1)]])
                self.row(column, value, 0, FREE)

    def add_resources(self, cell: Cell) -> None:
        """Demands fit each resource: summed over machines, and over the neighbours of each model."""
        for r in range(len(self.c.resources)):
            demand = self.c.demand[cell.kind, cell.models, r]
            capacity = int(self.c.capacity[cell.pool, r])
            if int(demand.max()) * cell.high > capacity:
                self.row(np.append(cell.x, cell.z), np.append(demand, -capacity), -FREE, 0)
                self.products(cell, demand, capacity - demand, -FREE, 0)

    def add_slos(self, cell: Cell) -> None:
        """Neighbours keep a model within its hard SLO; replicas over a soft one are paid for."""
        if not cell.w.size:
            return
        d = lessened(self.c, self.c.degradation, cell.kind, cell.low, cell.high)[
            np.ix_(cell.models, cell.models)
        ]
        slack = self.slack(cell)
        hard = np.flatnonzero((slack < UNLIMITED) & (d.max(axis=1) * (cell.high - 1) > slack))
        column = np.hstack([cell.w[hard], cell.x[hard, None]])
        value = np.hstack([d[hard], -slack[hard, None]])
        rows, zero = np.arange(hard.size)[:, None], np.zeros_like(hard)
        self.program.add_rows(rows, column, value, zero - FREE, zero)
        for i, t in enumerate(cell.models.tolist()):
            room = int(self.c.slack[cell.kind, t]) - int(self.c.background[cell.pool, t])
            excess = int(d[i].max()) * (cell.high - 1) - room
            if self.c.soft[t] and excess > 0 and not self.proof:
                missed = int(self.columns(self.c.miss_price[[t]], self.c.replicas[[t]])[0])
                row = np.concatenate([cell.w[i], [cell.x[i], missed]])
                self.row(row, np.append(d[i], [-room, -excess]), -FREE, 0)
                self.row(np.array([missed, cell.x[i]]), np.array([1, -1]), -FREE, 0)

    def add_pins(self, cell: Cell) -> None:
        """Pinned replicas are on every machine of the cell, so beside each other replica there."""
        pinned = self.c.pinned[cell.pool, cell.models]
        for i in np.flatnonzero(pinned).tolist():
            self.row(np.array([cell.x[i], cell.z]), np.array([1, -int(pinned[i])]), 0, FREE)
            for j in range(cell.models.size if cell.w.size else 0):
                value = np.array([1, int(i == j) - int(pinned[i])])
                self.row(np.array([cell.w[i, j], cell.x[j]]), value, 0, FREE)

    def add_spread(self, cell: Cell) -> None:
        """Count the machines that hold a model; at most one model of a group is on each."""
        chosen = np.flatnonzero(self.counted[cell.models])
        machines = np.minimum(self.c.replicas[cell.models[chosen]], self.machines[cell.pool])
        holders = self.columns(np.zeros_like(chosen), machines)
        self.holding.append((cell.models[chosen], holders))
        for i, v in zip(chosen.tolist(), holders.tolist(), strict=True):
            self.row(np.array([v, cell.x[i]]), np.array([int(cell.most[i]), -1]), 0, FREE)
            self.row(np.array([v, cell.x[i]]), np.array([1, -1]), -FREE, 0)
            self.row(np.array([v, cell.z]), np.array([1, -1]), -FREE, 0)
        position = {int(t): i for i, t in enumerate(cell.models[chosen])}
        for group in self.groups:
            there = holders[[position[t] for t in group if t in position]]
            self.row(np.append(there, cell.z), np.append(np.ones_like(there), -1), -FREE, 0)

    def add_placement(self) -> None:
        """Every replica is placed exactly once; a proof counts those left over."""
        n = self.c.replicas
        everything = [placed[1:] for placed in self.placed]
        if self.proof:
            left = self.program.add_columns(np.ones_like(n), n)
            everything.append((np.arange(n.size), left, np.ones_like(n)))
        models, column, each = (np.concatenate(part) for part in zip(*everything, strict=True))
        self.program.add_rows(models, column, each, n, n)

    def add_machines(self) -> None:
        """No pool gives more machines than it has; those with pins all appear, or a proof counts them."""
        lower = np.where(self.c.pinned.any(axis=1), self.machines, 0)
        standing = [*self.standing]
        if self.proof:
            standing.append((np.arange(lower.size), self.program.add_columns(np.ones_like(lower), lower)))
        pool, column = (np.concatenate(part) for part in zip(*standing, strict=True))
        self.program.add_rows(pool, column, np.ones(1, dtype=np.int64), lower, self.machines)

    def add_min_machines(self) -> None:
        """A model's replicas spread over at least ``min_machines`` machines; a proof counts the missing."""
        for t in np.flatnonzero(self.c.min_machines > 1).tolist():
            least = self.c.min_machines[[t]]
            holders = [v[models == t] for models, v in self.holding]
            if self.proof:
                holders.append(self.program.add_columns(np.ones_like(least), least))
            column = np.concatenate(holders)
            self.row(column, np.ones_like(column), int(least[0]), FREE)
