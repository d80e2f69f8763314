"""The rows of a measurements table as ``planner profile`` writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from planner.measure.windows import QUANTILES, Condition, Window, condition, degradation

COLUMNS = (
    *("machine_type", "victim", "neighbours", "run", "seed", "loop", "offered_rps", "samples"),
    *("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms"),
    *("solo_samples", "solo_mean_ms", "solo_p50_ms", "solo_p90_ms", "solo_p95_ms", "solo_p99_ms"),
    *("degradation", "degradation_p50", "degradation_p99", "stable", "flags", "windows", "host"),
)


@dataclass(frozen=True, eq=False)
class Taken:
    """A window and whether it counts: one that was disturbed and repeated does not."""

    window: Window
    used: bool


@dataclass(frozen=True, eq=False)
class Row:
    """What one run says of one victim.

    Attributes
    ----------
    neighbours
        Names of the other replicas on the machine, sorted.
    run, seed
        Number of the run; seed of its arrivals and of the placement on cores.
    offered_rps
        In an open loop; None in a closed one.
    stable
        Whether every warm-up settled.
    marks
        Flags from outside its windows: ``died``, ``died_neighbour``.
    taken
        Its windows, in the order of time.
    """

    machine_type: str
    victim: str
    neighbours: tuple[str, ...]
    run: int
    seed: int
    loop: str
    offered_rps: float | None
    stable: bool
    marks: tuple[str, ...]
    taken: Sequence[Taken]
    host: str

    def of(self, phase: str) -> Condition:
        """Return what the windows of a phase that count say together."""
        return condition([t.window for t in self.taken if t.used and t.window.phase == phase])

    @property
    def colocated(self) -> Condition:
        """With its neighbours; nothing where a process died."""
        return condition([]) if self.marks else self.of("colocated")

    @property
    def solo(self) -> Condition:
        """Alone."""
        return self.of("solo")

    @property
    def degradation(self) -> float | None:
        """Of the mean latency; None where it is not known."""
        return degradation(self.colocated.mean_ms, self.solo.mean_ms)

    @property
    def steady(self) -> bool:
        """Whether it settled: a queue that only grows has not."""
        return self.stable and "overload" not in self.window_flags

    @property
    def window_flags(self) -> set[str]:
        """Flags of the windows that count."""
        return {flag for t in self.taken if t.used for flag in t.window.flags}

    @property
    def flags(self) -> tuple[str, ...]:
        """Everything that is to be known about the row, sorted."""
        words = {*self.marks, *self.window_flags}
        words |= set() if self.steady else {"unstable"}
        if self.degradation is None and not self.marks:
            words.add("no_samples")
        return tuple(sorted(words))

    def cells(self) -> list[str]:
        """Return the texts of its columns; what is unknown is empty."""
        together, alone = self.colocated, self.solo
        p50, p99 = (degradation(together.quantiles_ms[q], alone.quantiles_ms[q]) for q in ("p50", "p99"))
        windows = json.dumps([t.window.document(used=t.used) for t in self.taken], separators=(",", ":"))
        return [
            *(self.machine_type, self.victim, "|".join(self.neighbours), str(self.run), str(self.seed)),
            *(self.loop, _text(self.offered_rps)),
            *_condition(together),
            *_condition(alone),
            *map(_text, (self.degradation, p50, p99)),
            *("true" if self.steady else "false", ";".join(self.flags), windows, self.host),
        ]


def _condition(c: Condition) -> list[str]:
    numbers = (c.mean_ms, *(c.quantiles_ms[name] for name in QUANTILES))
    return [str(c.samples), *map(_text, numbers)]


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"
