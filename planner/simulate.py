"""How often a plan breaks an SLO when degradations turn out otherwise than expected.

Each draw gives every degradation a value of its own, normal with the standard deviation that its 95 %
interval says (:mod:`planner.uncertainty`), not below 0, times a factor that is the same for all; then the
checker's arithmetic says which replicas miss their SLO, hard or soft. Errors are drawn independently for each
machine type, victim and aggressor, or all rise and fall together: the worst case in which a plan made for a
probability still keeps its promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import InputError
from planner.evaluate import evaluate, suffered_at
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan
from planner.uncertainty import deviation


@dataclass(frozen=True)
class ModelMisses:
    """A model with an SLO: the share of its replicas that miss it, and of the draws in which any does."""

    model: str
    replicas: int
    missed: float
    any_missed: float


@dataclass(frozen=True)
class Simulation:
    """What the draws came to.

    Attributes
    ----------
    objective, machines_used, price
        Of the plan, as expected, in ppm of their units.
    missed
        Share of the replicas with an SLO that miss it, over all draws.
    any_missed
        Share of the draws in which any does.
    worst
        The highest share of missing replicas of any model.
    """

    draws: int
    objective: int | None
    machines_used: int
    price: int
    missed: float
    any_missed: float
    worst: float
    models: tuple[ModelMisses, ...]


def simulate(
    instance: Instance,
    plan: Plan,
    *,
    draws: int = 1000,
    factor: float = 1.0,
    together: bool = False,
    seed: int = 0,
) -> Simulation:
    """Draw degradations and count the replicas of a plan that miss their SLO.

    Parameters
    ----------
    draws
        How many times.
    factor
        What all degradations are multiplied with: 1.5 if everything hurts half as much again as expected.
    together
        All errors are the same number of standard deviations in each draw.

    Raises
    ------
    InputError
        If the instance has no upper ends of degradations.
    """
    if instance.upper is None:
        raise InputError("must say how uncertain degradations are: it has no upper ends", field="degradation")
    c = instance.compiled
    group = np.repeat(np.arange(len(plan)), np.diff(plan.start))
    number = plan.count * plan.machines[group]
    slack = c.slack[c.type_of[plan.pool][group], plan.model]
    bound = np.array([m.slo_ms is not None for m in instance.models])[plan.model]
    rng = np.random.default_rng(seed)
    expected = np.nan_to_num(instance.degradation)
    spread = np.nan_to_num(deviation(instance.degradation, instance.upper))
    replicas = np.bincount(plan.model, weights=number * bound, minlength=len(instance.models))
    missed, drawn = np.zeros(replicas.size), np.zeros(replicas.size)
    anywhere = 0
    for _ in range(draws):
        error = rng.standard_normal(1 if together else expected.shape)
        values = np.rint(np.maximum(expected + error * spread, 0.0) * factor * PPM).astype(np.int64)
        over = bound & (suffered_at(instance, plan, values) > slack)
        each = np.bincount(plan.model, weights=number * over, minlength=replicas.size)
        missed += each
        drawn += each > 0
        anywhere += bool(over.any())
    evaluation = evaluate(instance, plan)
    models = tuple(
        ModelMisses(m.name, int(n), float(x / (n * draws)), float(d / draws))
        for m, n, x, d in zip(instance.models, replicas, missed, drawn, strict=True)
        if n
    )
    return Simulation(
        draws=draws,
        objective=evaluation.objective,
        machines_used=evaluation.machines_used,
        price=evaluation.price,
        missed=float(missed.sum() / max(replicas.sum() * draws, 1.0)),
        any_missed=anywhere / draws,
        worst=max((m.missed for m in models), default=0.0),
        models=models,
    )
