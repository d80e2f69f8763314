"""Simple methods that a network has to beat, behind one interface: ``fit(pairs, features, seed) -> predict``.

All work on the log slowdown; a machine type that is not in the training pairs gets the mean of the
predictions for those that are, and a model that is not has the mean effect (or only its features).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from planner.degradation.features import Features, make_encoder
from planner.degradation.table import Floats, Ints, Pairs

Predict = Callable[[Ints, Ints, Ints], Floats]
Fit = Callable[[Pairs, Features, int], Predict]

_RIDGE = 0.1  # on effects and factors of the log slowdown
_FEATURE_RIDGE = 1.0
_SWEEPS = 30
_TREES = 200


def no_interference(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict 0 for every pair."""
    return lambda k, v, u: np.zeros(k.size)


def victim_mean(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict the mean log slowdown of the victim on the machine type, whoever the aggressor is."""

    def fit_one(one: Pairs) -> Callable[[Ints, Ints], Floats]:
        y, models = one.log_slowdown, len(one.models)
        count = np.bincount(one.v, minlength=models)
        mean = y.mean()
        effect = np.bincount(one.v, y - mean, models) / np.maximum(count, 1)
        return lambda v, u: mean + effect[v]

    return by_machine_type(pairs, fit_one)


def pressure_sensitivity(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict sensitivity of the victim x pressure of the aggressor: rank 1 on each machine type."""
    return by_machine_type(pairs, lambda one: _low_rank(one, one.log_slowdown, 1, seed))


def additive_rank_2(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict mean + victim effect + aggressor effect + a rank-2 interaction, on each machine type."""

    def fit_one(one: Pairs) -> Callable[[Ints, Ints], Floats]:
        additive = _additive(one)
        low_rank = _low_rank(one, one.log_slowdown - additive(one.v, one.u), 2, seed)
        return lambda v, u: additive(v, u) + low_rank(v, u)

    return by_machine_type(pairs, fit_one)


def ridge(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict linearly from the features of both models, with coefficients shared and by machine type."""
    encoded = _Encoded(pairs, features)

    def rows(k: Ints, v: Ints, u: Ints) -> Floats:
        x = np.concatenate([np.ones((k.size, 1)), encoded.both(k, v, u)], axis=1)
        local = (x[:, None, :] * (encoded.types == k[:, None])[..., None]).reshape(k.size, -1)
        return np.concatenate([x, local], axis=1)

    x, mean = rows(pairs.k, pairs.v, pairs.u), pairs.log_slowdown.mean()
    weights = np.linalg.solve(
        x.T @ x + _FEATURE_RIDGE * np.eye(x.shape[1]), x.T @ (pairs.log_slowdown - mean)
    )
    return lambda k, v, u: mean + rows(k, v, u) @ weights


def forest(pairs: Pairs, features: Features, seed: int) -> Predict:
    """Predict by a random forest from features, machine type, and both models' mean log slowdowns.

    The means are those of the victim as victim and of the aggressor as aggressor on the machine type,
    shrunk to the mean there; a model that is not in the training pairs has that mean.
    """
    from sklearn.ensemble import RandomForestRegressor

    encoded = _Encoded(pairs, features)
    means = [_means(pairs, side) for side in (pairs.v, pairs.u)]

    def rows(k: Ints, v: Ints, u: Ints) -> Floats:
        told = [means[0][k, v], means[1][k, u]]
        return np.column_stack([encoded.both(k, v, u), encoded.types == k[:, None], *told])

    trees = RandomForestRegressor(_TREES, max_features=0.5, random_state=seed, n_jobs=1)
    trees.fit(rows(pairs.k, pairs.v, pairs.u), pairs.log_slowdown)

    def predict(k: Ints, v: Ints, u: Ints) -> Floats:
        result: Floats = trees.predict(rows(k, v, u))
        return result

    return predict


BASELINES: Mapping[str, Fit] = {
    "no interference": no_interference,
    "victim mean": victim_mean,
    "linear on features": ridge,
    "pressure x sensitivity": pressure_sensitivity,
    "additive plus rank 2": additive_rank_2,
    "random forest": forest,
}


def by_machine_type(pairs: Pairs, fit_one: Callable[[Pairs], Callable[[Ints, Ints], Floats]]) -> Predict:
    """Fit each machine type on its own; predict the mean of all where it is not in the pairs."""
    fitted = {int(k): fit_one(pairs.take(pairs.k == k)) for k in np.unique(pairs.k)}

    def predict(k: Ints, v: Ints, u: Ints) -> Floats:
        each = {key: one(v, u) for key, one in fitted.items()}
        result: Floats = np.mean(list(each.values()), axis=0)
        for key, values in each.items():
            result = np.where(k == key, values, result)
        return result

    return predict


def _additive(pairs: Pairs) -> Callable[[Ints, Ints], Floats]:
    """Fit mean + victim effect + aggressor effect by alternating ridge regressions."""
    y, models = pairs.log_slowdown, len(pairs.models)
    mean, victim, aggressor = y.mean(), np.zeros(models), np.zeros(models)
    counts = [np.bincount(side, minlength=models) + _RIDGE for side in (pairs.v, pairs.u)]
    for _ in range(_SWEEPS):
        victim = np.bincount(pairs.v, y - mean - aggressor[pairs.u], models) / counts[0]
        aggressor = np.bincount(pairs.u, y - mean - victim[pairs.v], models) / counts[1]
    return lambda v, u: mean + victim[v] + aggressor[u]


def _low_rank(pairs: Pairs, y: Floats, rank: int, seed: int) -> Callable[[Ints, Ints], Floats]:
    """Fit y = sum_r s[v,r] p[u,r] by alternating ridge regressions."""
    rng = np.random.default_rng(seed)
    factors = [rng.normal(0, 0.3, (len(pairs.models), rank)) for _ in range(2)]
    sides = (pairs.v, pairs.u)
    for _ in range(_SWEEPS):
        for mine, other in ((0, 1), (1, 0)):
            for model in np.unique(sides[mine]):
                rows = sides[mine] == model
                x = factors[other][sides[other][rows]]
                factors[mine][model] = np.linalg.solve(x.T @ x + _RIDGE * np.eye(rank), x.T @ y[rows])
    for factor, side in zip(factors, sides, strict=True):
        known = np.isin(np.arange(len(pairs.models)), side)
        factor[~known] = factor[known].mean(axis=0)
    sensitivity, pressure = factors

    def predict(v: Ints, u: Ints) -> Floats:
        result: Floats = np.sum(sensitivity[v] * pressure[u], axis=1)
        return result

    return predict


def _means(pairs: Pairs, side: Ints) -> Floats:
    """Return the shrunk mean log slowdown (K, T) by machine type and model on one side."""
    shape = (len(pairs.machine_types), len(pairs.models))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (pairs.k, side), pairs.log_slowdown)
    np.add.at(count, (pairs.k, side), 1)
    overall = pairs.log_slowdown.mean()
    rows = count.sum(axis=1, keepdims=True)
    mean = (total.sum(axis=1, keepdims=True) + overall) / (rows + 1)
    result: Floats = (total + mean) / (count + 1)
    return result


class _Encoded:
    """Encoded features of every model in the names of the pairs, and the machine types trained on."""

    def __init__(self, pairs: Pairs, features: Features) -> None:
        self.types = np.unique(pairs.k)
        models = np.unique(np.concatenate([pairs.v, pairs.u]))
        trained = [pairs.machine_types[i] for i in self.types], [pairs.models[i] for i in models]
        encoder = make_encoder(features, *trained)
        self.values, _ = encoder.encode(features, pairs.machine_types, pairs.models)

    def both(self, k: Ints, v: Ints, u: Ints) -> Floats:
        """Return the features of victim and aggressor side by side, shape (N, 2P)."""
        return np.concatenate([self.values[k, v], self.values[k, u]], axis=1).astype(np.float64)
