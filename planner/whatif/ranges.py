"""Ranges as they are written after a flag: ``4..12``, ``4..12:2``, ``gpu=4..12``, ``0.8..1.5:8``."""

from __future__ import annotations

import re
from fractions import Fraction

from planner.errors import InputError

MOST_POINTS = 200
_POINTS = 11
_WHOLE = re.compile(r"(\d{1,12})\.\.(\d{1,12})(?::(\d{1,12}))?", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\.\.(\d{1,12}(?:\.\d{1,9})?)(?::(\d{1,12}))?", re.ASCII)


def named(text: str, flag: str, what: str) -> tuple[str, str]:
    """Split ``NAME=RANGE``; the name may hold a ``=`` itself.

    Raises
    ------
    InputError
        Naming the flag, if there is no ``=``.
    """
    name, equals, values = text.rpartition("=")
    if not equals or not name:
        raise InputError(f"must be {what}=LOW..HIGH", field=flag, value=text)
    return name, values


def counts(text: str, flag: str) -> list[Fraction]:
    """Return the whole numbers of ``LOW..HIGH`` or ``LOW..HIGH:STEP``.

    Raises
    ------
    InputError
        Naming the flag, for another form, LOW above HIGH, a step of 0, or too many values.
    """
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise InputError("must be LOW..HIGH or LOW..HIGH:STEP in whole numbers", field=flag, value=text)
    low, high, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if low > high:
        raise InputError("must not have LOW above HIGH", field=flag, value=text)
    if step < 1:
        raise InputError("must have a STEP of at least 1", field=flag, value=text)
    if (high - low) // step >= MOST_POINTS:
        rule = f"must have at most {MOST_POINTS} values; give a larger STEP"
        raise InputError(rule, field=flag, value=text)
    return [Fraction(value) for value in range(low, high + 1, step)]


def decimals(text: str, flag: str, *, zero: bool = False) -> list[Fraction]:
    """Return the evenly spaced values of ``LOW..HIGH`` (11 of them) or ``LOW..HIGH:STEPS``, ends included.

    Parameters
    ----------
    zero
        Whether LOW may be 0.

    Raises
    ------
    InputError
        Naming the flag, for another form, LOW above HIGH, or a number of values out of range.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise InputError("must be LOW..HIGH or LOW..HIGH:STEPS in numbers", field=flag, value=text)
    low, high, steps = Fraction(match[1]), Fraction(match[2]), int(match[3] or _POINTS)
    if low > high:
        raise InputError("must not have LOW above HIGH", field=flag, value=text)
    if low == 0 and not zero:
        raise InputError("must have a LOW above 0", field=flag, value=text)
    if low == high:
        return [low]
    if not 2 <= steps <= MOST_POINTS:
        raise InputError(f"must have from 2 to {MOST_POINTS} STEPS", field=flag, value=text)
    values = [low + (high - low) * i / (steps - 1) for i in range(steps)]
    if len({label(value) for value in values}) < steps:
        raise InputError("must have values that differ in nine digits", field=flag, value=text)
    return values


def label(value: Fraction) -> str:
    """Return a value as text of at most nine significant digits, whole numbers in full."""
    return str(value) if value.denominator == 1 else f"{float(value):.9g}"
