"""What things may be called."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

from planner.errors import InputError

LONGEST = 200
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"  # C0, DEL, C1, separators of lines and paragraphs
_TURNS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of text around
_UNSEEN = r"\u200b\u2060\ufeff\ufff9-\ufffb"  # characters without width
_NEVER = _CONTROLS + _TURNS + _UNSEEN
_PATTERN = rf"^[^\s{_NEVER}]([^{_NEVER}]*[^\s{_NEVER}])?$"

#: Text that a terminal does not obey and that a person reads as it is.
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, pattern=_PATTERN)]


def check_name(name: str, field: str) -> None:
    """Refuse what is not a :data:`Name` and did not pass through a form that says so.

    Raises
    ------
    InputError
        Naming ``field``, the rule and the name.
    """
    if not 1 <= len(name) <= LONGEST or not re.match(_PATTERN[:-1] + r"\Z", name):
        rule = f"must have 1 to {LONGEST} characters, no space at its ends, and no control characters"
        raise InputError(rule, field=field, value=name)
