"""Greedy: each replica to where it adds least to the objective. The kind of scheduler of the 2021 paper.

Models come one after the other, those that hurt and suffer most first. Each replica of a model goes to
the machine where

    the cost of its own degradation there + what it costs the replicas there already
    (+ the machine's price if it is the first; + what newly missed soft SLOs cost)

is least. Under the objective ``worst`` the added cost is the sum of degradations that it brings about.
Hard SLOs, capacities and rules exclude machines. If some replica finds no machine, the models come again
by falling demand of the scarcest resource, then in seeded random orders, twenty in all.

Source of the idea: Mendoza, Romero, Li, Yadwadkar, Kozyrakis, "Interference-Aware Scheduling for
Inference Serving", EuroMLSys 2021; here with exact integers, all rules, and machines in classes.
"""

from __future__ import annotations

import numpy as np

from planner.instance import Instance
from solvers.classes import BY_COST, place
from solvers.place import largest_first
from solvers.run import Outcome, Run
from solvers.terms import Ints

_ORDERS = 20


def solve(instance: Instance, run: Run) -> Outcome:
    """Insert replicas model by model, each where it adds least to the objective."""
    rng = np.random.default_rng(run.seed)
    order = largest_first(instance)
    first = place(instance, run, _fiercest_first(instance), BY_COST)
    outcome = first
    for _ in range(_ORDERS - 1):
        if outcome.plan is not None or run.stopping:
            break
        outcome = place(instance, run, order, BY_COST)
        order = rng.permutation(order)
    return first if outcome.plan is None else outcome


def _fiercest_first(instance: Instance) -> Ints:
    """Return the models, shape (T,), by falling mean of what they and the others add to each other."""
    c = instance.compiled
    share = c.replicas / c.replicas.sum()
    coefficients = c.degradation if c.worst else c.cost
    mutual = np.einsum("ktu,u->t", coefficients, share) + np.einsum("kut,u->t", coefficients, share)
    order: Ints = np.argsort(-mutual, kind="stable")
    return order
