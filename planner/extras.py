"""Libraries that an extra of this distribution installs."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(library: str, extra: str) -> Any:
    """Return a library that comes with an extra.

    Raises
    ------
    ModuleNotFoundError
        Naming the extra, if it is not installed.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError:
        how = f"pip install 'interference-planner[{extra}]' installs it"
        raise ModuleNotFoundError(f"{library} is not installed; {how}", name=library) from None
