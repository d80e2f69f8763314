"""Libraries that an extra of this distribution installs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from planner.errors import InputError


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


def require(*libraries: str, extra: str) -> None:
    """Refuse to begin what needs libraries that are not installed.

    Raises
    ------
    InputError
        Naming them and the extra they come with.
    """
    if missing := [name for name in libraries if find_spec(name) is None]:
        raise InputError(f"needs {' and '.join(missing)}: pip install 'interference-planner[{extra}]'")
