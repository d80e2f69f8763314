"""One window: several workers driven at the same time, and who else used their cores meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from planner.measure import load as usage
from planner.measure.messages import Drive
from planner.measure.ping import ping
from planner.measure.pool import Pool, Worker
from planner.measure.windows import Window, counted

_START_NS = 3_000_000  # from the order to the first request, so that every process has its order by then


@dataclass(frozen=True)
class Actor:
    """A worker and the load it gets.

    Attributes
    ----------
    rate_rps
        Of an open loop; None for a closed one.
    seed
        Of its arrivals.
    """

    worker: Worker
    rate_rps: float | None
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Timing:
    """Seconds of a window, of the lead that is driven before it and of the tail behind it."""

    lead_s: float
    window_s: float
    tail_s: float

    @property
    def whole_s(self) -> float:
        """Seconds that are driven."""
        return self.lead_s + self.window_s + self.tail_s


class Driver:
    """Drives windows on the cores of one machine type and adds up how long.

    Attributes
    ----------
    driven_s, counted_s
        Seconds in which workers were driven, and those of them that windows of rows cover.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.driven_s = self.counted_s = 0.0

    def window(
        self,
        actors: Sequence[Actor],
        phase: str,
        timing: Timing,
        cores: tuple[int, ...],
        *,
        half: int = 0,
        began: float = 0.0,
    ) -> list[Window]:
        """Drive actors through one window; return what each did, in their order.

        Parameters
        ----------
        actors, phase, timing
            Who, what it is called, how long.
        cores
            Of the machine type.
        half
            Part of the arrivals' seed: 0 or 1, the first or second window of a condition.
        began
            Moment on CLOCK_MONOTONIC from which the window's start is counted.

        Raises
        ------
        WorkerDiedError
            If one of the workers died.
        """
        probing = phase != "warmup" and len(cores) > 1
        first = ping(cores[:2]) if probing else None  # type: ignore[arg-type]
        before = usage.read(cores, self._pool.processes)
        start = time.monotonic_ns() + _START_NS
        begin = start + int(timing.lead_s * 1e9)
        end = begin + int(timing.window_s * 1e9)
        stop = end + int(timing.tail_s * 1e9)
        orders = [Drive(start, stop, a.rate_rps, (*a.seed, half)) for a in actors]
        traces = self._pool.drive([a.worker for a in actors], orders)
        self.driven_s += time.monotonic() - start / 1e9
        self.counted_s += timing.window_s if phase != "warmup" else 0.0
        steal, foreign = usage.shares(before, usage.read(cores, self._pool.processes), len(cores))
        second = ping(cores[:2]) if probing else None  # type: ignore[arg-type]
        windows = []
        for trace in traces:
            latencies, cpu_s, late = counted(trace, begin, end, stop)
            at = begin / 1e9 - began
            pings = (first, second)
            windows.append(Window(phase, at, timing.window_s, latencies, late, cpu_s, steal, foreign, pings))
        return windows
