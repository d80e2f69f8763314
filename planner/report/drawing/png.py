"""Drawings as PNG, for slides and documents that take no SVG."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from planner.report.drawing.palette import COLOURS
from planner.report.drawing.shapes import ISOLATED, Blocks, Dots, Drawing, Line, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_INCH = 100.0  # pixels of a drawing
_DOTS = 200  # of the picture, for each inch
_FONT = "DejaVu Sans"  # comes with matplotlib
_NARROWER = 0.9  # of a size in the drawing, as that font is wide
_UNSEEN = {ord(mark): None for mark in ISOLATED}  # the font has no glyphs for these
_ALIGN = {"start": "left", "middle": "center", "end": "right"}


def png(drawing: Drawing) -> bytes:
    """Return the drawing on a light ground, two dots of the picture to a pixel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (drawing.width / _PER_INCH, drawing.height / _PER_INCH)
    figure = Figure(figsize=size, dpi=_DOTS, facecolor=_colour("surface"))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.axis("off")
    for order, shape in enumerate(drawing.shapes):
        if isinstance(shape, Blocks):
            _blocks(axes, shape, order)
        elif isinstance(shape, Line):
            _line(axes, shape, order)
        elif isinstance(shape, Dots):
            _dots(axes, shape, order)
        else:
            _text(axes, shape, order)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")  # a name in a script no font here has
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _colour(role: str | None) -> str:
    return "none" if role is None else COLOURS[role][0]


def _points(pixels: float) -> float:
    return pixels * 72 / _PER_INCH


def _look(stroke: str | None, dashed: bool, width: float) -> dict[str, Any]:
    thick = _points(width) if stroke else 0.0
    return {"edgecolor": _colour(stroke), "linewidth": thick, "linestyle": (0, (4, 3)) if dashed else "-"}


def _blocks(axes: Axes, shape: Blocks, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    look = {"facecolor": _colour(shape.fill), "zorder": order, **_look(shape.stroke, shape.dashed, 1.0)}
    if not shape.radius:
        boxes = [
            Path.unit_rectangle().transformed(Affine2D().scale(w, h).translate(x, y))
            for x, y, w, h in shape.blocks
        ]
        axes.add_patch(PathPatch(Path.make_compound_path(*boxes), **look))
        return
    for x, y, w, h in shape.blocks:
        round_off = f"round,pad=0,rounding_size={min(shape.radius, w / 2, h / 2)}"
        axes.add_patch(FancyBboxPatch((x, y), w, h, boxstyle=round_off, **look))


def _line(axes: Axes, shape: Line, order: int) -> None:
    from matplotlib.patches import Polygon

    look = _look(shape.stroke, shape.dashed, shape.width)
    closed = shape.fill is not None
    line = Polygon(shape.points, closed=closed, facecolor=_colour(shape.fill), zorder=order, **look)
    line.set(alpha=shape.opacity, joinstyle="round", fill=closed)
    axes.add_patch(line)


def _dots(axes: Axes, shape: Dots, order: int) -> None:
    from matplotlib.patches import Circle

    look = {"facecolor": _colour(shape.fill), "alpha": shape.opacity, **_look(shape.stroke, False, 1.0)}
    for point in shape.points:
        axes.add_patch(Circle(point, shape.radius, zorder=order, **look))


def _text(axes: Axes, shape: Text, order: int) -> None:
    drawn = axes.text(
        shape.x,
        shape.y,
        shape.text.translate(_UNSEEN),
        fontsize=_points(shape.size * _NARROWER),
        fontfamily=_FONT,
        fontweight="bold" if shape.bold else "normal",
        color=_colour(shape.fill),
        ha=_ALIGN[shape.anchor],
        va="baseline",
        rotation=90 if shape.upward else 0,
        rotation_mode="anchor",
        zorder=order,
    )
    drawn.set_parse_math(False)  # a name is no formula
