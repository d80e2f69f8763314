"""Picks a solver by the instance's size, says which and why, and runs it.

* At most 100,000 feasible patterns, however many replicas: ``cpsat``, whose formulation over patterns does
  not grow with their number.
* No more than 60 replicas: ``cpsat`` too, over machines.
* Up to 20 million replicas: ``local_search``, which improves a greedy plan until the time is up.
* More: ``greedy``, the only one that never looks at a single replica.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module

from planner.instance import Instance
from solvers.compact import MOST_PATTERNS
from solvers.run import Outcome, Run
from solvers.sifting import listed

_PROVABLE = 60
_MOVABLE = 20_000_000


def solve(instance: Instance, run: Run) -> Outcome:
    """Solve with the solver that suits the size of the instance."""
    n = instance.replicas
    patterns = listed(instance.compiled, MOST_PATTERNS)
    if patterns is not None:
        choice, why = "cpsat", f"{len(patterns):,} patterns are few enough to plan with all of them"
    elif n <= _PROVABLE:
        choice, why = "cpsat", f"{n} replicas are few enough to prove an optimum"
    elif n <= _MOVABLE:
        choice, why = "local_search", f"{n:,} replicas are too many to prove an optimum"
    else:
        choice, why = "greedy", f"{n:,} replicas are too many to move one by one"
    outcome: Outcome = import_module(f"solvers.{choice}").solve(instance, run)
    note = f"picked {choice}: {why}" + (f"; {outcome.note}" if outcome.note else "")
    return dataclasses.replace(outcome, note=note)
