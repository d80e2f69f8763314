"""Why an instance is infeasible: which constraints, relaxed alone, make it feasible, and by how much."""

from __future__ import annotations

from planner.infeasible import obstacles
from planner.instance import Instance
from solvers.run import Run


def explain(instance: Instance, run: Run) -> tuple[str, ...]:
    """Return reasons, in words, why ``instance`` has no plan; it must have been proven that it has none."""
    return obstacles(instance) or ("no plan meets all rules at once",)
