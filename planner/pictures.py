"""Figures without the global state of pyplot, and what their files hold."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank(width: float, height: float) -> Figure:
    """Return a figure of this size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def encoded(figure: Figure, kind: str) -> bytes:
    """Return a figure as ``svg`` or ``png``, the same whenever it is drawn."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else {})
    return stream.getvalue()
