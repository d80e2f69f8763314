"""Tables whose truth is known, for those who learn from them."""

from __future__ import annotations

import numpy as np

from planner.degradation.features import Features
from planner.degradation.network import Config
from planner.degradation.table import Floats, Pairs

NOTHING = Features((), (), (), np.zeros((0, 0, 0)))
QUICK = Config(members=3, steps=120)
TYPES, MODELS = ("a", "b", "c"), tuple(f"m{i:02}" for i in range(14))


def pairs_of(log_slowdown: Floats, keep: float = 1.0, noise: float = 0.0, seed: int = 0) -> Pairs:
    """Return a share of the pairs of an array (K, T, T) of log slowdowns, measured with noise."""
    rng = np.random.default_rng(seed)
    k, v, u = np.nonzero(rng.random(log_slowdown.shape) < keep)
    types = TYPES[: log_slowdown.shape[0]]
    models = MODELS[: log_slowdown.shape[1]]
    measured = np.expm1(log_slowdown[k, v, u] + rng.normal(0, noise, k.size))
    return Pairs(types, models, k, v, u, measured, np.zeros(k.size, dtype=np.bool_))


def additive(seed: int = 1) -> Floats:
    """Return mean + victim effect + aggressor effect on each machine type."""
    rng = np.random.default_rng(seed)
    shape = (len(TYPES), len(MODELS))
    victim, aggressor = 0.4 + rng.normal(0, 0.12, shape), 0.4 + rng.normal(0, 0.12, shape)
    result: Floats = np.maximum(victim[:, :, None] + aggressor[:, None, :], 0.02)
    return result


def contended(seed: int = 2) -> Floats:
    """Return a truth that no sum of effects is: resources that slow a victim down once they are overdrawn.

    Both models draw on four resources, of which each machine type has another amount; what is overdrawn
    costs the victim in proportion to how much it depends on the resource.
    """
    rng = np.random.default_rng(seed)
    draw = rng.gamma(0.8, 0.45, (len(MODELS), 4))
    depends = rng.gamma(0.8, 0.9, (len(MODELS), 4))
    amount = rng.uniform(0.2, 0.8, (len(TYPES), 1, 1, 4))
    overdrawn = np.maximum(draw[None, :, None] + draw[None, None, :] - amount, 0)
    result: Floats = np.log1p((depends[None, :, None] * overdrawn).sum(-1))
    return result
