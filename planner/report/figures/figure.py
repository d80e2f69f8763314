"""What a figure is, on a page and as files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.report.drawing import palette
from planner.report.drawing.shapes import Blocks, Drawing, Text, name_text, width
from planner.report.text import plain

WIDE, NARROW = 960.0, 352.0  # pixels


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes
    ----------
    name
        Stem of its files.
    title
        What it shows; its heading.
    wide, narrow
        Drawn for pages of 960 and 352 pixels.
    columns, rows
        Its data.
    notes
        What a reader must know, such as what is not shown: on a wide page and on a narrow one.
    scale
        Its colours are classes of degradation.
    """

    name: str
    title: str
    wide: Drawing
    narrow: Drawing
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: tuple[str, str] = ("", "")
    scale: bool = False

    def csv(self) -> str:
        """Return its data as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([plain(v) if isinstance(v, str) else v for v in row] for row in self.rows)
        return text.getvalue()

    def framed(self) -> Drawing:
        """Return the wide drawing with its title, its notes and its scale of colours, to stand alone."""
        edge = 16.0
        result = Drawing(self.wide.width + 2 * edge)
        result.add(name_text(edge, 30, self.title, self.wide.width, 17, bold=True))
        top = 46.0
        if self.scale:
            scale = scale_of(self.wide.width)
            result.place(scale, edge, top)
            top += scale.height + 8
        result.place(self.wide, edge, top)
        top += self.wide.height + 8
        for line in wrapped(self.notes[0], self.wide.width, 12):
            result.add(Text(edge, top + 12, line, 12, fill="muted"))
            top += 17
        result.height = top + edge
        return result


def scale_of(room: float) -> Drawing:
    """Return the classes of degradation, each as a square of its colour and words."""
    result = Drawing(room, 20.0)
    x, y = 0.0, 0.0
    for fill, _, words in palette.legend():
        wide = 22 + width(words, 11) + 10
        if x + wide > room:
            x, y = 0.0, y + 20
        result.add(
            Blocks(((x, y + 2, 14, 14),), fill, "line", 3), Text(x + 20, y + 13, words, 11, fill="muted")
        )
        x += wide
    result.height = y + 20
    return result


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Return a text in lines of at most ``room`` pixels."""
    lines: list[str] = []
    for word in text.split():
        if lines and width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def stem(*parts: str | int) -> str:
    """Return a file's stem made of these words, with nothing in it but letters, digits and dashes."""
    words = (re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-")[:40] for part in parts)
    return "-".join(word for word in words if word)
