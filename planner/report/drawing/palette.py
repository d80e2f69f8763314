"""Colours by what they mean, each for a light and a dark screen.

A drawing names a role; which colour that is, the reader's screen decides. The scale of degradations is
the same in every figure of every report, so that a colour always means the same. It is told from light to
dark, not by hue alone, and figures print the value beside the colour where there is room.
"""

from __future__ import annotations

from itertools import pairwise

#: Role -> colour on a light and on a dark ground.
COLOURS: dict[str, tuple[str, str]] = {
    "page": ("#f6f6f3", "#13161b"),
    "surface": ("#ffffff", "#1b1f26"),
    "ink": ("#1b2028", "#e9ebee"),
    "muted": ("#565f6d", "#a7afbb"),
    "line": ("#c9ced6", "#454d59"),
    "grid": ("#e6e8ec", "#2b313a"),
    "accent": ("#2358a8", "#82b2ff"),
    "tint": ("#dde7f6", "#24344f"),
    "good": ("#16734a", "#62d197"),
    "bad": ("#b3261e", "#ff8078"),
    # degradation, from the least class to the worst
    "d0": ("#eef3ee", "#232a2c"),
    "d1": ("#fdf0cf", "#3a3222"),
    "d2": ("#fbdc9c", "#57431f"),
    "d3": ("#f8bd67", "#7d561d"),
    "d4": ("#ef9140", "#98601a"),
    "d5": ("#d95f2b", "#d98324"),
    "d6": ("#ad3526", "#f5a94c"),
    "d7": ("#6f1626", "#ffd79a"),
    # text on these
    "t0": ("#1b2028", "#e9ebee"),
    "t1": ("#1b2028", "#f1e9d8"),
    "t2": ("#1b2028", "#f8ecd2"),
    "t3": ("#1b2028", "#fff6e6"),
    "t4": ("#1b2028", "#fffaf2"),
    "t5": ("#1b1008", "#191206"),
    "t6": ("#ffffff", "#191206"),
    "t7": ("#ffffff", "#191206"),
    # one for each solver
    "s0": ("#2358a8", "#82b2ff"),
    "s1": ("#c7620f", "#ffab5e"),
    "s2": ("#16734a", "#62d197"),
    "s3": ("#8146b8", "#cba0f5"),
    "s4": ("#8a6d00", "#e5c54f"),
    "s5": ("#b8324f", "#ff93a8"),
    "s6": ("#1f7f96", "#70cade"),
    "s7": ("#565f6d", "#b4bbc6"),
}
SERIES = 8

#: Lower ends of the classes of degradation.
CLASSES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def degree(degradation: float) -> int:
    """Return the class of a degradation, from 0 to 7."""
    return sum(degradation >= low for low in CLASSES[1:])


def legend() -> list[tuple[str, str, str]]:
    """Return ``(role, role of text on it, words)`` of each class of degradation."""
    ends = [f"{100 * low:g}" for low in CLASSES]
    words = [f"below {ends[1]} %", *(f"{a} to {b} %" for a, b in pairwise(ends[1:]))]
    words.append(f"{ends[-1]} % or more")
    return [(f"d{i}", f"t{i}", text) for i, text in enumerate(words)]


def style() -> str:
    """Return the CSS that gives every role its colour, and the classes that shapes use."""
    light = "".join(f"--{role}:{colours[0]};" for role, colours in COLOURS.items())
    dark = "".join(f"--{role}:{colours[1]};" for role, colours in COLOURS.items())
    fills = "".join(f".f-{role}{{fill:var(--{role})}}" for role in COLOURS)
    strokes = "".join(f".k-{role}{{stroke:var(--{role})}}" for role in COLOURS)
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"svg text{{font-family:{FONTS};font-variant-numeric:tabular-nums}}"
        f".none{{fill:none}}{fills}{strokes}"
    )


FONTS = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"
