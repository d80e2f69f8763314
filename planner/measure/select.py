"""Which co-locations to measure next, so that what is not measured can be predicted best.

Query by committee (Seung, Opper & Sompolinsky 1992; Abe & Mamitsuka 1998 for the bootstrap): a committee
of cheap models is fitted to weighted resamples of what is measured, and the co-locations on whose
slowdown its members disagree most are measured next. A member says of the log slowdown

    y[k, v, u] = m[k] + a[k, v] + b[k, u] + p[k, v] . q[k, u]

with vectors p and q of length 2, fitted by alternating ridge regressions; each machine type is drawn to
what all of them have in common. Models of which little is known come first, and within one batch a model
that was just chosen counts less, because its co-locations tell much the same. ``benchmarks/selection.py``
compares it with random selection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRATEGIES = ("active", "random")
_RANK = 2
_COMMITTEE = 8
_SWEEPS = 6
_RIDGE = 0.3
_TO_SHARED = 1.0
_ENOUGH = 2  # co-locations of a model on a machine type before the committee has a say
_LEAST = -0.9


@dataclass(frozen=True)
class Candidate:
    """A co-location that could be measured: a machine type and the sorted models of its replicas."""

    machine_type: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """The degradation of a victim beside its neighbours, as measured."""

    machine_type: str
    victim: str
    neighbours: tuple[str, ...]
    degradation: float


@dataclass(frozen=True, eq=False)
class Observed:
    """Directed pairs as arrays of one length N: indices of machine type, victim, aggressor; log slowdown."""

    k: Ints
    v: Ints
    u: Ints
    y: Floats


def choose(
    candidates: Sequence[Candidate], measured: Sequence[Measured], n: int, *, strategy: str, seed: int
) -> list[Candidate]:
    """Return up to n of the candidates, those to be measured first in front.

    Parameters
    ----------
    candidates
        Not measured yet.
    measured
        What is known; of co-locations of more than two only that their models were there.
    strategy
        One of :data:`STRATEGIES`.
    seed
        Same arguments and seed, same choice.
    """
    rng = np.random.default_rng([seed, len(candidates), len(measured)])
    shuffled = [candidates[i] for i in rng.permutation(len(candidates))]
    if strategy == "random" or not shuffled:
        return shuffled[:n]
    types = sorted({c.machine_type for c in candidates} | {m.machine_type for m in measured})
    models = sorted({t for c in candidates for t in c.members} | {t for m in measured for t in _members(m)})
    seen = Counter((m.machine_type, t) for m in measured for t in (m.victim,))
    spread = disagreement(observed(measured, types, models), len(types), len(models), rng)
    return _greedy(shuffled, seen, spread, types, models, n)


def _members(m: Measured) -> tuple[str, ...]:
    return (m.victim, *m.neighbours)


def _greedy(
    waiting: list[Candidate],
    seen: Counter[tuple[str, str]],
    spread: Floats,
    types: Sequence[str],
    models: Sequence[str],
    n: int,
) -> list[Candidate]:
    """Take the best candidate again and again; what was taken makes its models count less."""
    kinds, names = ({name: i for i, name in enumerate(all_)} for all_ in (types, models))
    taken: Counter[tuple[str, str]] = Counter()
    chosen: list[Candidate] = []
    base = [_disagreement_of(c, spread, kinds, names) for c in waiting]
    while waiting and len(chosen) < n:
        scores = [_score(c, b, seen, taken) for c, b in zip(waiting, base, strict=True)]
        best = max(range(len(waiting)), key=scores.__getitem__)
        chosen.append(waiting.pop(best))
        base.pop(best)
        taken.update((chosen[-1].machine_type, t) for t in set(chosen[-1].members))
    return chosen


def _disagreement_of(c: Candidate, spread: Floats, kinds: dict[str, int], names: dict[str, int]) -> float:
    """Return the mean spread over the directed pairs of a co-location."""
    k, t = kinds[c.machine_type], [names[m] for m in c.members]
    pairs = [spread[k, t[i], t[j]] for i in range(len(t)) for j in range(len(t)) if i != j]
    return float(np.mean(pairs))


def _score(
    c: Candidate, spread: float, seen: Counter[tuple[str, str]], taken: Counter[tuple[str, str]]
) -> tuple[float, float]:
    """Return how many of its models are hardly known, then the disagreement per earlier choice."""
    keys = [(c.machine_type, t) for t in dict.fromkeys(c.members)]
    unknown = sum(max(0, _ENOUGH - seen[key] - taken[key]) for key in keys)
    return float(unknown), spread / (1 + sum(taken[key] for key in keys))


def observed(measured: Sequence[Measured], types: Sequence[str], models: Sequence[str]) -> Observed:
    """Return the pairs among what is measured as arrays."""
    pairs = [m for m in measured if len(m.neighbours) == 1]
    kinds, names = ({name: i for i, name in enumerate(all_)} for all_ in (types, models))
    return Observed(
        np.array([kinds[m.machine_type] for m in pairs], dtype=np.int64),
        np.array([names[m.victim] for m in pairs], dtype=np.int64),
        np.array([names[m.neighbours[0]] for m in pairs], dtype=np.int64),
        np.log1p(np.maximum([m.degradation for m in pairs], _LEAST)),
    )


def disagreement(data: Observed, types: int, models: int, rng: np.random.Generator) -> Floats:
    """Return the standard deviation (K, T, T) of what a committee predicts for each directed pair."""
    votes = [
        fit(data, types, models, weights=rng.exponential(size=data.y.size), rng=rng)
        for _ in range(_COMMITTEE)
    ]
    spread: Floats = np.std(votes, axis=0)
    return spread


def fit(
    data: Observed, types: int, models: int, *, weights: Floats | None = None, rng: np.random.Generator
) -> Floats:
    """Return the log slowdown (K, T, T) that the additive model of rank 2 predicts for each directed pair.

    Parameters
    ----------
    data
        N directed pairs.
    types, models
        K and T.
    weights
        Of the pairs, shape (N,); all 1 by default.
    rng
        Draws the vectors to begin from.
    """
    w = np.ones(data.y.size) if weights is None else weights
    total = np.bincount(data.k, w, types)
    everywhere = float(w @ data.y / w.sum()) if w.sum() else 0.0
    mean = (np.bincount(data.k, w * data.y, types) + everywhere) / (total + 1)
    rest = data.y - mean[data.k]
    shape = (models, _RANK + 1)
    shared = _alternate(
        np.zeros_like(data.k), data, rest, w, _start(rng, (1, *shape)), _start(rng, (1, *shape)), 0.0
    )
    rows, columns = (np.repeat(part, types, axis=0) for part in shared)
    rows, columns = _alternate(data.k, data, rest, w, rows, columns, _TO_SHARED)
    return mean[:, None, None] + _predict(rows, columns)


def _start(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    start = 0.1 * rng.standard_normal(shape)
    start[..., -1] = 0.0
    return start


def _predict(rows: Floats, columns: Floats) -> Floats:
    """Return p . q + a + b for rows (K, T, R + 1) = [p, a] and columns [q, b]: (K, T, T)."""
    crossed = rows[..., :-1] @ columns[..., :-1].transpose(0, 2, 1)
    sums: Floats = crossed + rows[:, :, None, -1] + columns[:, None, :, -1]
    return sums


def _alternate(
    k: Ints, data: Observed, y: Floats, w: Floats, rows: Floats, columns: Floats, to_prior: float
) -> tuple[Floats, Floats]:
    """Fit rows with the columns fixed and the other way round, a few times."""
    anchors = (rows.copy(), columns.copy()) if to_prior else (np.zeros_like(rows), np.zeros_like(columns))
    for _ in range(_SWEEPS):
        rows = _solve(k, data.v, columns[k, data.u], y, w, rows.shape, anchors[0], to_prior)
        columns = _solve(k, data.u, rows[k, data.v], y, w, columns.shape, anchors[1], to_prior)
    return rows, columns


def _solve(
    k: Ints, t: Ints, other: Floats, y: Floats, w: Floats, shape: tuple[int, ...], anchor: Floats, pull: float
) -> Floats:
    """Return ridge regressions, one for each (k, t), of y less the other side's own term on its vector."""
    design = np.concatenate([other[:, :-1], np.ones((y.size, 1))], axis=1)
    target = y - other[:, -1]
    size = design.shape[1]
    ridge = _RIDGE + pull
    left = np.tile(ridge * np.eye(size), (*shape[:2], 1, 1))
    right = ridge * anchor.copy()
    np.add.at(left, (k, t), w[:, None, None] * design[:, :, None] * design[:, None, :])
    np.add.at(right, (k, t), (w * target)[:, None] * design)
    solved: Floats = np.linalg.solve(left, right[..., None])[..., 0].astype(np.float64)
    return solved
