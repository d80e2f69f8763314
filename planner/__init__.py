"""Decides which inference models share which machines, with a proven gap.

>>> from planner import evaluate, load_instance, solve
>>> instance = load_instance("fleet.yaml")
>>> result = solve(instance, time_limit=60)
>>> result.plan.to_frame(instance)
>>> evaluate(instance, result.plan).to_frame()

What is asked is in :mod:`planner.instance`, the answer in :mod:`planner.plan` and :mod:`planner.result`,
what it means in :mod:`planner.evaluate`, files in :mod:`planner.files` and :mod:`planner.plan_files`, tables
and plots in :mod:`planner.frames` and :mod:`planner.plots`, solvers in :mod:`solvers`. Results and
evaluations hold objectives and degradations in parts per million (ppm), files and frames in their own units.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.evaluate import evaluate as evaluate
    from planner.files import load_instance as load_instance
    from planner.files import load_plan as load_plan
    from planner.instance import Instance as Instance
    from planner.plan import Plan as Plan
    from planner.plots import plot_degradation as plot_degradation
    from planner.plots import plot_history as plot_history
    from planner.plots import plot_latencies as plot_latencies
    from planner.result import Result as Result
    from solvers import solve as solve

_HOMES = {
    "Instance": "planner.instance",
    "Plan": "planner.plan",
    "Result": "planner.result",
    "evaluate": "planner.evaluate",
    "load_instance": "planner.files",
    "load_plan": "planner.files",
    "plot_degradation": "planner.plots",
    "plot_history": "planner.plots",
    "plot_latencies": "planner.plots",
    "solve": "solvers",
}
__all__ = list(_HOMES)


class _Package(ModuleType):
    """Keeps ``planner.evaluate`` the function: importing the module of that name would replace it."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that the command line starts fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
