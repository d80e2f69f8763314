"""Errors that a person can act on: each names the file, the field, the rule and the value found."""

from __future__ import annotations

from typing import Any


class PlannerError(Exception):
    """Base of every error that this project raises on purpose."""


class InputError(PlannerError):
    """Bad input: a file, a field or a flag that breaks a rule.

    Parameters
    ----------
    rule
        What must hold, in words, e.g. ``"must be greater than 0"``.
    field
        Where it stands, e.g. ``models[2].slo_ms``; empty for a whole file.
    value
        What was found there; shown shortened.
    file
        The file it came from; empty for input that did not come from a file.
    """

    def __init__(self, rule: str, *, field: str = "", value: Any = None, file: str = "") -> None:
        self.rule, self.field, self.value, self.file = rule, field, value, file
        super().__init__(rule)

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.field) if part)
        found = "" if self.value is None else f", found {shorten(self.value)}"
        return f"{where}: {self.rule}{found}" if where else f"{self.rule}{found}"

    def in_file(self, file: str) -> InputError:
        """Return the same error, said of ``file``."""
        return InputError(self.rule, field=self.field, value=self.value, file=file)


class SolverError(PlannerError):
    """A solver broke its contract: a plan that the checker refuses, or an impossible bound."""


def shorten(value: Any, limit: int = 60) -> str:
    """Return ``repr(value)`` on one line of at most ``limit`` characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of 5,000 digits has no repr
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= limit else text[: limit - 3] + "..."
