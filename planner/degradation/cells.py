"""What each column of a measurements table may hold: one small parser for each kind of value.

A parser takes the text of a cell (``""`` where there is nothing), returns its value or None, and raises
``ValueError`` with the rule that the text breaks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

_MOST_NEIGHBOURS = 256
_MOST_DEGRADATION = 1e6
_NAME_LENGTH = 200

QUANTILES = ("p50_ms", "p90_ms", "p95_ms", "p99_ms")
_LATENCIES = ("mean_ms", *QUANTILES)


def checked_name(text: str) -> str | None:
    """Return a name, or None for nothing.

    Raises
    ------
    ValueError
        For a name that is too long or holds what a name must not.
    """
    if len(text) > _NAME_LENGTH:
        raise ValueError(f"must have at most {_NAME_LENGTH} characters")
    if text != text.strip() or not text.isprintable() or "|" in text:
        raise ValueError("must not hold '|' or control characters, nor start or end with a space")
    return text or None


def _neighbours(text: str) -> tuple[str, ...]:
    parts = text.split("|") if text else []
    if len(parts) > _MOST_NEIGHBOURS:
        raise ValueError(f"must name at most {_MOST_NEIGHBOURS} replicas")
    names = tuple(name for name in map(checked_name, parts) if name is not None)
    if len(names) < len(parts):
        raise ValueError("must be names joined by '|'")
    return names


def _one(text: str) -> tuple[str, ...]:
    name = checked_name(text)
    return () if name is None else (name,)


def finite(text: str) -> float | None:
    """Return a finite number, or None for nothing.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(value) or "_" in text:
        raise ValueError("must be a finite number")
    return value


def _degradation(text: str) -> float | None:
    value = finite(text)
    if value is not None and not -1 < value <= _MOST_DEGRADATION:
        raise ValueError(f"must be greater than -1 and at most {_MOST_DEGRADATION:,.0f}")
    return value


def _positive(text: str) -> float | None:
    value = finite(text)
    if value is not None and value <= 0:
        raise ValueError("must be greater than 0")
    return value


def _whole(text: str) -> int | None:
    if text and not re.fullmatch(r"\d{1,20}(\.0)?", text, re.ASCII):
        raise ValueError("must be a whole number of at least 0")
    return int(text.removesuffix(".0")) if text else None


def _truth(text: str) -> bool | None:
    if text not in ("", "true", "false"):
        raise ValueError("must be true or false")
    return text == "true" if text else None


def _loop(text: str) -> str | None:
    if text not in ("", "open", "closed"):
        raise ValueError("must be open or closed")
    return text or None


def _flags(text: str) -> tuple[str, ...]:
    words = tuple(text.split(";")) if text else ()
    if not all(re.fullmatch(r"[a-z0-9_]{1,40}", word) for word in words):
        raise ValueError("must be words of a-z, 0-9 and _ joined by ';'")
    return words


def _windows(text: str) -> str | None:
    try:
        data = json.loads(text) if text else []
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("must be valid JSON") from None
    if not isinstance(data, list) or not all(isinstance(window, dict) for window in data):
        raise ValueError("must be a JSON list of windows")
    return text or None


COLUMNS: dict[str, Callable[[str], Any]] = {
    "machine_type": checked_name,
    "victim": checked_name,
    "neighbours": _neighbours,
    "run": _whole,
    "seed": _whole,
    "loop": _loop,
    "offered_rps": _positive,
    "samples": _whole,
    "solo_samples": _whole,
    **dict.fromkeys(_LATENCIES, _positive),
    **{f"solo_{name}": _positive for name in _LATENCIES},
    "degradation": _degradation,
    "degradation_p50": _degradation,
    "degradation_p99": _degradation,
    "stable": _truth,
    "flags": _flags,
    "flag": _flags,
    "windows": _windows,
    "host": checked_name,
}

SIMPLE_COLUMNS: dict[str, Callable[[str], Any]] = {
    **{name: COLUMNS[name] for name in ("machine_type", "victim", "run", "degradation", "flags")},
    "aggressor": _one,
    "flag": _flags,
    "solo_ms": _positive,
    "solo_steps_per_s": _positive,
}

PARSERS = COLUMNS | SIMPLE_COLUMNS
