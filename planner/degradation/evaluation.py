"""How good the network and the simple methods are: the same held-out pairs for all, honest splits only.

Predictions for every row are made by a method that has not seen it; scores are over all of them together.
What is held out at a time:

===============  ==============================================================================
``rows``         a fifth of the rows, at random; the other direction of a pair may be known
``pairs``        a fifth of the pairs of each machine type, both directions together
``pairs-all``    a fifth of the pairs on all machine types at once, both directions together
``model``        everything with one model in it, for each model
``machine-type`` one machine type, for each
===============  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.degradation.baselines import BASELINES
from planner.degradation.features import Features
from planner.degradation.pairing import regret
from planner.degradation.table import LEAST_PAIRS, Bools, Floats, Ints, Pairs
from planner.errors import InputError

NETWORK = "network"
FOLDS = 5
COMPARED = ("additive plus rank 2", "random forest", NETWORK)  # in plots: the strongest of each kind
COVERED = (0.8, 0.95)


def _random(groups: Ints, rng: np.random.Generator) -> Iterator[Bools]:
    """Yield each of five random parts of the groups, as the rows (N,) that are in it."""
    fold = rng.permutation(int(groups.max()) + 1)[groups] % FOLDS
    yield from (fold == i for i in range(FOLDS))


def _unordered(pairs: Pairs) -> Ints:
    """Return a number (N,) for each pair of models, the same for both directions."""
    low, high = np.minimum(pairs.v, pairs.u), np.maximum(pairs.v, pairs.u)
    return np.asarray(np.unique(low * len(pairs.models) + high, return_inverse=True)[1], dtype=np.int64)


def _by_type(pairs: Pairs) -> Ints:
    """Return a number (N,) for each pair of models and machine type."""
    number = pairs.k * len(pairs) + _unordered(pairs)
    return np.asarray(np.unique(number, return_inverse=True)[1], dtype=np.int64)


SPLITS: Mapping[str, Callable[[Pairs, np.random.Generator], Iterator[Bools]]] = {
    "rows": lambda pairs, rng: _random(np.arange(len(pairs)), rng),
    "pairs": lambda pairs, rng: _random(_by_type(pairs), rng),
    "pairs-all": lambda pairs, rng: _random(_unordered(pairs), rng),
    "model": lambda pairs, rng: ((pairs.v == i) | (pairs.u == i) for i in range(len(pairs.models))),
    "machine-type": lambda pairs, rng: (pairs.k == i for i in range(len(pairs.machine_types))),
}


@dataclass(frozen=True, eq=False)
class Held:
    """Predictions for held-out rows: N' positions in the pairs, predicted and measured degradation.

    A row with two models that are left out in turn is there twice. ``inside`` says for each of
    :data:`COVERED` whether the interval holds the measured value; None for methods without intervals.
    """

    rows: Ints
    predicted: Floats
    inside: tuple[Bools, ...] | None = None


@dataclass(frozen=True)
class Score:
    """One method under one split on one machine type.

    Attributes
    ----------
    mae
        Mean absolute error of the degradation.
    slowdown_error
        Mean of |predicted - measured| / measured slowdown, which is 1 + degradation.
    r2, r2_log
        Coefficient of determination of the degradation, and of the log slowdown.
    spearman
        Rank correlation; None if all predictions are the same.
    regret
        Measured objective of plans made from predictions over that of plans made from measurements
        (:mod:`.pairing`); None where it is not defined.
    covered_80, covered_95
        Share of measured values inside the intervals; None for a method without.
    """

    split: str
    machine_type: str
    method: str
    rows: int
    mae: float
    slowdown_error: float
    r2: float | None
    r2_log: float | None
    spearman: float | None
    regret: float | None
    covered_80: float | None = None
    covered_95: float | None = None


Progress = Callable[[str, str, int, int], None]  # split, method, part, parts


def evaluate(
    pairs: Pairs,
    features: Features,
    splits: Sequence[str],
    *,
    seed: int = 0,
    methods: Sequence[str] = (*BASELINES, NETWORK),
    on_progress: Progress | None = None,
) -> tuple[list[Score], dict[str, dict[str, Held]]]:
    """Return all scores, and the held-out predictions by split and method.

    Raises
    ------
    InputError
        If a split cannot be made from these pairs, or leaves too little to learn from.
    """
    scores: list[Score] = []
    predictions: dict[str, dict[str, Held]] = {}
    for split in splits:
        tests = parts(pairs, split, seed)
        predictions[split] = {}
        for method in methods:
            done = []
            for i, test in enumerate(tests, start=1):
                if on_progress is not None:
                    on_progress(split, method, i, len(tests))
                done.append(predict_part(pairs, features, test, method, seed))
            held = joined(done)
            predictions[split][method] = held
            scores += score(pairs, held, split, method)
    return scores, predictions


def parts(pairs: Pairs, split: str, seed: int) -> list[Bools]:
    """Return the rows (N,) that are held out at a time.

    Raises
    ------
    InputError
        For a split that is not known or that leaves nothing to learn from.
    """
    if split not in SPLITS:
        raise InputError(f"must be one of {', '.join(SPLITS)}", field="split", value=split)
    tests = [test for test in SPLITS[split](pairs, np.random.default_rng(seed)) if test.any()]
    if split == "machine-type" and len(np.unique(pairs.k)) < 3:
        raise InputError("needs three machine types in the table", field="split", value=split)
    if any(len(pairs) - int(test.sum()) < LEAST_PAIRS for test in tests):
        raise InputError(f"must leave at least {LEAST_PAIRS} pairs to learn from", field="split", value=split)
    return tests


def predict_part(pairs: Pairs, features: Features, test: Bools, method: str, seed: int) -> Held:
    """Return the predictions of one method for the rows of ``test`` (N,), made without them."""
    rows, trained, at = pairs.take(test), pairs.take(~test), np.flatnonzero(test)
    if method == NETWORK:
        return _network(trained, rows, features, seed, at)
    log_slowdown = BASELINES[method](trained, features, seed)(rows.k, rows.v, rows.u)
    return Held(at, np.expm1(np.maximum(log_slowdown, 0)))


def joined(done: Sequence[Held]) -> Held:
    """Return the predictions of all parts as one."""
    inside = [held.inside for held in done if held.inside is not None]
    return Held(
        np.concatenate([held.rows for held in done]),
        np.concatenate([held.predicted for held in done]),
        tuple(map(np.concatenate, zip(*inside, strict=True))) if inside else None,
    )


def _network(trained: Pairs, rows: Pairs, features: Features, seed: int, at: Ints) -> Held:
    from planner.degradation.predictor import fit

    predictor = fit(trained, features, seed=seed)
    prediction = predictor.predict(*rows.names(), features=features)
    measured = np.maximum(rows.degradation, 0)
    ends = [prediction.interval(level) for level in COVERED]
    inside = tuple((low - 1e-9 <= measured) & (measured <= high + 1e-9) for low, high in ends)
    return Held(at, prediction.degradation, inside)


def score(pairs: Pairs, held: Held, split: str, method: str) -> list[Score]:
    """Return the scores of held-out predictions, one for each machine type that has any."""
    scores = []
    for k in np.unique(pairs.k[held.rows]):
        on = pairs.k[held.rows] == k
        rows, predicted = held.rows[on], held.predicted[on]
        measured = pairs.degradation[rows]
        log_measured, log_predicted = np.log1p(measured), np.log1p(predicted)
        inside = (None, None) if held.inside is None else [float(part[on].mean()) for part in held.inside]
        scores.append(
            Score(
                split,
                pairs.machine_types[k],
                method,
                int(on.sum()),
                float(np.abs(predicted - measured).mean()),
                float((np.abs(predicted - measured) / (1 + measured)).mean()),
                r_squared(measured, predicted),
                r_squared(log_measured, log_predicted),
                rank_correlation(measured, predicted),
                regret(*matrices(pairs, rows, predicted)),
                *inside,
            )
        )
    return scores


def r_squared(measured: Floats, predicted: Floats) -> float | None:
    """Return 1 - residual / total sum of squares; None if all measured values are the same."""
    total = float(((measured - measured.mean()) ** 2).sum())
    return None if total == 0 else 1 - float(((measured - predicted) ** 2).sum()) / total


def rank_correlation(measured: Floats, predicted: Floats) -> float | None:
    """Return Spearman's rank correlation; None if one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(measured) == 0 or np.ptp(predicted) == 0:
        return None
    return float(spearmanr(measured, predicted).statistic)


def matrices(pairs: Pairs, rows: Ints, predicted: Floats) -> tuple[Floats, Floats]:
    """Return measured and predicted degradation (T, T) of rows of one machine type, NaN where there is none.

    What is there more than once is averaged.
    """
    shape = (len(pairs.models), len(pairs.models))
    total, count = np.zeros((2, *shape)), np.zeros(shape)
    at = (pairs.v[rows], pairs.u[rows])
    np.add.at(count, at, 1)
    for side, values in zip(total, (pairs.degradation[rows], predicted), strict=True):
        np.add.at(side, at, values)
    with np.errstate(invalid="ignore"):
        measured, mean = total / np.where(count > 0, count, np.nan)
    return measured, mean
