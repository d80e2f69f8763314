"""The constraint program over machines by name, in OR-Tools CP-SAT.

For machine m of pool p and type k, and model t:

    x[m,t]       replicas of t on m, from pinned to most_per_machine
    b[m,t,j]     whether x[m,t] >= j, for j = 1, 2, ...;  sum_j b[m,t,j] = x[m,t],  b[m,t,j+1] <= b[m,t,j]
    g[m,t,j]     what the j-th replica of t and the replicas of earlier models cost each other

    minimise  sum g[m,t,j] + (2 (j - 1) cost[k,t,t] + arrival_price [j > here]) b[m,t,j]
              + background_cost x[m,t] + price u[m] + miss_price q[m,t]

    every replica is placed     sum_m x[m,t] = replicas_t
    slots, resources            sum_t x[m,t] <= slots,   sum_t a[k,t,r] x[m,t] <= C[p,r]
    co-location                 b[m,t,j]  =>  g[m,t,j] >= sum_{u < t} (cost[k,t,u] + cost[k,u,t]) x[m,u]
    hard SLO                    b[m,t,1]  =>  background + sum_u d[k,t,u] (x[m,u] - [u = t]) <= slack
    soft SLO                    the same unless missed[m,t], and missed[m,t]  =>  q[m,t] >= x[m,t]
    rules                       at most one b[m,t,1] in a group;  sum_m b[m,t,1] >= min_machines
    price                       b[m,t,1]  =>  u[m]
    worst                       minimise D;  b[m,t,1]  =>  D >= background + sum_u d[k,t,u] (x[m,u] - [u = t])

All coefficients are the instance's integers, so nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
from ortools.sat.python import cp_model

from planner.compiled import UNLIMITED, Compiled
from planner.instance import Instance
from planner.plan import Plan
from solvers.compact import Grid
from solvers.terms import Ints


class ByMachine:
    """The constraint program, its counts ``x[m, t]``, and a start as a complete hint.

    Parameters
    ----------
    start
        A valid plan to begin from, or None; it becomes a complete hint.
    floor
        A proven lower bound on the objective, in ppm.
    priced
        Whether to minimise; otherwise any valid plan will do.
    """

    def __init__(
        self, instance: Instance, start: Plan | None = None, floor: int = 0, *, priced: bool = True
    ) -> None:
        self.c: Compiled = instance.compiled
        self.grid = grid = Grid.of(self.c)
        self.start = None if start is None else grid.counts(start, self.c.replicas.size)
        self.model = cp_model.CpModel()
        self.x: dict[tuple[int, int], cp_model.IntVar] = {}
        self.levels: dict[tuple[int, int], list[cp_model.IntVar]] = {}
        self.models: list[list[int]] = [np.flatnonzero(grid.most[p]).tolist() for p in grid.pool.tolist()]
        self.priced: list[tuple[cp_model.IntVar, int]] = []
        self.add_counts()
        self.add_placement()
        self.add_capacities()
        self.add_slos()
        self.add_groups([[instance.model_index[n] for n in g] for g in instance.rules.keep_apart])
        self.add_min_machines()
        if priced and self.c.worst:
            self.add_worst(floor)
        elif priced:
            self.add_costs()
            self.add_prices()
            self.minimize(floor)

    def variable(self, low: int, high: int, at_start: int) -> cp_model.IntVar:
        """Return a new integer variable and hint at what it is at the start."""
        variable = self.model.new_int_var(low, high, "")
        if self.start is not None:
            self.model.add_hint(variable, at_start)
        return variable

    def at(self, m: int, t: int) -> int:
        """Return the replicas of t on m at the start."""
        return 0 if self.start is None else int(self.start[m, t])

    def add_counts(self) -> None:
        """Create the counts and their levels; pinned levels are fixed."""
        for m, p in enumerate(self.grid.pool.tolist()):
            for t in self.models[m]:
                most, pinned, at = int(self.grid.most[p, t]), int(self.c.pinned[p, t]), self.at(m, t)
                levels = [self.variable(int(j < pinned), 1, int(j < at)) for j in range(most)]
                self.levels[m, t] = levels
                self.x[m, t] = levels[0] if most == 1 else self.variable(pinned, most, at)
                if most > 1:
                    self.model.add(sum(levels) == self.x[m, t])
                for low, high in pairwise(levels):
                    self.model.add_implication(high, low)

    def add_placement(self) -> None:
        """Every replica is placed exactly once."""
        holders: list[list[cp_model.IntVar]] = [[] for _ in self.c.replicas]
        for (_, t), count in self.x.items():
            holders[t].append(count)
        for counts, n in zip(holders, self.c.replicas.tolist(), strict=True):
            self.model.add(cp_model.LinearExpr.sum(counts) == n)

    def add_capacities(self) -> None:
        """The replicas on a machine fit its slots and each of its resources."""
        c = self.c
        for m, p in enumerate(self.grid.pool.tolist()):
            if c.slots[p] < UNLIMITED:
                self.model.add(self.total(m, np.ones_like(c.replicas)) <= max(int(c.slots[p]), 0))
            for r in range(len(c.resources)):
                demand = c.demand[c.type_of[p], :, r]
                if demand.any():
                    self.model.add(self.total(m, demand) <= max(int(c.capacity[p, r]), 0))

    def total(self, m: int, amounts: Ints, models: list[int] | None = None) -> cp_model.LinearExprT:
        """Return the sum of ``amounts`` over the replicas (of some models) on machine m."""
        models = self.models[m] if models is None else models
        return cp_model.LinearExpr.weighted_sum([self.x[m, t] for t in models], amounts[models].tolist())

    def suffered(self, m: int, t: int) -> cp_model.LinearExprT:
        """Return the degradation of a replica of t on machine m, if there is one."""
        p = self.grid.pool[m]
        by = self.c.degradation[self.c.type_of[p], t]
        return self.total(m, by) + (int(self.c.background[p, t]) - int(by[t]))

    def suffered_at_start(self, m: int, t: int) -> int:
        """Return the degradation of a replica of t on machine m at the start; 0 if there is none."""
        if self.start is None or not self.start[m, t]:
            return 0
        p = self.grid.pool[m]
        by = self.c.degradation[self.c.type_of[p], t]
        return int(by @ self.start[m]) - int(by[t]) + int(self.c.background[p, t])

    def add_slos(self) -> None:
        """A machine that holds a model meets its SLO, or pays for each replica if the SLO is soft."""
        c = self.c
        for (m, t), levels in self.levels.items():
            slack = int(c.slack[c.type_of[self.grid.pool[m]], t])
            if slack == UNLIMITED:
                continue
            met = self.model.add(self.suffered(m, t) <= slack)
            if not c.soft[t]:
                met.only_enforce_if(levels[0])
                continue
            misses = self.suffered_at_start(m, t) > slack
            missed = self.variable(0, 1, int(misses))
            met.only_enforce_if(levels[0], ~missed)
            number = self.variable(0, len(levels), self.at(m, t) * misses)
            self.model.add(number >= self.x[m, t]).only_enforce_if(missed)
            self.priced.append((number, int(c.miss_price[t])))

    def add_groups(self, groups: Iterable[list[int]]) -> None:
        """Models of a ``keep_apart`` group never share a machine."""
        for group in groups:
            for m, models in enumerate(self.models):
                self.model.add_at_most_one(self.levels[m, t][0] for t in group if t in models)

    def add_min_machines(self) -> None:
        """A model's replicas spread over at least ``min_machines`` machines."""
        for t in np.flatnonzero(self.c.min_machines > 1).tolist():
            there = [levels[0] for (_, u), levels in self.levels.items() if u == t]
            self.model.add(sum(there) >= min(int(self.c.min_machines[t]), len(there) + 1))

    def add_costs(self) -> None:
        """Each replica costs by what it and the replicas of earlier models on its machine cause."""
        c = self.c
        for (m, t), levels in self.levels.items():
            p = self.grid.pool[m]
            cost = c.cost[c.type_of[p]]
            self.priced.append((self.x[m, t], int(c.background_cost[p, t])))
            earlier = [u for u in self.models[m] if u < t and cost[t, u] + cost[u, t]]
            both = cost[t] + cost[:, t]
            most = int(both[earlier] @ np.minimum(self.grid.most[p, earlier], c.replicas[earlier]))
            now = 0 if self.start is None else int(both[earlier] @ self.start[m, earlier])
            for j, level in enumerate(levels):
                arrival = int(c.arrival_price[p, t]) if j >= c.here[p, t] else 0
                self.priced.append((level, 2 * j * int(cost[t, t]) + arrival))
                if earlier:
                    together = self.variable(0, most, now if j < self.at(m, t) else 0)
                    least = self.model.add(together >= self.total(m, both, earlier))
                    least.only_enforce_if(level)
                    self.priced.append((together, 1))

    def add_prices(self) -> None:
        """A machine that carries a replica is paid for."""
        for m, p in enumerate(self.grid.pool.tolist()):
            if self.c.price[p]:
                used = self.variable(0, 1, int(self.start is not None and self.start[m].any()))
                for t in self.models[m]:
                    self.model.add_implication(self.levels[m, t][0], used)
                self.priced.append((used, int(self.c.price[p])))

    def minimize(self, floor: int) -> None:
        """Minimise the sum of what is priced; it cannot be below the proven ``floor``."""
        priced = [(variable, price) for variable, price in self.priced if price]
        if priced:
            objective = cp_model.LinearExpr.weighted_sum(*zip(*priced, strict=True))
            self.model.add(objective >= floor)
            self.model.minimize(objective)

    def add_worst(self, floor: int) -> None:
        """Minimise the largest degradation of any replica."""
        c = self.c
        limit = int(c.background.max(initial=0))
        for p in np.unique(self.grid.pool).tolist():
            limit = max(limit, self.most_suffered(p))
        now = max((self.suffered_at_start(m, t) for m, t in self.levels), default=0)
        worst = self.variable(floor, limit, now)
        for (m, t), levels in self.levels.items():
            self.model.add(worst >= self.suffered(m, t)).only_enforce_if(levels[0])
        self.model.minimize(worst)

    def most_suffered(self, p: int) -> int:
        """Return an upper limit on the degradation of a replica on a machine of pool p."""
        by = self.c.degradation[self.c.type_of[p]].astype(object) @ self.grid.most[p].astype(object)
        return int((by + self.c.background[p]).max(initial=0))

    def plan(self, value: Callable[[cp_model.IntVar], int]) -> Plan:
        """Return the plan of a solution."""
        counts = np.zeros((self.grid.pool.size, self.c.replicas.size), dtype=np.int64)
        for (m, t), count in self.x.items():
            counts[m, t] = value(count)
        return self.grid.plan(counts)
