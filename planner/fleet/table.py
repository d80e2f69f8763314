"""A plan as a table: one row for each model of each group of machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.fleet.layout import Layout
from planner.writing import csv_text

COLUMNS = ("machine_type", "pinned", "group", "machines", "model", "replicas_on_each")


def plan_csv(plan: Layout) -> str:
    """Return the plan as CSV; ``pinned`` is empty for machines of no pinned entry."""
    return csv_text(_rows(plan), COLUMNS)


def index_csv(plan: Layout) -> str:
    """Return the same with a column more: the label that stands for the model in the files beside it."""
    rows = ({**row, "model_label": plan.model_labels[row["model"]]} for row in _rows(plan))
    return csv_text(rows, (*COLUMNS, "model_label"))


def _rows(plan: Layout) -> Iterator[dict[str, Any]]:
    for group in plan.groups:
        for model, replicas in group.models.items():
            values = (group.machine_type, group.pinned, group.label, group.machines, model, replicas)
            yield dict(zip(COLUMNS, values, strict=True))
