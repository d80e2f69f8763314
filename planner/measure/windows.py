"""The arithmetic of the protocol: pure functions from traces of requests to what a row says.

A *window* is driven with a lead before it and a tail behind it, by every process of the co-location. A
request counts if it was meant to be sent in the window; it must be finished before the tail ends, while
every neighbour is still driven. Latency is from the intended send time, so that a server which falls
behind cannot hide it (coordinated omission, Tene 2013); in a closed loop that is when the request began.

A solo and a co-located condition are compared in the order solo, co-located, co-located, solo (ABBA),
which cancels every drift that is linear in time. The mean latency of a condition is the mean of the
means of its windows; quantiles are of their pooled latencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import comb

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AGREE = 1.1
LAST = 3
MOST_TRIES = 10
FOREIGN = 0.15
STEAL = 0.03
LATE = 0.01
_CONFIDENCE = 0.99
_LEAST_MEDIAN = 5
#: The quantiles of a row.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, eq=False)
class Trace:
    """What one process did while it was driven; arrays of shape (N,), one entry a request.

    Attributes
    ----------
    arrival_ns
        Intended send time, on the clock that all processes share.
    done_ns
        When it was finished; 0 if it never was served.
    cpu_ns
        CPU time of the process while it was served.
    """

    arrival_ns: Ints
    done_ns: Ints
    cpu_ns: Ints


@dataclass(frozen=True, eq=False)
class Window:
    """What one process did in one window.

    Attributes
    ----------
    phase
        ``solo`` or ``colocated``; ``warmup`` where nothing counts.
    start_s, seconds
        Since the run began; length.
    latencies_ms
        Of the requests that count, shape (N,).
    late
        Requests of the window that were unfinished when the tail ended.
    cpu_s
        CPU time that the counted requests took.
    steal, foreign
        Share of the time of the machine's cores that the hypervisor took, and that processes other than
        ours used; None where it cannot be read.
    ping_ns
        Cache-line transfer between two of the cores, before and behind the window; None likewise.
    """

    phase: str
    start_s: float
    seconds: float
    latencies_ms: Floats = field(repr=False)
    late: int
    cpu_s: float
    steal: float | None = None
    foreign: float | None = None
    ping_ns: tuple[float | None, float | None] = (None, None)

    @property
    def samples(self) -> int:
        """Requests that count."""
        return int(self.latencies_ms.size)

    @cached_property
    def mean_ms(self) -> float | None:
        """Mean latency; None without samples."""
        return float(np.mean(self.latencies_ms)) if self.samples else None

    @property
    def throughput_rps(self) -> float:
        """Requests of the window a second."""
        return self.samples / self.seconds

    @property
    def flags(self) -> tuple[str, ...]:
        """What spoils it: ``steal``, ``foreign``, ``overload``."""
        spoiled = {
            "steal": self.steal is not None and self.steal > STEAL,
            "foreign": self.foreign is not None and self.foreign > FOREIGN,
            "overload": self.late > LATE * (self.samples + self.late),
        }
        return tuple(word for word, true in spoiled.items() if true)

    @property
    def disturbed(self) -> bool:
        """Whether something from outside spoiled it, so that repeating it may help."""
        return bool({"steal", "foreign"} & {*self.flags})

    def document(self, *, used: bool) -> dict[str, object]:
        """Return it as the JSON of a row, without the single latencies."""
        median, p95 = (
            float(np.quantile(self.latencies_ms, q)) if self.samples else None for q in (0.5, 0.95)
        )
        numbers: dict[str, float | None] = {
            "start_s": self.start_s,
            "seconds": self.seconds,
            "mean_ms": self.mean_ms,
            "p50_ms": median,
            "p95_ms": p95,
            "throughput_rps": self.throughput_rps,
            "cpu_s": self.cpu_s,
            "steal": self.steal,
            "foreign": self.foreign,
        }
        rounded = {name: None if v is None else float(f"{v:.6g}") for name, v in numbers.items()}
        pings = [None if p is None else round(p, 1) for p in self.ping_ns]
        counts = {"samples": self.samples, "late": self.late}
        return {"phase": self.phase, **rounded, **counts, "ping_ns": pings, "flags": self.flags, "used": used}


def poisson(seed: Sequence[int], rate_rps: float, seconds: float) -> Ints:
    """Return the arrivals of a Poisson process in ns, shape (N,).

    A longer process with the same seed and rate begins with the same arrivals.
    """
    rng = np.random.default_rng(seed)
    gaps: list[Floats] = []
    reached = 0.0
    while reached < seconds:
        gaps.append(rng.exponential(1 / rate_rps, size=256))
        reached += float(gaps[-1].sum())
    times = np.cumsum(np.concatenate(gaps))
    arrivals: Ints = (times[times < seconds] * 1e9).astype(np.int64)
    return arrivals


def counted(trace: Trace, begin_ns: int, end_ns: int, stop_ns: int) -> tuple[Floats, float, int]:
    """Return the latencies in ms that count, their CPU seconds, and how many requests were late.

    Parameters
    ----------
    trace
        Of one process.
    begin_ns, end_ns
        The window.
    stop_ns
        Until when every neighbour was driven.
    """
    meant = (trace.arrival_ns >= begin_ns) & (trace.arrival_ns < end_ns)
    good = meant & (trace.done_ns > 0) & (trace.done_ns <= stop_ns)
    latencies: Floats = (trace.done_ns[good] - trace.arrival_ns[good]) / 1e6
    return latencies, float(trace.cpu_ns[good].sum()) / 1e9, int(meant.sum() - good.sum())


def tail_probability(n: int, most: int, p: float) -> float:
    """Return the probability of at most ``most`` successes among n with probability p each."""
    return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(min(most, n) + 1)))


def least_samples(q: float) -> int:
    """Return how many samples the q-quantile needs to be reported.

    For the median 5, whose range covers it with 94 %. Above it so many that the second largest of
    them is over the quantile with 99 % confidence: 64 for p90, 130 for p95 and 662 for p99.
    """
    if q <= 0.5:
        return _LEAST_MEDIAN
    n = 1
    while tail_probability(n, 1, 1 - q) > 1 - _CONFIDENCE:
        n += 1
    return n


_NEEDED = {q: least_samples(q) for q in QUANTILES.values()}


def quantile(latencies_ms: Floats, q: float) -> float | None:
    """Return the q-quantile of ``latencies_ms`` (N,); None if there are too few for it."""
    needed = _NEEDED.get(q) or least_samples(q)
    return float(np.quantile(latencies_ms, q)) if latencies_ms.size >= needed else None


def meets(latencies_ms: Floats, limit_ms: float, q: float = 0.99) -> bool | None:
    """Return whether the q-quantile of what was sampled is at most a limit, with 99 % confidence.

    An exact binomial test on how many are over: for p99 it says yes from 459 samples if none is over
    and from 662 if one is. None if the samples allow neither answer.
    """
    n, over = int(latencies_ms.size), int(np.count_nonzero(latencies_ms > limit_ms))
    if n and tail_probability(n, over, 1 - q) <= 1 - _CONFIDENCE:
        return True
    if over and 1 - tail_probability(n, over - 1, 1 - q) <= 1 - _CONFIDENCE:
        return False
    return None


def settled(windows: Sequence[Window]) -> bool:
    """Return whether the last three windows agree within 10 % in throughput and in mean latency."""
    last = windows[-LAST:]
    if len(last) < LAST:
        return False
    means = [w.mean_ms for w in last if w.mean_ms is not None]
    rates = [w.throughput_rps for w in last]
    return len(means) == LAST and max(means) <= AGREE * min(means) and _rates_agree(last, rates)


def _rates_agree(last: Sequence[Window], rates: Sequence[float]) -> bool:
    """Return whether throughputs agree; one request more or less at the edge of a window is no change."""
    edge = max(1 / w.seconds for w in last)
    return max(rates) <= max(AGREE * min(rates), min(rates) + edge)


@dataclass(frozen=True)
class Condition:
    """Several windows of one process under the same condition: None where nothing can be said."""

    samples: int
    mean_ms: float | None
    quantiles_ms: dict[str, float | None]


def condition(windows: Sequence[Window]) -> Condition:
    """Return what windows of one condition say together."""
    pooled = np.concatenate([w.latencies_ms for w in windows]) if windows else np.zeros(0)
    means = [w.mean_ms for w in windows if w.mean_ms is not None]
    quantiles = {name: quantile(pooled, q) for name, q in QUANTILES.items()}
    return Condition(int(pooled.size), float(np.mean(means)) if means else None, quantiles)


def degradation(colocated_ms: float | None, solo_ms: float | None) -> float | None:
    """Return co-located / solo - 1 as measured; None if one of them is unknown."""
    return None if colocated_ms is None or not solo_ms else colocated_ms / solo_ms - 1
