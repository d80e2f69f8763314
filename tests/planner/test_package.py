"""What ``import planner`` offers, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys

import planner


def test_every_name_is_what_it_says() -> None:
    """``planner.evaluate`` is a function and a module; the package offers the function."""
    code = "import planner.evaluate\nfrom planner import *\n"
    code += "from planner import evaluate as again\nprint(*(callable(x) for x in (evaluate, again, solve)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True True True\n"


def test_every_name_is_offered_for_completion() -> None:
    assert {*planner.__all__} <= {*dir(planner)}
