"""What a page is made of: plain data that the template only lays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from planner.report.figures.figure import Figure

Tone = Literal["", "good", "bad", "muted"]


@dataclass(frozen=True)
class Fact:
    """One number of the answer: what it is, the number, what to know beside it.

    ``data`` are attributes by which a program finds the exact value on the page.
    """

    label: str
    value: str
    beside: str
    tone: Tone = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What was found for one instance.

    Attributes
    ----------
    label, headline
        The instance, and the outcome in a sentence or two.
    status
        In words.
    facts
        The numbers, the most important first.
    checked, proof
        The checker has recomputed them; what it was checked against, or that it was not.
    remarks
        What the solver says, reasons why there is no plan.
    """

    label: str
    headline: str
    status: str
    tone: Tone
    facts: Sequence[Fact]
    checked: bool
    proof: str
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """One cell of a table; a ``name`` comes from a file and may be anything."""

    text: str
    tone: Tone = ""
    name: bool = False
    strong: bool = False
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table; on a narrow page each row becomes a card with its first cells on top.

    ``left`` counts the first columns, which hold text; the others hold numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    left: int = 1
    note: str = ""


@dataclass(frozen=True)
class Drawn:
    """A figure in a block, under a heading of its own if ``heading``.

    Its notes stand below it unless the block says for all of its figures what they say (``noted``).
    """

    figure: Figure
    heading: str = ""
    beside: str = ""
    noted: bool = True


@dataclass(frozen=True)
class Block:
    """A heading and what stands under it.

    With ``pairs``, figures and the table after them stand two beside each other on a wide page. With
    ``scale``, the classes of degradation are explained above the figures.
    """

    anchor: str
    heading: str
    intro: str = ""
    figures: Sequence[Drawn] = ()
    pairs: bool = False
    scale: bool = False
    table: Table | None = None


@dataclass(frozen=True)
class Chapter:
    """All blocks about one instance; ``answer`` repeated at its top where there are several."""

    label: str
    blocks: Sequence[Block]
    answer: Answer | None = None


@dataclass(frozen=True)
class Page:
    """A page: the answer or a table of answers, a chapter for each instance, what concerns all of them."""

    title: str
    answer: Answer | None
    overview: Table | None
    chapters: Sequence[Chapter]
    blocks: Sequence[Block]
    made_by: str
    sources: Sequence[str]

    def figures(self) -> list[Figure]:
        """Return every figure on it."""
        every = [block for chapter in self.chapters for block in chapter.blocks] + [*self.blocks]
        return [drawn.figure for block in every for drawn in block.figures]
