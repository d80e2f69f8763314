"""Textbook constraint program: counts on named machines, and a product for each pair of models.

For machine m of type k and models t, u:

    x[m,t]      replicas of t on m, from 0 to min(replicas_t, slots, max_per_machine_t)
    b[m,t]      whether x[m,t] >= 1
    z[m,t,u]    x[m,t] x[m,u] for t < u, and x[m,t] (x[m,t] - 1) for t = u

    minimise     sum_m sum_{t<u} (cost[k,t,u] + cost[k,u,t]) z[m,t,u] + sum_t cost[k,t,t] z[m,t,t]
    placement    sum_m x[m,t] = replicas_t
    slots        sum_t x[m,t] <= slots
    resources    sum_t a[k,t,r] x[m,t] <= C[k,r]
    SLO          b[m,t]  =>  sum_u d[k,t,u] (x[m,u] - [u = t]) <= slack[k,t]
    keep_apart   sum_{t in group} b[m,t] <= 1
    spread       sum_m b[m,t] >= min_machines_t

``AddMultiplicationEquality`` states the products; CP-SAT linearizes them itself. Models that may not run
on a machine have no x there. No hint, no symmetry breaking, no valid inequality.
"""

from __future__ import annotations

import time

import numpy as np
from ortools.sat.python import cp_model

from benchmarks.peers.answer import Found, main
from planner.compiled import UNLIMITED, Compiled
from planner.instance import Instance
from planner.plan import Plan

_WORKERS = 2
_STATUS = {cp_model.OPTIMAL: "optimal", cp_model.FEASIBLE: "feasible", cp_model.INFEASIBLE: "infeasible"}


def solve(instance: Instance, time_limit: float) -> Found:
    """Build the program, give it to CP-SAT, and read the plan."""
    began = time.monotonic()
    model, x = build(instance)
    building = time.monotonic() - began
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = _WORKERS
    solver.parameters.max_time_in_seconds = max(time_limit - building, 0.01)
    status = _STATUS.get(solver.solve(model), "no plan")
    plan = None
    if status in ("optimal", "feasible"):
        pool = instance.compiled.type_of.repeat(instance.compiled.machines)
        plan = Plan.from_patterns(
            (int(p), 1, {t: solver.value(x[m, t]) for t in range(len(instance.models)) if (m, t) in x})
            for m, p in enumerate(pool)
        )
    bound = solver.best_objective_bound if status != "infeasible" else None
    return Found(status, plan, bound, len(model.proto.variables), len(model.proto.constraints), building)


Counts = dict[tuple[int, int], cp_model.IntVar]


def build(instance: Instance) -> tuple[cp_model.CpModel, Counts]:
    """Return the program and its counts by machine and model."""
    c = instance.compiled
    kinds = np.repeat(c.type_of, c.machines).tolist()
    model = cp_model.CpModel()
    x, b = _counts(model, c, kinds)
    for t, n in enumerate(c.replicas.tolist()):
        model.add(sum(v for (_, u), v in x.items() if u == t) == n)
        model.add(sum(v for (_, u), v in b.items() if u == t) >= int(c.min_machines[t]))
    costs = []
    for m, k in enumerate(kinds):
        here = [t for t in range(c.replicas.size) if (m, t) in x]
        if c.slots[k] < UNLIMITED:
            model.add(sum(x[m, t] for t in here) <= int(c.slots[k]))
        for r in range(len(c.resources)):
            model.add(sum(int(c.demand[k, t, r]) * x[m, t] for t in here) <= int(c.capacity[k, r]))
        for names in instance.rules.keep_apart:
            group = [instance.model_index[name] for name in names]
            model.add(sum(b[m, t] for t in group if t in here) <= 1)
        for t in here:
            if c.slack[k, t] < UNLIMITED:
                suffered = sum(int(c.degradation[k, t, u]) * (x[m, u] - (u == t)) for u in here)
                model.add(suffered <= int(c.slack[k, t])).only_enforce_if(b[m, t])
        costs += list(_products(model, c, x, m, k, here))
    model.minimize(sum(costs))
    return model, x


def _counts(model: cp_model.CpModel, c: Compiled, kinds: list[int]) -> tuple[Counts, Counts]:
    """Create x and b, and tie them."""
    x, b = {}, {}
    for m, k in enumerate(kinds):
        for t in np.flatnonzero(c.allowed[k]).tolist():
            most = int(min(c.replicas[t], c.max_per_machine[t], c.slots[k]))
            x[m, t] = model.new_int_var(0, most, f"x_{m}_{t}")
            b[m, t] = model.new_bool_var(f"b_{m}_{t}")
            model.add(x[m, t] >= b[m, t])
            model.add(x[m, t] <= most * b[m, t])
    return x, b


def _products(
    model: cp_model.CpModel, c: Compiled, x: Counts, m: int, k: int, here: list[int]
) -> list[cp_model.LinearExprT]:
    """Return the terms of the objective of one machine."""
    most = {t: int(min(c.replicas[t], c.max_per_machine[t], c.slots[k])) for t in here}
    terms = []
    for i, t in enumerate(here):
        for u in here[i:]:
            z = model.new_int_var(0, most[t] * most[u], f"z_{m}_{t}_{u}")
            model.add_multiplication_equality(z, [x[m, t], x[m, u] - 1 if t == u else x[m, u]])
            both = int(c.cost[k, t, u] + (c.cost[k, u, t] if t != u else 0))
            terms.append(both * z)
    return terms


if __name__ == "__main__":
    main(solve, "cpsat_pairwise")
