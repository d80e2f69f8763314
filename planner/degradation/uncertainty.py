"""How far off a prediction may be: intervals calibrated on what members of the ensemble left out.

The error that is normal for a prediction is ``s = sqrt(spread^2 + floor^2)``: the spread of the ensemble
and the root mean square error of members on rows that they left out, both in units of the machine type.
An interval is the prediction ± q s, where q is the level's conformal quantile of |error| / s over those
rows (cross-validation+, Barber, Candès, Ramdas & Tibshirani, *Annals of Statistics* 49(1), 2021). There
are three kinds, each with a floor and quantiles of its own: a pair that was not measured, a model that
was not, a machine type that was not. The errors are those of single members while their mean predicts, so
intervals tend to be too wide rather than too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from planner.degradation.features import Finite
from planner.degradation.table import Bools, Floats, Ints
from planner.errors import InputError

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95)
_SIGMA = LEVELS.index(0.68)
Positive = Annotated[Finite, Field(ge=0)]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What each of A members has not learned from: rows (A, N), models (A, T), machine types (A, K)."""

    rows: Bools
    models: Bools
    types: Bools


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted degradations of N pairs.

    Attributes
    ----------
    log_slowdown
        Mean of the ensemble, shape (N,); below 0 where solo latency is likely.
    half_widths
        Half of the interval of the log slowdown for each of :data:`LEVELS`, shape (levels, N).
    spread
        Standard deviation of the log slowdown over the ensemble, shape (N,): what more measurements
        of this kind would reduce.
    new_model, new_machine_type
        Where features had to stand in for measurements, shape (N,).
    """

    log_slowdown: Floats
    half_widths: Floats
    spread: Floats
    new_model: Bools
    new_machine_type: Bools

    @property
    def degradation(self) -> Floats:
        """Predicted degradation, shape (N,), never negative."""
        return _degradation(self.log_slowdown)

    @property
    def std(self) -> Floats:
        """Half of the calibrated 68 % interval of the degradation, shape (N,)."""
        low, high = self.interval(LEVELS[_SIGMA])
        return (high - low) / 2

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return lower and upper ends of the degradation, each (N,), for one of :data:`LEVELS`."""
        if level not in LEVELS:
            raise InputError(f"must be one of {', '.join(map(str, LEVELS))}", field="level", value=level)
        half = self.half_widths[LEVELS.index(level)]
        return _degradation(self.log_slowdown - half), _degradation(self.log_slowdown + half)


def _degradation(log_slowdown: Floats) -> Floats:
    return np.expm1(np.maximum(log_slowdown, 0))


class Kind(BaseModel):
    """Floor and conformal quantiles, one for each of :data:`LEVELS`, of one kind of prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int = Field(ge=1)
    floor: Positive
    quantiles: tuple[Positive, Positive, Positive, Positive, Positive]


class Calibration(BaseModel):
    """The kinds of a predictor; ``known`` has one entry for each machine type."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    known: tuple[Kind, ...] = Field(min_length=1)
    new_model: Kind
    new_machine_type: Kind | None

    def half_widths(self, k: Ints, new_model: Bools, new_type: Bools, spread: Floats) -> Floats:
        """Return half widths (levels, N) in units of the machine type.

        Parameters
        ----------
        k
            Position of the machine type among those trained on; ignored where ``new_type``.
        new_model, new_type
            Which kind each row is; the larger of both errors where it is both.
        spread
            Standard deviation over the ensemble.
        """
        known = np.array([[kind.floor, *kind.quantiles] for kind in self.known])
        one = known[np.where(new_type, 0, k)].T  # (1 + levels, N)
        result = np.where(new_type, 0.0, _half(one[0], one[1:], spread))
        for kind, where in ((self.new_model, new_model), (self.new_machine_type, new_type)):
            if kind is not None:
                wide = _half(np.array(kind.floor), np.array(kind.quantiles)[:, None], spread)
                result = np.where(where, np.maximum(result, wide), result)
        return result


def _half(floor: Floats, quantiles: Floats, spread: Floats) -> Floats:
    return quantiles * np.sqrt(spread**2 + floor**2)


def calibrate(errors: Floats, f: Floats, left: LeftOut, k: Ints, members: int) -> Calibration:
    """Return the calibration from the errors of A members on the rows that they left out.

    Parameters
    ----------
    errors, f
        Measured - predicted, and predicted, of every member for every row, shape (A, N).
    left
        What each member left out; the first ``members`` of them leave out pairs.
    k
        Machine type of each row, shape (N,).
    """
    spread = np.broadcast_to(f[:members].std(0), errors.shape)
    pairs = left.rows & (np.arange(len(errors)) < members)[:, None]
    by_type = [pairs & (k == i) for i in range(left.types.shape[1])]
    models = left.rows & left.models.any(1, keepdims=True)
    types = left.rows & left.types.any(1, keepdims=True)
    known = tuple(kind(errors[where], spread[where]) for where in by_type)
    widest = max(known, key=lambda one: one.floor)
    new_model = kind(errors[models], spread[models]) if models.any() else widest
    new_type = kind(errors[types], spread[types]) if types.any() else None
    return Calibration(known=known, new_model=new_model, new_machine_type=new_type)


def kind(errors: Floats, spread: Floats, levels: Sequence[float] = LEVELS) -> Kind:
    """Return floor and conformal quantiles of n errors that were made on rows left out.

    The quantile of level p is the ceil((n + 1) p)-th smallest of |error| / s, the largest if n is too
    small for that.
    """
    floor = float(np.sqrt(np.mean(errors**2)))
    scores = np.sort(np.abs(errors) / np.maximum(np.sqrt(spread**2 + floor**2), 1e-12))
    ranks = [min(int(np.ceil((errors.size + 1) * level)), errors.size) for level in levels]
    return Kind(rows=errors.size, floor=floor, quantiles=tuple(float(scores[rank - 1]) for rank in ranks))
