"""How a solve is going: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from planner.integers import PPM
from planner.report.text import console, number, percent
from planner.result import Progress

_BETWEEN_LINES = 5.0
_LONG_LOADING = 3.0


class Watch:
    """Shows incumbent, bound, gap and time left on stderr while it is entered.

    Parameters
    ----------
    time_limit
        Seconds that the solve may take.
    what
        What is being solved, in words; begins the line.
    """

    def __init__(self, time_limit: float, what: str) -> None:
        self._limit, self._what = time_limit, what
        self._now: Progress | None = None
        self._began = self._printed = 0.0
        self._shown: tuple[int | None, int | None] = (None, None)
        self._terminal = sys.stderr.isatty()
        self._entered = time.monotonic()
        self._patience = threading.Timer(_LONG_LOADING, self._print_if_loading)
        self._patience.daemon = True

    def __enter__(self) -> Watch:
        if self._terminal:
            from rich.live import Live
            from rich.text import Text

            self._live = Live(
                console=console(stderr=True),
                transient=True,
                refresh_per_second=4,
                redirect_stdout=False,
                get_renderable=lambda: Text(self.line(), no_wrap=True, overflow="ellipsis"),
            )
            self._live.start()
        else:
            self._patience.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patience.cancel()
        if self._terminal:
            self._live.stop()

    def __call__(self, now: Progress) -> None:
        """Take the progress of a solve."""
        if self._now is None:
            self._began = time.monotonic() - now.seconds
        self._now = now
        values = (now.objective, now.bound)
        due = now.seconds - self._printed >= _BETWEEN_LINES or self._shown == (None, None)
        if not self._terminal and values != self._shown and due:
            self._shown, self._printed = values, now.seconds
            print(self.line(), file=sys.stderr, flush=True)

    def _print_if_loading(self) -> None:
        if self._now is None:
            print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """Return the line as it is now."""
        if self._now is None:
            long = time.monotonic() - self._entered >= _LONG_LOADING
            why = "; the first use after an installation compiles for about a minute" if long else ""
            return f"{self._what}: loading{why}"
        now = self._now
        left = max(0.0, self._limit - (time.monotonic() - self._began))
        incumbent = "none yet" if now.objective is None else number(now.objective / PPM)
        parts = [f"incumbent {incumbent}"]
        if now.bound is not None:
            parts.append(f"bound {number(now.bound / PPM)}")
            if now.objective:
                parts.append(f"gap {percent((now.objective - now.bound) / now.objective)}")
        note = f"  {now.note}" if now.note else ""
        return f"{self._what}: {'  '.join(parts)}  {left:.0f} s left{note}"
