"""Quantities of Kubernetes: ``250m``, ``16Gi``, ``1e3``, exactly.

A quantity is a signed decimal and a suffix: ``n u m`` or ``k M G T P E`` for powers of a thousand, ``Ki Mi
Gi Ti Pi Ei`` for powers of 1024, or a decimal exponent ``e3`` or ``E3``. What is finer than a billionth is
rounded up, as Kubernetes does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any

from planner.errors import InputError

_FORM = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?", re.ASCII
)
_LONGEST = 64
_FINEST = 10**9
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_RULE = "must be a Kubernetes quantity, such as 250m, 16Gi or 1e3"
_MOST = 10**24


def quantity(text: Any, field: str) -> Fraction:
    """Return the number that a quantity stands for.

    Parameters
    ----------
    text
        Text, or a number, which JSON also has.
    field
        Where it stands, for the error.

    Raises
    ------
    InputError
        If it is no quantity, is negative, or is larger than any machine.
    """
    if type(text) in (int, Decimal):
        text = format(text, "f") if isinstance(text, Decimal) and -50 < text.adjusted() < 50 else str(text)
    value = _value(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if value is None:
        raise InputError(_RULE, field=field, value=text)
    if not 0 <= value <= _MOST:
        raise InputError("must be from 0 to 1e24", field=field, value=text)
    return value


@lru_cache(maxsize=10_000)
def _value(text: str) -> Fraction | None:
    """Return what a text means; None if nothing. Many pods ask for the same."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    return Fraction(ceil(Fraction(match[1]) * _factor(match[2] or "") * _FINEST), _FINEST)


def _factor(suffix: str) -> Fraction:
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix])
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:] or 0)
    return Fraction(10) ** exponent
