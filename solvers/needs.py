"""How many machines, replicas and models are to be reckoned with: counts that a compiled instance implies."""

from __future__ import annotations

import numpy as np

from planner.compiled import Compiled
from solvers.terms import Ints


def machines_needed(c: Compiled) -> Ints:
    """Return (P,): how many machines of each pool a plan could use; no pool needs more than replicas."""
    wanted = np.where(c.allowed, c.replicas[None, :], 0).sum(axis=1)
    pinned = np.where(c.pinned.any(axis=1), c.machines, 0)
    needed: Ints = np.minimum(c.machines, np.maximum(wanted, pinned))
    return needed


def holders(c: Compiled) -> Ints:
    """Return (T,): how many machines must hold each model; 0 where one is enough."""
    result: Ints = np.where(c.min_machines > 1, c.min_machines, 0)
    return result


def widths(c: Compiled) -> Ints:
    """Return (P,): the most distinct models that one machine of each pool can hold."""
    distinct = np.minimum((c.most_per_machine() > 0).sum(axis=1), np.maximum(c.slots, 0))
    result: Ints = np.maximum(distinct, (c.pinned > 0).sum(axis=1))
    return result


def free_replicas(c: Compiled) -> Ints:
    """Return (T,): how many replicas of each model are not pinned."""
    free: Ints = c.replicas - (c.pinned * c.machines[:, None]).sum(axis=0)
    return free
