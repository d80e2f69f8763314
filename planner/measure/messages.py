"""What the harness and its worker processes say to each other over a pipe."""

from __future__ import annotations

from dataclasses import dataclass

from planner.measure.subject import Subject


@dataclass(frozen=True)
class Load:
    """Load a subject; answered by :class:`Ready` or :class:`Failed`.

    Attributes
    ----------
    onnx
        The exported file; None for a hog, and where torch runs the model.
    """

    subject: Subject
    onnx: str | None
    threads: int
    device: str
    seed: int


@dataclass(frozen=True)
class Pin:
    """Run on these cores from now on; answered by :class:`Done`."""

    cores: tuple[int, ...]


@dataclass(frozen=True)
class Drive:
    """Serve requests from ``start_ns`` to ``stop_ns``; answered by a trace or :class:`Failed`.

    Attributes
    ----------
    start_ns, stop_ns
        On CLOCK_MONOTONIC, which all processes of a host share.
    rate_rps
        Of an open loop; None for a closed one.
    seed
        Of the arrivals.
    """

    start_ns: int
    stop_ns: int
    rate_rps: float | None
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Weigh:
    """Say how much memory the process takes; answered by :class:`Weight`."""


@dataclass(frozen=True)
class Quit:
    """End; not answered."""


@dataclass(frozen=True)
class Done:
    """It was done."""


@dataclass(frozen=True)
class Ready:
    """Loaded, and one request served."""

    first_ms: float


@dataclass(frozen=True)
class Weight:
    """Memory of a process in MB: its proportional share now, the most it ever had, the accelerator's."""

    share_mb: float | None
    peak_mb: float | None
    device_mb: float | None


@dataclass(frozen=True)
class Failed:
    """It could not be done.

    Attributes
    ----------
    reason
        In words.
    memory
        Whether memory ran out, which says something of the co-location and not of the model.
    """

    reason: str
    memory: bool
