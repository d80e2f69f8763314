"""From the decimals that were written to the integers that everything works on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from planner.errors import InputError

PPM = 1_000_000
_LARGEST = float(2**61)
_PIECE = 2**20

Ints = NDArray[np.int64]


def scaled(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Ints:
    """Return (K, T, T): ``values`` times the victims' ``weights`` in ppm, made in pieces to save memory."""
    models = weights.size
    rows, result = values.reshape(-1, models), np.empty(values.shape, dtype=np.int64)
    step = max(1, _PIECE // models)
    for first in range(0, len(rows), step):
        piece = np.nan_to_num(rows[first : first + step], nan=0.0)
        with np.errstate(over="ignore"):
            piece *= weights[np.arange(first, first + len(piece)) % models, None]
        refuse_if_large(float(piece.max(initial=0.0)) * PPM, "models.weight times degradation")
        result.reshape(-1, models)[first : first + step] = np.rint(piece * PPM)
    return result


def exact(value: float) -> Fraction:
    """Return the decimal that was written, not the binary float nearest to it."""
    return Fraction(repr(value))


def ppm(value: float) -> int:
    """Return parts per million, rounded."""
    return round(exact(value) * PPM)


def millionths(amount: float, *, up: bool) -> int:
    """Return millionths of a unit, rounded up or down."""
    number = exact(amount) * PPM
    return number.__ceil__() if up else number.__floor__()


def refuse_if_large(value: float, what: str) -> None:
    """Raise :class:`InputError` if sums up to ``value`` could exceed 64 bits; ``what`` is the field."""
    if not value < _LARGEST:
        rule = "numbers are so large that sums could exceed 64-bit integers; use smaller units or weights"
        raise InputError(rule, field=what, value=f"a sum up to {value:.3g} ppm")
