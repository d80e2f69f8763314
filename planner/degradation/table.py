"""The measurements table: raw rows as they were measured, and the summaries that are derived from them.

The interval of a summary is a percentile bootstrap of the median over runs (Efron & Tibshirani, *An
Introduction to the Bootstrap*, 1993, chapter 13), seeded. With fewer than six runs it is simply the
range: for n runs the range covers the true median with probability 1 - 2^(1-n), 94 % for five and only
50 % for two, which is why fewer than :data:`LEAST_RUNS` runs never resolve an effect.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.degradation.rows import Measurement, read_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CENSORED = "clipped_to_solo"
EXCLUDING = frozenset({"steal", "foreign", "unstable", "died"})
LEAST_RUNS = 5
LEAST_PAIRS = 12  # to learn anything from
_RESAMPLES = 2000
_LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """What the runs of one victim beside the same neighbours on one machine type say together.

    Attributes
    ----------
    degradation
        Median over the runs that count; None if none does.
    lower, upper
        95 % interval of the median; None with fewer than two runs.
    p50, p99
        Medians of the degradation of the median latency and of p99; None where unknown.
    runs, used
        Runs in the table, and runs that count: stable, and without a flag of :data:`EXCLUDING`.
    flags
        How many runs carry each flag.
    censored
        The value was clipped at the solo rate: the truth is at most ``degradation``.
    resolved
        Whether the interval excludes 0; None where fewer than :data:`LEAST_RUNS` runs cannot say.
    """

    machine_type: str
    victim: str
    neighbours: tuple[str, ...]
    degradation: float | None
    lower: float | None
    upper: float | None
    p50: float | None
    p99: float | None
    runs: int
    used: int
    flags: Mapping[str, int]
    censored: bool
    resolved: bool | None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Directed pairs as arrays of one length N, for those who learn from them.

    Attributes
    ----------
    machine_types, models
        The K and T names that the indices stand for.
    k, v, u
        Index of the machine type, the victim and the aggressor, shape (N,).
    degradation
        Median over runs as measured, shape (N,), greater than -1.
    censored
        Where the truth is at most the value, shape (N,).
    """

    machine_types: tuple[str, ...]
    models: tuple[str, ...]
    k: Ints
    v: Ints
    u: Ints
    degradation: Floats
    censored: Bools

    def __len__(self) -> int:
        return int(self.k.size)

    @property
    def log_slowdown(self) -> Floats:
        """Log of co-located / solo latency, shape (N,)."""
        return np.log1p(self.degradation)

    def names(self) -> tuple[list[str], list[str], list[str]]:
        """Return machine types, victims and aggressors by name, each of length N."""
        types, models = self.machine_types, self.models
        return [types[i] for i in self.k], [models[i] for i in self.v], [models[i] for i in self.u]

    def take(self, where: Bools) -> Pairs:
        """Return the pairs where ``where`` (N,) is true; the names stay."""
        parts = (self.k, self.v, self.u, self.degradation, self.censored)
        return Pairs(self.machine_types, self.models, *(part[where] for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Table:
    """A measurements table.

    Attributes
    ----------
    path, sha256
        Where it was read from, and the hash of that file.
    rows
        Every row, in the file's order, flagged ones too.
    machine_types, models
        Names in it, sorted.
    """

    path: Path
    sha256: str
    rows: tuple[Measurement, ...]
    machine_types: tuple[str, ...]
    models: tuple[str, ...]

    @cached_property
    def summaries(self) -> tuple[Summary, ...]:
        """One summary for each machine type, victim and multiset of neighbours, in the file's order."""
        groups: dict[tuple[str, str, tuple[str, ...]], list[Measurement]] = defaultdict(list)
        for row in self.rows:
            groups[row.machine_type, row.victim, row.neighbours].append(row)
        return tuple(summarise(rows) for rows in groups.values())

    @cached_property
    def pairs(self) -> Pairs:
        """The summaries with one neighbour that have a value."""
        chosen = [s for s in self.summaries if len(s.neighbours) == 1 and s.degradation is not None]
        types = {name: i for i, name in enumerate(self.machine_types)}
        models = {name: i for i, name in enumerate(self.models)}
        return Pairs(
            self.machine_types,
            self.models,
            np.array([types[s.machine_type] for s in chosen], dtype=np.int64),
            np.array([models[s.victim] for s in chosen], dtype=np.int64),
            np.array([models[s.neighbours[0]] for s in chosen], dtype=np.int64),
            np.array([s.degradation for s in chosen], dtype=np.float64),
            np.array([s.censored for s in chosen], dtype=np.bool_),
        )

    @property
    def sets(self) -> tuple[Summary, ...]:
        """The summaries of three and more on one machine that have a value."""
        return tuple(s for s in self.summaries if len(s.neighbours) >= 2 and s.degradation is not None)


def read_table(path: str | Path) -> Table:
    """Return the measurements in a ``.csv`` or ``.parquet`` file of either form.

    Raises
    ------
    InputError
        Naming the file, the row, the column, the rule and what was found.
    """
    path = Path(path)
    rows = tuple(read_rows(path))
    models = {name for row in rows for name in row.colocated}
    types = {row.machine_type for row in rows}
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Table(path, digest, rows, tuple(sorted(types)), tuple(sorted(models)))


def summarise(rows: Sequence[Measurement]) -> Summary:
    """Return the summary of runs that share machine type, victim and neighbours."""
    used = [row for row in rows if counts(row)]
    values = np.array([row.degradation for row in used], dtype=np.float64)
    low, high = interval(values)
    resolved = None if low is None or high is None or len(used) < LEAST_RUNS else low > 0 or high < 0
    return Summary(
        rows[0].machine_type,
        rows[0].victim,
        rows[0].neighbours,
        float(np.median(values)) if used else None,
        low,
        high,
        _median(used, "degradation_p50"),
        _median(used, "degradation_p99"),
        len(rows),
        len(used),
        dict(Counter(flag for row in rows for flag in row.flags)),
        any(CENSORED in row.flags for row in used),
        resolved,
    )


def counts(row: Measurement) -> bool:
    """Return whether a run counts in its summary."""
    return row.stable and row.degradation is not None and not EXCLUDING & {*row.flags}


def interval(values: Floats, seed: int = 0) -> tuple[float | None, float | None]:
    """Return the 95 % bootstrap interval of the median of ``values`` (n,); None if n < 2."""
    if values.size < 2:
        return None, None
    draws = np.random.default_rng([seed, values.size]).integers(values.size, size=(_RESAMPLES, values.size))
    medians = np.median(values[draws], axis=1)
    low, high = np.quantile(medians, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def _median(rows: Sequence[Measurement], column: str) -> float | None:
    values = [float(row.values[column]) for row in rows if column in row.values]
    return float(np.median(values)) if values else None
