"""The mixed-integer formulation over machines by name, in Pyomo.

For machine m of pool p and type k, model t and j = 1, 2, ... up to the most replicas of t on m:

    b[m,t,j]   1 if m holds at least j replicas of t;  x[m,t] = sum_j b[m,t,j],  b[m,t,j+1] <= b[m,t,j]
    g[m,t,j]   what the j-th replica of t and the replicas of earlier models on m cost each other

    minimise   sum g[m,t,j] + (background_cost + 2 (j - 1) cost[k,t,t] + arrival_price [j > here]) b[m,t,j]
               + price u[m] + miss_price q[m,t]

    placement      sum_m x[m,t] = replicas_t
    slots          sum_t x[m,t] <= slots
    resources      sum_t a[k,t,r] x[m,t] <= C[p,r]
    co-location    g[m,t,j] >= sum_{u < t} (cost[k,t,u] + cost[k,u,t]) x[m,u] - G (1 - b[m,t,j])
    hard SLO       background + sum_u d[k,t,u] (x[m,u] - [u = t]) <= slack + G (1 - b[m,t,1])
    soft SLO       the same with + G v[m,t] on the right, and q[m,t] >= x[m,t] - most (1 - v[m,t])
    keep_apart     sum_{t in group} b[m,t,1] <= 1
    min_machines   sum_m b[m,t,1] >= min_machines_t
    price          u[m] >= b[m,t,1]
    worst          minimise D;  D >= background + sum_u d[k,t,u] (x[m,u] - [u = t]) - G (1 - b[m,t,1])

Each G is the least that never binds when it should not. This alone has a relaxation worth nothing: the
bound is 0, and machines that are alike make branching hopeless. So the rows of pair flow
(:mod:`solvers.pairflow`) are added and linked, where X, W, P are its columns:

    link           sum_{m in p} x[m,t] = sum_b X[p,b,t]
    bounded        objective >= the objective of pair flow

Rows of integers are divided by their greatest common divisor, the objective by the unit of which every
objective is a multiple.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from planner.compiled import UNLIMITED, Compiled
from planner.instance import Instance
from planner.plan import Plan
from solvers.compact import Grid
from solvers.compact import unit as unit_of
from solvers.lagrange import FREE
from solvers.pairflow import Flow
from solvers.run import Run
from solvers.terms import Ints

#: A row: least value or None, terms, largest value or None.
Row = tuple[float | None, Any, float | None]
Terms = list[tuple[int, Any]]


@dataclass(frozen=True)
class ByMachine:
    """The Pyomo formulation and what its rows are made from."""

    instance: Instance
    grid: Grid
    model: pyo.ConcreteModel
    unit: int
    flow: Flow | None

    @property
    def c(self) -> Compiled:
        """The instance's integers."""
        return self.instance.compiled

    def pools(self) -> Iterator[tuple[int, int, int]]:
        """Yield each machine, its pool and its type."""
        for m, p in enumerate(self.grid.pool.tolist()):
            yield m, p, int(self.c.type_of[p])

    def models_on(self, p: int) -> list[int]:
        """Return the models that a machine of pool p can hold."""
        found: list[int] = np.flatnonzero(self.grid.most[p]).tolist()
        return found

    def levels(self, m: int, t: int) -> list[Any]:
        """Return b[m, t, 1], b[m, t, 2], ..."""
        most = int(self.grid.most[self.grid.pool[m], t])
        return [self.model.b[m, t, j] for j in range(1, most + 1)]

    def total(self, m: int, amounts: Ints, models: list[int]) -> Terms:
        """Return the sum of ``amounts`` over the replicas of ``models`` on machine m."""
        return [(int(amounts[t]), b) for t in models if amounts[t] for b in self.levels(m, t)]

    def suffered(self, m: int, t: int) -> Terms:
        """Return what co-located replicas add to a replica of t on m; only those beyond the first of t."""
        p = int(self.grid.pool[m])
        by = self.c.degradation[self.c.type_of[p], t]
        others = self.total(m, by, [u for u in self.models_on(p) if u != t])
        return others + [(int(by[t]), b) for b in self.levels(m, t)[1:] if by[t]]

    def largest(self, p: int, amounts: Ints, models: list[int]) -> int:
        """Return an upper limit on the sum of ``amounts`` over the replicas of ``models`` on one machine."""
        room, total = int(self.c.slots[p]), 0
        for t in sorted(models, key=lambda t: -int(amounts[t])):
            number = max(0, min(room, int(self.grid.most[p, t])))
            total, room = total + number * int(amounts[t]), room - number
        return total

    def start(self, plan: Plan) -> Iterator[tuple[Any, float]]:
        """Yield the levels of a plan; the rest follows from them."""
        counts = self.grid.counts(plan, self.c.replicas.size)
        for (m, t, j), b in self.model.b.items():
            yield b, float(counts[m, t] >= j)

    def plan(self, value: Callable[[Any], float]) -> Plan:
        """Return the plan of a solution, its levels rounded to integers."""
        counts = np.zeros((self.grid.pool.size, self.c.replicas.size), dtype=np.int64)
        for (m, t, _), b in self.model.b.items():
            counts[m, t] += round(value(b))
        return self.grid.plan(counts)


def at_most(terms: Terms, limit: int) -> Row:
    """Return the row ``sum of terms <= limit`` of integers, in lowest terms.

    Half a unit on the right lets no further integer point in and keeps the solver's tolerance harmless.
    """
    divisor = math.gcd(*(a for a, _ in terms)) or 1
    limit = limit // divisor
    largest = max((abs(a) for a, _ in terms), default=0) // divisor
    return None, weighted([(a // divisor, v) for a, v in terms]), limit + (0.5 if largest > 1000 else 0)


def weighted(terms: Terms) -> Any:
    """Return a linear expression."""
    return LinearExpression(constant=0, linear_coefs=[a for a, _ in terms], linear_vars=[v for _, v in terms])


def placement(f: ByMachine) -> Iterator[Row]:
    """Every replica is placed exactly once."""
    everywhere: list[Terms] = [[] for _ in f.c.replicas]
    for (_, t, _), b in f.model.b.items():
        everywhere[t].append((1, b))
    for terms, n in zip(everywhere, f.c.replicas.tolist(), strict=True):
        yield n, weighted(terms), n


def ordered(f: ByMachine) -> Iterator[Row]:
    """A machine that holds j + 1 replicas of a model holds j of them."""
    for (m, t, j), b in f.model.b.items():
        if j > 1:
            yield None, weighted([(1, b), (-1, f.model.b[m, t, j - 1])]), 0


def slots(f: ByMachine) -> Iterator[Row]:
    """A machine holds at most its slots' number of replicas."""
    for m, p, _ in f.pools():
        if f.c.slots[p] < f.grid.most[p].sum():
            yield at_most(f.total(m, np.ones_like(f.c.replicas), f.models_on(p)), int(f.c.slots[p]))


def resources(f: ByMachine) -> Iterator[Row]:
    """The replicas on a machine fit each of its resources."""
    for m, p, k in f.pools():
        for r in range(len(f.c.resources)):
            terms = f.total(m, f.c.demand[k, :, r], f.models_on(p))
            if terms:
                yield at_most(terms, int(f.c.capacity[p, r]))


def slos(f: ByMachine) -> Iterator[Row]:
    """A machine that holds a model meets its SLO, unless the SLO is soft and the miss is paid for."""
    for m, p, k in f.pools():
        models = f.models_on(p)
        for t in models:
            if f.c.slack[k, t] == UNLIMITED:
                continue
            room = int(f.c.slack[k, t]) - int(f.c.background[p, t])
            by = f.c.degradation[k, t]
            without = max(0, f.largest(p, by, [u for u in models if u != t]) - room)
            terms = [*f.suffered(m, t), (without, f.model.b[m, t, 1])]
            if f.c.soft[t]:
                terms.append((-max(0, f.largest(p, by, models) - room), f.model.missed[m, t]))
            yield at_most(terms, room + without)


def misses(f: ByMachine) -> Iterator[Row]:
    """Every replica of a model whose soft SLO is missed on a machine is counted."""
    for (m, t), missed in f.model.missed.items():
        levels = f.levels(m, t)
        terms = [*((1, b) for b in levels), (len(levels), missed), (-1, f.model.misses[m, t])]
        yield at_most(terms, len(levels))


def keep_apart(f: ByMachine) -> Iterator[Row]:
    """Models of a ``keep_apart`` group never share a machine."""
    for names in f.instance.rules.keep_apart:
        group = [f.instance.model_index[name] for name in names]
        for m, _, _ in f.pools():
            there = [f.model.b[m, t, 1] for t in group if (m, t, 1) in f.model.b]
            if len(there) > 1:
                yield at_most([(1, b) for b in there], 1)


def min_machines(f: ByMachine) -> Iterator[Row]:
    """A model's replicas spread over at least ``min_machines`` machines."""
    for t in np.flatnonzero(f.c.min_machines > 1).tolist():
        there = [(1, b) for (_, u, j), b in f.model.b.items() if u == t and j == 1]
        yield min(int(f.c.min_machines[t]), len(there) + 1), weighted(there), None


def prices(f: ByMachine) -> Iterator[Row]:
    """A machine that carries a replica is paid for."""
    for m, used in f.model.used.items():
        for t in f.models_on(int(f.grid.pool[m])):
            yield at_most([(1, f.model.b[m, t, 1]), (-1, used)], 0)


def colocation(f: ByMachine) -> Iterator[Row]:
    """A replica and the replicas of earlier models on its machine cost each other."""
    for (m, t, j), together in f.model.together.items():
        p = int(f.grid.pool[m])
        cost = f.c.cost[f.c.type_of[p]]
        both = (cost[t] + cost[:, t]) // f.unit
        earlier = [u for u in f.models_on(p) if u < t]
        most = f.largest(p, both, earlier)
        yield None, weighted([*f.total(m, both, earlier), (most, f.model.b[m, t, j]), (-1, together)]), most


def worst(f: ByMachine) -> Iterator[Row]:
    """No replica's degradation is above the one that is minimised."""
    if f.c.worst:
        for m, p, k in f.pools():
            models = f.models_on(p)
            for t in models:
                by = f.c.degradation[k, t]
                background = int(f.c.background[p, t])
                without = f.largest(p, by, [u for u in models if u != t]) + background
                terms = [*f.suffered(m, t), (without, f.model.b[m, t, 1])]
                body = weighted([(a // f.unit, v) for a, v in [*terms, (-f.unit, f.model.worst)]])
                yield None, body, (without - background) // f.unit


def pair_flow(f: ByMachine) -> Iterator[Row]:
    """The rows of pair flow."""
    if f.flow is not None:
        program = f.flow.program
        lower, upper = np.concatenate(program.lower).tolist(), np.concatenate(program.upper).tolist()
        terms: list[Terms] = [[] for _ in lower]
        for row, column, value in program.entries:
            for i, j, a in zip(row.tolist(), column.tolist(), value.tolist(), strict=True):
                terms[i].append((a, f.model.flow[j]))
        for low, row_terms, high in zip(lower, terms, upper, strict=True):
            if row_terms:
                yield None if low <= -FREE else low, weighted(row_terms), None if high >= FREE else high


def link(f: ByMachine) -> Iterator[Row]:
    """Pair flow places as many replicas of each model on each pool as the machines by name hold."""
    if f.flow is not None:
        flowing: dict[tuple[int, int], Terms] = {}
        for p, models, columns, each in f.flow.placed:
            for t, j, n in zip(models.tolist(), columns.tolist(), each.tolist(), strict=True):
                flowing.setdefault((p, t), []).append((n, f.model.flow[j]))
        held: dict[tuple[int, int], Terms] = {}
        for (m, t, _), b in f.model.b.items():
            held.setdefault((int(f.grid.pool[m]), t), []).append((-1, b))
        for place, levels in held.items():
            yield 0, weighted(levels + flowing.get(place, [])), 0


def bounded(f: ByMachine) -> Iterator[Row]:
    """The objective is at least what pair flow makes of it."""
    if f.flow is not None:
        cost = np.concatenate(f.flow.program.cost).tolist()
        flow = [(a // f.unit, f.model.flow[j]) for j, a in enumerate(cost) if a]
        yield 0, weighted([*_objective(f), *((-a, v) for a, v in flow)]), None


FAMILIES: tuple[Callable[[ByMachine], Iterator[Row]], ...] = (
    placement,
    ordered,
    slots,
    resources,
    slos,
    misses,
    keep_apart,
    min_machines,
    prices,
    colocation,
    worst,
    pair_flow,
    link,
    bounded,
)


def by_machine(
    instance: Instance,
    flow: Flow | None = None,
    run: Run | None = None,
    families: tuple[Callable[[ByMachine], Iterator[Row]], ...] = FAMILIES,
) -> ByMachine:
    """Return the formulation, with the rows of ``flow`` if given; incomplete if ``run`` is stopping."""
    c, grid = instance.compiled, Grid.of(instance.compiled)
    f = ByMachine(instance, grid, pyo.ConcreteModel(), unit_of(c), flow)
    _add_variables(f)
    f.model.objective = pyo.Objective(expr=weighted(_objective(f)))
    for family in families:
        rows = pyo.ConstraintList()
        f.model.add_component(f"{family.__name__}_rule", rows)
        for row in family(f):
            if run is not None and run.stopping:
                return f
            rows.add(row)
    return f


def _add_variables(f: ByMachine) -> None:
    c, model, grid = f.c, f.model, f.grid
    here = [(m, t, p, k) for m, p, k in f.pools() for t in f.models_on(p)]
    soft = [(m, t) for m, t, _, k in here if c.soft[t] and c.slack[k, t] < UNLIMITED]
    levels = [(m, t, j) for m, t, p, _ in here for j in range(1, grid.most[p, t] + 1)]
    model.b = pyo.Var(levels, domain=pyo.Binary)
    for (m, t, j), b in model.b.items():
        b.setlb(int(j <= c.pinned[grid.pool[m], t]))
    model.used = pyo.Var([m for m, p, _ in f.pools() if c.price[p]], domain=pyo.Binary)
    model.missed = pyo.Var(soft, domain=pyo.Binary)
    model.misses = pyo.Var(soft, domain=pyo.NonNegativeReals)
    model.together = pyo.Var([] if c.worst else levels, domain=pyo.NonNegativeReals)
    model.worst = pyo.Var(domain=pyo.NonNegativeReals)
    top = [] if f.flow is None else np.concatenate(f.flow.program.top).tolist()
    model.flow = pyo.Var(range(len(top)), bounds=lambda _, j: (0, top[j]))


def _objective(f: ByMachine) -> Terms:
    """Return the objective in units: each term once, in the order of the docstring."""
    if f.c.worst:
        return [(1, f.model.worst)]
    terms: Terms = [(1, together) for together in f.model.together.values()]
    for (m, t, j), b in f.model.b.items():
        p = int(f.grid.pool[m])
        again = 2 * (j - 1) * int(f.c.cost[f.c.type_of[p], t, t])
        arrival = int(f.c.arrival_price[p, t]) if j > f.c.here[p, t] else 0
        terms.append(((int(f.c.background_cost[p, t]) + again + arrival) // f.unit, b))
    terms += [(int(f.c.price[f.grid.pool[m]]) // f.unit, used) for m, used in f.model.used.items()]
    terms += [(int(f.c.miss_price[t]) // f.unit, number) for (_, t), number in f.model.misses.items()]
    return terms
