"""The predictor: a trained ensemble with the names, features and calibration that it needs to predict.

The degradation is ``max(0, exp(centre[k] + scale[k] f) - 1)`` with f from :mod:`.network`. A measurement
that was clipped at the solo rate says "at most this" (a censored regression, Tobin 1958). Members of the
ensemble differ in their initial weights and in the pairs that each leaves out; further members, which do
not predict, leave out models and machine types. What each gets wrong on what it left out calibrates the
intervals (:mod:`.uncertainty`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from planner.degradation.features import Encoder, Features, make_encoder
from planner.degradation.network import (
    Config,
    Grid,
    Kept,
    Progress,
    Task,
    Weights,
    forward,
    one_thread,
    train,
)
from planner.degradation.table import LEAST_PAIRS, Bools, Floats, Ints, Pairs
from planner.degradation.uncertainty import Calibration, LeftOut, Prediction, calibrate
from planner.errors import InputError

_CHUNK = 2**16
_MODEL_GROUPS = 5
_LEAST_SCALE = 0.02  # log slowdown: where nothing interferes there is still noise


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained ensemble; :func:`fit` makes one, :mod:`.predictor_files` keeps it.

    Attributes
    ----------
    machine_types, models
        The K and T names that it was trained on.
    encoder, encoded
        Makes encodings; those of what it was trained on, shape (K, T, P).
    seen
        Whether it was trained on a pair with this model on this machine type, shape (K, T).
    centre, scale
        Mean and spread of the log slowdown on each machine type, shape (K,).
    """

    config: Config
    seed: int
    machine_types: tuple[str, ...]
    models: tuple[str, ...]
    encoder: Encoder
    encoded: NDArray[np.float32]
    seen: Bools
    centre: Floats
    scale: Floats
    weights: Weights
    calibration: Calibration

    @classmethod
    def load(cls, folder: str | Path) -> Predictor:
        """Return the predictor in a folder that ``planner train`` has written.

        Raises
        ------
        InputError
            For anything that is not such a folder, file by file and field by field.
        """
        from planner.degradation.predictor_files import load

        return load(folder)

    def predict(
        self,
        machine_types: Sequence[str],
        victims: Sequence[str],
        aggressors: Sequence[str],
        features: Features | None = None,
    ) -> Prediction:
        """Predict the degradation of N directed pairs; each argument has N names.

        ``features`` say what is known of models and machine types that were not trained on. A model on a
        machine type that it was not measured on falls back to its features; without any there, to the
        mean of its encodings elsewhere.

        Raises
        ------
        InputError
            If a model is neither known nor has features or a known family, or a machine type is not
            known and only one was trained on.
        """
        types, models = sorted({*machine_types}), sorted({*victims, *aggressors})
        positions = [
            np.array([{n: i for i, n in enumerate(names)}[n] for n in asked], dtype=np.int64)
            for names, asked in ((types, machine_types), (models, victims), (models, aggressors))
        ]
        grid, blind = self._grid(types, models, features)
        k, v, u = positions
        for model in (v, u):
            if blind[k, model].any():
                row = int(blind[k, model].argmax())
                rule = "must be a model that the predictor was trained on, or have features or a known family"
                found = f"{models[model[row]]} on {machine_types[row]}"
                raise InputError(rule, field="model", value=found)
        return self._prediction(grid, self._raw(grid, positions), positions)

    def _grid(
        self, types: Sequence[str], models: Sequence[str], features: Features | None
    ) -> tuple[Grid, Bools]:
        """Return the grid of these names, and where nothing is known (K', T')."""
        at = [_positions(types, self.machine_types), _positions(models, self.models)]
        new_type = at[0] == len(self.machine_types)
        if new_type.any() and len(self.machine_types) == 1:
            rule = f"must be {self.machine_types[0]}, the only machine type that the predictor was trained on"
            raise InputError(rule, field="machine type", value=types[int(new_type.argmax())])
        nothing = Features((), (), (), np.zeros((0, 0, 0)))
        encoded, told = self.encoder.encode(features or nothing, types, models)
        padded = np.pad(self.encoded, ((0, 1), (0, 1), (0, 0)))
        padded[-1, :-1] = self.encoded.mean(0)
        mine = padded[np.ix_(*at)]
        known_model = at[1] < len(self.models)
        encoded = np.where(((~new_type[:, None] | ~told) & known_model)[..., None], mine, encoded)
        grid = Grid(*(torch.from_numpy(x) for x in (at[0], at[1], encoded.astype(np.float32))))
        return grid, ~(told | known_model)

    def _raw(self, grid: Grid, positions: Sequence[Ints]) -> Floats:
        """Return f of every member for N rows, shape (M, N)."""
        m = self.config.members
        kept = Kept(torch.ones(m, len(self.models)), torch.ones(m, len(self.machine_types)))
        parts = []
        with torch.no_grad(), one_thread():
            for first in range(0, max(1, positions[0].size), _CHUNK):
                chunk = tuple(torch.from_numpy(p[first : first + _CHUNK]) for p in positions)
                parts.append(forward(self.weights, self.config, grid, kept, chunk).double().numpy())
        return np.concatenate(parts, axis=1)

    def _prediction(self, grid: Grid, values: Floats, positions: Sequence[Ints]) -> Prediction:
        """Return the prediction of N rows from the members' f (M, N)."""
        k, v, u = positions
        types, models = grid.types.numpy(), grid.models.numpy()
        new_type = (types == len(self.machine_types))[k]
        seen = np.concatenate([self.seen, self.seen.any(0, keepdims=True)])  # (K + 1, T)
        seen = np.pad(seen, ((0, 0), (0, 1)))[np.ix_(types, models)]
        new_model = ~(seen[k, v] & seen[k, u])
        centre, scale = (_or_mean(x, types)[k] for x in (self.centre, self.scale))
        half = self.calibration.half_widths(types[k], new_model, new_type, values.std(0))  # (levels, N)
        return Prediction(
            centre + scale * values.mean(0), scale * half, scale * values.std(0), new_model, new_type
        )


def _positions(names: Sequence[str], known: Sequence[str]) -> Ints:
    index = {name: i for i, name in enumerate(known)}
    return np.array([index.get(name, len(known)) for name in names], dtype=np.int64)


def _or_mean(values: Floats, at: Ints) -> Floats:
    return np.append(values, values.mean())[at]


def fit(
    pairs: Pairs,
    features: Features,
    *,
    seed: int = 0,
    config: Config | None = None,
    on_progress: Progress | None = None,
) -> Predictor:
    """Train a predictor on measured pairs; same pairs, seed and version of torch: same predictor.

    Raises
    ------
    InputError
        If there are fewer than :data:`~planner.degradation.table.LEAST_PAIRS` pairs.
    """
    if len(pairs) < LEAST_PAIRS:
        raise InputError(f"must have at least {LEAST_PAIRS} measured pairs to learn from", value=len(pairs))
    config = config or Config()
    pairs = only_present(pairs)
    encoder = make_encoder(features, pairs.machine_types, pairs.models)
    encoded, _ = encoder.encode(features, pairs.machine_types, pairs.models)
    left = leave_out(pairs, config.members, np.random.default_rng(seed))
    weights, calibration = _trained(pairs, encoded, left, config, seed, on_progress)
    seen = np.zeros(encoded.shape[:2], dtype=np.bool_)
    seen[pairs.k, pairs.v] = seen[pairs.k, pairs.u] = True
    centre, scale = units(pairs, np.zeros((1, len(pairs.machine_types)), dtype=np.bool_))
    return Predictor(
        config,
        seed,
        pairs.machine_types,
        pairs.models,
        encoder,
        encoded,
        seen,
        centre[0],
        scale[0],
        weights,
        calibration,
    )


def _trained(
    pairs: Pairs,
    encoded: NDArray[np.float32],
    left: LeftOut,
    config: Config,
    seed: int,
    on_progress: Progress | None,
) -> tuple[Weights, Calibration]:
    """Return the weights of the members that predict, and what all A members got wrong."""
    centre, scale = (values[:, pairs.k] for values in units(pairs, left.types))  # (A, N)
    target, zero = (pairs.log_slowdown - centre) / scale, -centre / scale
    k, v, u, censored = (torch.from_numpy(x) for x in (pairs.k, pairs.v, pairs.u, pairs.censored))
    told, weight = (torch.from_numpy(x.astype(np.float32)) for x in (target, ~left.rows))
    grid = Grid(torch.arange(encoded.shape[0]), torch.arange(encoded.shape[1]), torch.from_numpy(encoded))
    kept = Kept(*(torch.from_numpy(~x).float() for x in (left.models, left.types)))
    weights = train(Task(k, v, u, told, censored, weight), grid, kept, config, seed, on_progress)
    with torch.no_grad(), one_thread():
        f = forward(weights, config, grid, kept, (k, v, u)).double().numpy()
    errors = np.maximum(target, zero) - np.maximum(f, zero)  # a degradation below 0 counts as 0
    own = {name: array[: config.members].clone() for name, array in weights.items()}
    return own, calibrate(errors, f, left, pairs.k, config.members)


def only_present(pairs: Pairs) -> Pairs:
    """Return the same pairs with only those names that appear in them."""
    types, k = np.unique(pairs.k, return_inverse=True)
    models, both = np.unique(np.concatenate([pairs.v, pairs.u]), return_inverse=True)
    v, u = np.split(both.astype(np.int64), 2)
    names = tuple(pairs.machine_types[i] for i in types), tuple(pairs.models[i] for i in models)
    return Pairs(*names, k.astype(np.int64), v, u, pairs.degradation, pairs.censored)


def leave_out(pairs: Pairs, members: int, rng: np.random.Generator) -> LeftOut:
    """Return what each member leaves out: M some pairs, then some models each, then a machine type each."""
    types, models, n = len(pairs.machine_types), len(pairs.models), len(pairs)
    low, high = np.minimum(pairs.v, pairs.u), np.maximum(pairs.v, pairs.u)
    _, unordered = np.unique((pairs.k * models + low) * models + high, return_inverse=True)
    fold = rng.permutation(unordered.max() + 1)[unordered] % members
    group = rng.permutation(models) % _MODEL_GROUPS
    groups = min(_MODEL_GROUPS, models) if models > 2 else 0
    count = members + groups + (types if types > 1 else 0)
    left = LeftOut(*(np.zeros((count, size), dtype=np.bool_) for size in (n, models, types)))
    for member in range(members):
        left.rows[member] = fold == member
    for i in range(groups):
        left.models[members + i] = group == i
        left.rows[members + i] = (group[pairs.v] == i) | (group[pairs.u] == i)
    for i in range(types if types > 1 else 0):
        left.types[members + groups + i, i] = True
        left.rows[members + groups + i] = pairs.k == i
    return left


def units(pairs: Pairs, left: Bools) -> tuple[Floats, Floats]:
    """Return mean and spread of the log slowdown (A, K) of each machine type, for A members.

    A machine type that a member leaves out, ``left`` (A, K), has the mean of the others.
    """
    y = pairs.log_slowdown
    each = [y[pairs.k == k] for k in range(len(pairs.machine_types))]
    both = np.array([[part.mean(), max(float(part.std()), _LEAST_SCALE)] for part in each])  # (K, 2)
    others = (~left @ both) / (~left).sum(1, keepdims=True)  # (A, 2)
    centre, scale = np.moveaxis(np.where(left[..., None], others[:, None], both), 2, 0)
    return centre, scale
