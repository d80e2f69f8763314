"""Refuses an instance whose sums could leave 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from planner.integers import PPM, refuse_if_large

if TYPE_CHECKING:
    from planner.compiled import Compiled


def refuse_overflow(c: Compiled) -> None:
    """Refuse an instance whose sums could exceed 2^61, from upper limits in floating point."""
    n = c.replicas.astype(float)
    crowd = np.minimum(c.most_per_machine().astype(float).sum(axis=1), np.minimum(c.slots, n.sum()))
    most = float(c.factor.max())
    per_pool = c.degradation.max(axis=(1, 2), initial=0).astype(float)[c.type_of] * crowd
    largest = per_pool.max(initial=0.0) * most / PPM + float(c.background.max(initial=0))
    refuse_if_large(largest, "degradation")
    victims = c.cost.max(axis=2, initial=0).astype(float)[c.type_of] * crowd[:, None] + c.background_cost
    arrivals = c.arrival_price.max(axis=0, initial=0)
    if c.factored:
        refuse_if_large(max(per_pool.max(initial=0.0), victims.max(initial=0.0)) * most, "colocation_factor")
        victims *= max(most / PPM, 1.0)
    total = float((n * (victims.max(axis=0, initial=0.0) + c.miss_price + arrivals)).sum())
    total += float((c.price.astype(float) * c.machines).sum())
    refuse_if_large(total, "objective")
    if c.resources:
        refuse_if_large(float((n[:, None] * c.demand.max(axis=0)).sum(axis=0).max()), "models.demand")
        spare = (c.machines[:, None].astype(float) * np.maximum(c.capacity, 0)).sum(axis=0)
        refuse_if_large(float(spare.max()), "machine_types.resources")
