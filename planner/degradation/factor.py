"""The co-location factor: by how much sums of pairs are off for sets of three and more.

For a machine type k and n replicas on a machine,

    factor[k, n] = sum over sets, victims of the measured degradation / sum of their sums of pairs,

a ratio of sums, so that sets in which next to nothing happens do not decide. Measured values below 0 count
as 0, as they do in an instance. The interval resamples whole sets (a cluster bootstrap: Davison & Hinkley,
*Bootstrap Methods and their Application*, 1997, section 3.8), since the victims of one set are not
independent. Where a machine serves replicas in turns the factor is below 1; where they fight for a shared
resource that saturates it is above.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from planner.degradation.table import Floats, Table

LEAST_SETS = 3
_RESAMPLES = 2000
_LEVEL = 0.95


@dataclass(frozen=True)
class Factor:
    """What sums of pairs are multiplied with for one machine type and number of replicas.

    Attributes
    ----------
    replicas
        On one machine, the victim among them.
    factor, lower, upper
        The ratio of sums and its 95 % interval.
    sets
        Distinct multisets of models that it rests on.
    """

    machine_type: str
    replicas: int
    factor: float
    lower: float
    upper: float
    sets: int


def colocation_factors(table: Table) -> tuple[Factor, ...]:
    """Return the factors that the sets of a measurements table support, by machine type and size.

    A size appears if at least :data:`LEAST_SETS` distinct sets of it were measured whose pairs were measured
    too, and these pairs interfere at all.
    """
    sums: dict[tuple[str, int], dict[tuple[str, ...], list[tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    pairs = {
        (s.machine_type, s.victim, s.neighbours[0]): max(s.degradation, 0.0)
        for s in table.summaries
        if len(s.neighbours) == 1 and s.degradation is not None
    }
    for s in table.sets:
        beside = [pairs.get((s.machine_type, s.victim, u)) for u in s.neighbours]
        known = [value for value in beside if value is not None]
        if len(known) == len(beside) and s.degradation is not None:
            members = tuple(sorted((s.victim, *s.neighbours)))
            measured = max(s.degradation, 0.0)
            sums[s.machine_type, len(members)][members].append((measured, sum(known)))
    found = []
    for (machine_type, replicas), by_set in sorted(sums.items()):
        both = np.array([np.sum(rows, axis=0) for rows in by_set.values()])  # (sets, 2)
        if len(both) >= LEAST_SETS and both[:, 1].sum() > 0:
            found.append(Factor(machine_type, replicas, *_ratio(both), len(both)))
    return tuple(found)


def _ratio(both: Floats) -> tuple[float, float, float]:
    """Return the ratio of the columns' sums of ``both`` (n, 2) and its interval."""
    chosen = np.random.default_rng(len(both)).integers(len(both), size=(_RESAMPLES, len(both)))
    measured, summed = both[chosen].sum(axis=1).T
    ratios = measured / np.maximum(summed, 1e-12)
    low, high = np.quantile(ratios, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(both[:, 0].sum() / both[:, 1].sum()), float(low), float(high)
