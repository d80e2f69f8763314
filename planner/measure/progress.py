"""How a profile is going: a bar on a terminal, a line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

_BETWEEN_LINES = 5.0


class Progress:
    """Shows what is being done and how long it will take, while it is entered."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._printed = -_BETWEEN_LINES
        self._stage = ""

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            from planner.report.text import console

            parts = (TextColumn("{task.description}", markup=False), BarColumn())
            self._bar = Progress(*parts, console=console(stderr=True), transient=True)
            self._task = self._bar.add_task("")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int, left_s: float | None, what: str) -> None:
        """Take where things are.

        Parameters
        ----------
        stage
            What is being done, in words.
        done, total
            Steps of it.
        left_s
            Seconds that it will still take; None if that is not known.
        what
            The step that begins now.
        """
        left = "" if left_s is None else f"{duration(left_s)} left"
        if self._bar is not None:
            text = f"{stage} {done}/{total}{left and ', ' + left}: {what}"  # a narrow terminal cuts its end
            self._bar.update(self._task, description=text, completed=done, total=total)
            return
        now = time.monotonic()
        if now - self._printed >= _BETWEEN_LINES or stage != self._stage:
            self._printed, self._stage = now, stage
            parts = [f"{stage} {done}/{total}", left, what]
            print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 6000 else f"{whole / 3600:.1f} h"
