"""A drawing: shapes in pixels from the top left corner, coloured by role (see :mod:`.palette`)."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Literal

#: What stands before and after a name in a longer text, so that its direction is its own.
ISOLATED = ("\u2068", "\u2069")

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Blocks:
    """Filled rectangles ``(x, y, width, height)`` of one colour, with round corners if ``radius``."""

    blocks: tuple[tuple[float, float, float, float], ...]
    fill: str | None = None
    stroke: str | None = None
    radius: float = 0.0
    dashed: bool = False

    def moved(self, dx: float, dy: float) -> Blocks:
        """Return it elsewhere."""
        return replace(self, blocks=tuple((x + dx, y + dy, w, h) for x, y, w, h in self.blocks))


@dataclass(frozen=True)
class Line:
    """A line through points, or the area within them if there is a ``fill``."""

    points: tuple[Point, ...]
    stroke: str | None = None
    width: float = 1.0
    dashed: bool = False
    fill: str | None = None
    opacity: float = 1.0

    def moved(self, dx: float, dy: float) -> Line:
        """Return it elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Dots:
    """Filled circles of one colour."""

    points: tuple[Point, ...]
    radius: float
    fill: str
    stroke: str | None = None
    opacity: float = 1.0

    def moved(self, dx: float, dy: float) -> Dots:
        """Return it elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Text:
    """A line of text; ``y`` is its base line, ``whole`` what it says where it was cut."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: Anchor = "start"
    fill: str = "ink"
    bold: bool = False
    upward: bool = False
    whole: str | None = None

    def moved(self, dx: float, dy: float) -> Text:
        """Return it elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Shape = Blocks | Line | Dots | Text


@dataclass
class Drawing:
    """Shapes on a ground of ``width`` x ``height`` pixels, later ones above earlier ones."""

    width: float
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw shapes above what is there."""
        self.shapes += shapes

    def place(self, other: Drawing, dx: float, dy: float) -> None:
        """Draw another drawing with its corner at ``(dx, dy)``."""
        self.shapes += (shape.moved(dx, dy) for shape in other.shapes)


def name_text(
    x: float,
    y: float,
    name: str,
    room: float,
    size: float = 12.0,
    *,
    anchor: Anchor = "start",
    fill: str = "ink",
    bold: bool = False,
    upward: bool = False,
) -> Text:
    """Return a name cut to ``room`` pixels, with all of it to be seen where the pointer rests."""
    shown = fit(name, room, size)
    return Text(x, y, shown, size, anchor, fill, bold, upward, None if shown == name else name)


def fit(text: str, room: float, size: float) -> str:
    """Return ``text``, its middle left out if it is wider than ``room`` pixels."""
    if width(text, size) <= room:
        return text
    kept = len(text)
    while kept > 1:
        kept -= 1
        head = -(-2 * kept // 3)
        short = text[:head].rstrip() + "…" + text[len(text) - (kept - head) :]
        if width(short, size) <= room:
            return short
    return "…"


def width(text: str, size: float) -> float:
    """Return about how wide a text is, in pixels; rather too wide than too narrow."""
    return size * sum(map(_em, text))


def _em(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "iIl.,:;|!'()[]tfjr ":
        return 0.36
    if character in "mwMW@%…—":
        return 1.0
    return 0.72 if character.isupper() else 0.6


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers from ``low`` to ``high``, 1, 2 or 5 times a power of ten apart.

    About ``most`` of them, and never more than one above that.
    """
    least = ((high - low) or 1.0) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= least * 0.999999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
