"""Decision regret: what plans made from predictions cost, measured, over what the best plans cost.

The plans are of the smallest kind that can go wrong: one replica of each model, two to a machine, on as
many machines of one type as that takes, so that the exact optimum is a minimum-weight perfect matching
(Edmonds, *Canadian Journal of Mathematics* 17, 1965) and no solver is needed. The cost of a pair is the
sum of both degradations, in whole parts per million as in an instance, never negative.
"""

from __future__ import annotations

import numpy as np

from planner.degradation.table import Floats, Ints

WORKLOADS = 32
_LEAST_MODELS = 4
_PPM = 1_000_000


def regret(measured: Floats, predicted: Floats, seed: int = 0) -> float | None:
    """Return the ratio of sums over seeded workloads, at least 1.

    The workloads are all models, and :data:`WORKLOADS` random halves of them. Only pairs with both
    directions measured and predicted may share a machine; with an odd number one model is alone, and
    models that fit nobody are alone too.

    Parameters
    ----------
    measured, predicted
        Degradation of each victim (rows) beside each aggressor, shape (T, T); NaN where there is none.

    Returns
    -------
    float or None
        None with fewer than four models, or if the best plans cost nothing.
    """
    true, guess = both_ways(measured), both_ways(predicted)
    models = np.flatnonzero((true >= 0).any(axis=1))
    if models.size < _LEAST_MODELS:
        return None
    rng = np.random.default_rng(seed)
    size = max(_LEAST_MODELS, models.size // 2)
    workloads = [models, *(np.sort(rng.choice(models, size, replace=False)) for _ in range(WORKLOADS))]
    best = planned = 0
    for workload in workloads:
        here = np.ix_(workload, workload)
        best += cost(true[here], matching(true[here]))
        planned += cost(true[here], matching(np.where(true[here] >= 0, guess[here], -1)))
    return planned / best if best else None


def both_ways(degradation: Floats) -> Ints:
    """Return what each pair costs, both directions in ppm, shape (T, T); -1 where a pair may not be."""
    total = np.maximum(degradation, 0) + np.maximum(degradation.T, 0)
    result = np.where(np.isnan(total), -1, np.rint(np.nan_to_num(total) * _PPM)).astype(np.int64)
    np.fill_diagonal(result, -1)  # one replica of each
    return result


def matching(costs: Ints) -> list[tuple[int, int]]:
    """Return the cheapest of the largest matchings; ``costs`` is (T, T), negative where not allowed."""
    import networkx as nx

    graph = nx.Graph()
    for i, j in zip(*np.nonzero(np.triu(costs >= 0, 1)), strict=True):
        graph.add_edge(int(i), int(j), weight=-int(costs[i, j]))
    return sorted((min(pair), max(pair)) for pair in nx.max_weight_matching(graph, maxcardinality=True))


def cost(costs: Ints, pairs: list[tuple[int, int]]) -> int:
    """Return the cost of a matching in ppm."""
    return sum(int(costs[pair]) for pair in pairs)
