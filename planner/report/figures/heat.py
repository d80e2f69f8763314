"""The heat map of a machine type: what a replica of each model adds to the latency of each other."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from planner.instance import Instance
from planner.report.drawing.palette import degree
from planner.report.drawing.shapes import Blocks, Drawing, Text, name_text, width
from planner.report.figures.figure import NARROW, Figure, stem

Floats = NDArray[np.float64]

_PANEL = 470.0  # pixels; two beside each other on a wide page
MOST, MOST_NARROW = 30, 14  # models on a wide and on a narrow page
_CORNER = 56.0  # pixels that say which side is which
_NUMBERS = 26.0  # pixels of a cell that has room for its value


def heat(instance: Instance, k: int, case: str) -> Figure | None:
    """Return the map of machine type ``k``; None if no model runs there."""
    values = instance.degradation[k]
    order = _worst(values)
    if not order:
        return None
    names, machine_type = [m.name for m in instance.models], instance.machine_types[k].name
    there = len(order)
    return Figure(
        name=stem(case, "heat-map", k + 1, machine_type),
        title=f"Degradation by pair on {machine_type}",
        wide=_draw(values, names, order[:MOST], _PANEL),
        narrow=_draw(values, names, order[:MOST_NARROW], NARROW),
        columns=("machine_type", "victim", "aggressor", "degradation"),
        rows=[
            (machine_type, names[t], names[u], float(values[t, u]))
            for t in order[:MOST]
            for u in order[:MOST]
            if not np.isnan(values[t, u])
        ],
        notes=(_shown(there, MOST), _shown(there, MOST_NARROW)),
        scale=True,
    )


def _shown(there: int, most: int) -> str:
    return "" if there <= most else f"The {most} worst of {there:,} models, as victim and aggressor together."


def _worst(values: Floats) -> list[int]:
    """Return the models that meet any other, by the sum of their means as victim and as aggressor."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    means = [filled.sum(axis=i) / np.maximum(known.sum(axis=i), 1) for i in (0, 1)]
    order = np.argsort(-(means[0] + means[1]), kind="stable")
    return [t for t in order.tolist() if known[t].any()]


def _draw(values: Floats, names: list[str], order: list[int], room: float) -> Drawing:
    n = len(order)
    longest = max(width(names[t], 11.5) for t in order) + 10
    label = min(max(longest, _CORNER), 150.0 if room > NARROW else 100.0)
    side = min((room - label) / n, 44.0)
    size = max(8.0, min(11.5, side - 1.5))
    high = min(max(longest + 4, 34.0), 110.0)
    result = Drawing(room, high + n * side + 2)
    cells: dict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
    gap = 1.0 if side > 8 else 0.5
    for i, t in enumerate(order):
        for j, u in enumerate(order):
            if not np.isnan(values[t, u]):
                box = (label + j * side, high + i * side, side - gap, side - gap)
                cells[degree(float(values[t, u]))].append(box)
    result.add(*(Blocks(tuple(boxes), f"d{level}") for level, boxes in sorted(cells.items())))
    for i, t in enumerate(order):
        y = high + (i + 0.5) * side + size * 0.35
        result.add(name_text(label - 6, y, names[t], label - 8, size, anchor="end", fill="ink"))
        x = label + (i + 0.5) * side + size * 0.35
        result.add(name_text(x, high - 6, names[t], high - 8, size, upward=True, fill="ink"))
        if side >= _NUMBERS:
            result.add(*_numbers(values, order, i, (label, high, side)))
    result.add(Text(0, 12, "victim ↓", 11, fill="muted"), Text(0, 27, "beside →", 11, fill="muted"))
    return result


def _numbers(values: Floats, order: list[int], i: int, place: tuple[float, float, float]) -> list[Text]:
    """Return the values in row ``i`` in per cent."""
    left, top, side = place
    y = top + (i + 0.5) * side + 3.5
    row = [(j, float(values[order[i], u])) for j, u in enumerate(order) if not np.isnan(values[order[i], u])]
    return [
        Text(left + (j + 0.5) * side, y, f"{100 * v:.0f}", 10.5, "middle", f"t{degree(v)}") for j, v in row
    ]
