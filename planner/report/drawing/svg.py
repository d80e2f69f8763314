"""Drawings as SVG: colours are CSS classes, so that the reader's screen decides between light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from planner.report.drawing.palette import style
from planner.report.drawing.shapes import Blocks, Dots, Drawing, Line, Shape, Text

_ANCHORS = {"start": "", "middle": ' text-anchor="middle"', "end": ' text-anchor="end"'}


def inline(drawing: Drawing, alt: str, *, kind: str = "") -> str:
    """Return an ``svg`` element for a page that has :func:`~.palette.style`.

    Parameters
    ----------
    drawing
        What to show.
    alt
        What it shows, in words, for those who do not see it.
    kind
        CSS class of the element.
    """
    size = f'viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}"'
    head = f'<svg class="{escape(kind)}" {size} role="img" aria-label="{escape(alt)}">'
    return head + "".join(map(_shape, drawing.shapes)) + "</svg>"


def document(drawing: Drawing, alt: str) -> str:
    """Return a whole SVG file, with the colours that it needs."""
    w, h = _n(drawing.width), _n(drawing.height)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
    ground = f'<rect width="{w}" height="{h}" class="f-surface"/>'
    body = "".join(map(_shape, drawing.shapes))
    return f"{head}<title>{escape(alt)}</title><style>{style()}</style>{ground}{body}</svg>\n"


def _n(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def _shape(shape: Shape) -> str:
    if isinstance(shape, Blocks):
        return _blocks(shape)
    if isinstance(shape, Line):
        return _line(shape)
    if isinstance(shape, Dots):
        dots = f'r="{_n(shape.radius)}"{_paint(shape.fill, shape.stroke)}{_opacity(shape.opacity)}'
        return "".join(f'<circle cx="{_n(x)}" cy="{_n(y)}" {dots}/>' for x, y in shape.points)
    return _text(shape)


def _paint(fill: str | None, stroke: str | None) -> str:
    classes = [f"f-{fill}" if fill else "none", *([f"k-{stroke}"] if stroke else [])]
    return f' class="{" ".join(classes)}"'


def _opacity(value: float) -> str:
    return "" if value == 1.0 else f' opacity="{value:g}"'


def _dash(dashed: bool) -> str:
    return ' stroke-dasharray="4 3"' if dashed else ""


def _blocks(shape: Blocks) -> str:
    look = _paint(shape.fill, shape.stroke) + _dash(shape.dashed)
    if shape.radius:
        corner = f'rx="{_n(shape.radius)}"'
        boxes = (
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" {corner}{look}/>'
            for x, y, w, h in shape.blocks
        )
        return "".join(boxes)
    path = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z" for x, y, w, h in shape.blocks)
    return f'<path d="{path}"{look}/>'


def _line(shape: Line) -> str:
    path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in shape.points)
    thick = f' stroke-width="{_n(shape.width)}" stroke-linejoin="round"' if shape.stroke else ""
    look = _paint(shape.fill, shape.stroke) + thick + _dash(shape.dashed) + _opacity(shape.opacity)
    return f'<path d="{path}"{look}/>'


def _text(shape: Text) -> str:
    return "".join(_text_parts(shape))


def _text_parts(shape: Text) -> Iterator[str]:
    turn = f' transform="rotate(-90 {_n(shape.x)} {_n(shape.y)})"' if shape.upward else ""
    bold = ' font-weight="600"' if shape.bold else ""
    place = f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}"'
    yield f'{place} class="f-{shape.fill}"{_ANCHORS[shape.anchor]}{bold}{turn}>'
    if shape.whole is not None:
        yield f"<title>{escape(shape.whole)}</title>"
    yield escape(shape.text) + "</text>"
