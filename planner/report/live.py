"""How a solve is going, on stderr: a view that changes on a terminal, or lines for people or programs."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from planner.integers import PPM
from planner.plan_files import exact, inline
from planner.report.sparkline import sparkline
from planner.report.text import console, number, percent, plain
from planner.result import Progress

_BETWEEN_LINES = 5.0
_BETWEEN_JSON_LINES = 0.5
_LONG_LOADING = 3.0
_LOADING = "loading; the first use after an installation compiles for about a minute"
_POINTS = 1000  # at most, of a curve
_NARROW, _WIDE = 8, 20  # characters of a curve


class Watch:
    """Takes the progress of a solve, and shows nothing of it.

    Parameters
    ----------
    instance, solver
        What they are called.
    time_limit
        Seconds that the solve may take.
    which
        Which solve of several this is, in words.
    """

    def __init__(self, instance: str, solver: str, time_limit: float, which: str = "") -> None:
        self._instance, self._solver, self._limit = instance, solver, time_limit
        self._what = plain(f"{which}  {instance} ({solver})" if which else f"{instance} ({solver})")
        self._now: Progress | None = None
        self._began, self._note = 0.0, ""
        self._points: list[tuple[float, Progress]] = []

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, now: Progress) -> None:
        """Take how far a solve is."""
        if self._now is None:
            self._began = time.monotonic() - now.seconds
        self._note = now.note or self._note
        last = self._points[-1] if self._points else None
        if last is not None and now.seconds - last[0] < self._limit / _POINTS:
            self._points[-1] = (last[0], now)
        elif last is None or (now.objective, now.bound) != (last[1].objective, last[1].bound):
            self._points.append((now.seconds, now))
        self._now = now

    @property
    def left(self) -> str:
        """The time that is left, in words."""
        return f"{max(0.0, self._limit - (time.monotonic() - self._began)):.0f} s left"

    def numbers(self) -> list[str]:
        """Return incumbent, bound and gap, as far as they are known."""
        if self._now is None:
            return []
        objective, bound, gap = self._now.objective, self._now.bound, self._now.gap
        parts = [f"incumbent {'none yet' if objective is None else number(objective / PPM)}"]
        parts += [] if bound is None else [f"bound {number(bound / PPM)}"]
        return parts + ([] if gap is None else [f"gap {percent(gap)}"])

    def line(self) -> str:
        """Return all of it in one line."""
        if self._now is None:
            return f"{self._what}: {_LOADING}"
        parts = [*self.numbers(), self.left, plain(self._note)]
        return f"{self._what}: {'  '.join(part for part in parts if part)}"


class Lines(Watch):
    """Prints a line when something has changed, but few of them."""

    between = _BETWEEN_LINES

    def __init__(self, instance: str, solver: str, time_limit: float, which: str = "") -> None:
        super().__init__(instance, solver, time_limit, which)
        self._shown: tuple[int | None, int | None] = (None, None)
        self._printed = 0.0
        self._patience = threading.Timer(_LONG_LOADING, self._loading)
        self._patience.daemon = True

    def __enter__(self) -> Lines:
        self._patience.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patience.cancel()

    def __call__(self, now: Progress) -> None:
        """Take how far a solve is."""
        super().__call__(now)
        due = now.seconds - self._printed >= self.between or self._shown == (None, None)
        if (now.objective, now.bound) != self._shown and due:
            self._print(now)

    def _print(self, now: Progress) -> None:
        self._shown, self._printed = (now.objective, now.bound), now.seconds
        print(self.line(), file=sys.stderr, flush=True)

    def _loading(self) -> None:
        if self._now is None:
            print(self.line(), file=sys.stderr, flush=True)


class JsonLines(Lines):
    """Prints a JSON object in a line when something has changed, at most two a second, and the last state."""

    between = _BETWEEN_JSON_LINES

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._now is not None and (self._now.objective, self._now.bound) != self._shown:
            self._print(self._now)

    def line(self) -> str:
        """Return how far a solve is; ``seconds`` is null while the solver is still loaded."""
        now = self._now or Progress(0.0, None, None)
        gap = now.gap
        document = {
            "instance": self._instance,
            "solver": self._solver,
            "seconds": None if self._now is None else round(now.seconds, 3),
            "objective": exact(now.objective),
            "bound": exact(now.bound),
            "gap": None if gap is None else round(gap, 9),
            "note": _LOADING if self._now is None else self._note,
        }
        return inline(document)


class View(Watch):
    """Two lines on a terminal that change and disappear at the end."""

    def __enter__(self) -> View:
        from rich.live import Live
        from rich.text import Text

        shown = console(stderr=True)
        curves = shown.encoding.lower().startswith("utf")
        self._entered = time.monotonic()
        self._live = Live(
            console=shown,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            get_renderable=lambda: Text(
                "\n".join(self.lines(shown.width, curves=curves)), no_wrap=True, overflow="ellipsis"
            ),
        )
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def lines(self, width: int, *, curves: bool) -> list[str]:
        """Return the lines as they are now; with a curve of the gap, or the incumbent, if there is room."""
        if self._now is None:
            long = time.monotonic() - self._entered >= _LONG_LOADING
            return [self.line() if long else f"{self._what}: loading"]
        first = f"{self._what}  {self.left}"
        what = "incumbent" if self._now.gap is None else "gap"
        room = min(width - len(first) - len(f"  {what} "), _WIDE)
        if curves and room >= _NARROW and (curve := self._curve(room)):
            first += f"  {what} {curve}"
        return [first, "  ".join(["", *self.numbers(), plain(self._note)]).rstrip()]

    def _curve(self, width: int) -> str:
        points, gap = [*self._points], self._now is not None and self._now.gap is not None
        values = [(seconds, p.gap if gap else p.objective) for seconds, p in points]
        known = [(seconds, float(value)) for seconds, value in values if value is not None]
        until = time.monotonic() - self._began
        return sparkline([seconds for seconds, _ in known], [value for _, value in known], until, width)


def watch(how: str, instance: str, solver: str, time_limit: float, which: str = "") -> Watch:
    """Return what shows the progress of a solve while it is entered.

    Parameters
    ----------
    how
        ``json``, ``plain``, ``none``, or ``auto``: a view on a terminal, else none.
    instance, solver, time_limit, which
        As in :class:`Watch`.
    """
    kinds = {"json": JsonLines, "plain": Lines, "none": Watch, "auto": View if sys.stderr.isatty() else Watch}
    return kinds[how](instance, solver, time_limit, which)


@contextlib.contextmanager
def counting(how: str, total: int) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that takes each solve (instance, solver) that is done, of several at once.

    Parameters
    ----------
    how
        As in :func:`watch`; in lines, one for each solve.
    total
        How many there are.
    """
    done = 0
    with contextlib.ExitStack() as stack:
        status = None
        if how == "auto" and sys.stderr.isatty():
            status = stack.enter_context(console(stderr=True).status(f"0 of {total} done"))

        def count(instance: str, solver: str) -> None:
            nonlocal done
            done += 1
            if status is not None:
                status.update(f"{done} of {total} done")
            elif how == "json":
                document = {"instance": instance, "solver": solver, "done": done, "of": total}
                print(inline(document), file=sys.stderr, flush=True)
            elif how == "plain":
                print(plain(f"{done} of {total} done: {instance} ({solver})"), file=sys.stderr, flush=True)

        yield count
