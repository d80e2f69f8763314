"""Numbers and names as people read them, and the consoles that they are printed on."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 150  # where there is no terminal to ask


def console(*, stderr: bool = False) -> Console:
    """Return a console for plain text: no markup, nothing guessed from names."""
    from rich.console import Console

    class Quiet(Console):
        """Ends without a word when the reader has gone."""

        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Quiet(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def show(parts: Iterable[Table | str]) -> None:
    """Print tables and lines on stdout."""
    out = console()
    for part in parts:
        out.print(part, soft_wrap=isinstance(part, str))


def plain(text: object) -> str:
    """Return text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def number(value: Decimal | float | None, digits: int = 6) -> str:
    """Return a number with at most ``digits`` decimals; a dash for none."""
    if value is None:
        return "-"
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None) -> str:
    """Return a share as a percentage of three digits that is 0 only if the share is."""
    if share is None:
        return "-"
    return f"{100 * share:.3g} %"


def slowdown(degradation: float) -> str:
    """Return a degradation as a percentage."""
    return f"{100 * degradation:,.1f} %"


def promised(probability: float) -> str:
    """Say what a plan made for a probability of keeping SLOs shows."""
    share = percent(probability)
    return f"each SLO promised with {share}: degradations and latencies are their {share} quantiles"


def milliseconds(value: float | None) -> str:
    """Return a latency in ms."""
    return "-" if value is None else f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def count(n: int, what: str) -> str:
    """Return ``1 machine`` or ``12,000 machines``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def cell(value: Any) -> str:
    """Return any value as the text of a table's cell."""
    return "-" if value is None else f"{value:,}" if type(value) is int else plain(value)
