"""Names fit where they stand, axes have round numbers, and a degradation has one colour."""

from __future__ import annotations

import random

import pytest

from planner.report.drawing import palette
from planner.report.drawing.png import png
from planner.report.drawing.shapes import Blocks, Drawing, Line, Text, fit, ticks, width
from planner.report.drawing.svg import document, inline


@pytest.mark.parametrize("name", ["x" * 200, "W" * 200, "大規模" * 60, "מודל " * 40, "a", ""])
@pytest.mark.parametrize("room", [12, 60, 190])
def test_names_fit(name: str, room: float) -> None:
    shown = fit(name, room, 12)
    assert width(shown, 12) <= room
    assert shown == name or "…" in shown


@pytest.mark.parametrize("seed", range(30))
def test_ticks_are_round_and_few(seed: int) -> None:
    rng = random.Random(seed)
    low = rng.choice((0.0, rng.uniform(-5, 5) * 10 ** rng.randint(-6, 6)))
    high = low + rng.uniform(0.1, 5) * 10 ** rng.randint(-6, 6)
    span = high - low
    found = ticks(low, high, 5)
    assert len(found) <= 6
    assert all(low - span / 1e6 <= t <= high + span / 1e6 for t in found)


def test_classes_of_degradation() -> None:
    assert [palette.degree(x) for x in (0, 0.0099, 0.01, 0.05, 0.1999, 0.2, 1.99, 2.0, 50)] == [
        0,
        0,
        1,
        2,
        3,
        4,
        6,
        7,
        7,
    ]
    words = [text for _, _, text in palette.legend()]
    assert (len(words), words[0], words[4], words[-1]) == (8, "below 1 %", "20 to 50 %", "200 % or more")


@pytest.mark.parametrize("level", range(8))
@pytest.mark.parametrize("ground", [0, 1])
def test_text_on_a_colour_can_be_read(level: int, ground: int) -> None:
    """The contrast of WCAG 2.1 between text and tile, at least 4.5 for small text."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted(
        (luminance(palette.COLOURS[f"{role}{level}"][ground]) for role in "dt"), reverse=True
    )
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_what_a_drawing_holds_is_escaped() -> None:
    drawing = Drawing(
        50,
        50,
        [Text(0, 10, "<b>&", whole='"<i>'), Blocks(((0, 0, 5, 5),), "d0"), Line(((0, 0), (5, 5)), "ink")],
    )
    for text in (inline(drawing, "<a>"), document(drawing, "<a>")):
        assert "&lt;b&gt;&amp;" in text
        assert "<b>" not in text
        assert "<i>" not in text
        assert "<a>" not in text
    assert png(drawing).startswith(b"\x89PNG")
