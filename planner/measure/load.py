"""Who used the cores while we measured: we, others, or the hypervisor. From /proc/stat and CPU clocks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_BUSY = ("user", "nice", "system", "irq", "softirq")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED in the clock ids that clock_getcpuclockid(3) makes


@dataclass(frozen=True)
class Reading:
    """What was used up to a moment, in seconds.

    Attributes
    ----------
    at
        The moment, on CLOCK_MONOTONIC.
    busy, stolen
        Of the cores that are asked about, together; None where /proc/stat cannot be read.
    busy_host, host_cores
        Of all cores of the host; how many it has.
    own
        By our own processes, on whatever core.
    """

    at: float
    busy: float | None
    stolen: float | None
    own: float
    busy_host: float = 0.0
    host_cores: int = 1


def read(cores: Sequence[int], processes: Iterable[int]) -> Reading:
    """Return a reading of cores, with the processes (by id) that are ours beside this one."""
    own = time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) + sum(map(cpu_seconds, processes))
    text = _stat()
    host = [int(line.split()[0][3:]) for line in text.splitlines() if re.match(r"cpu\d", line)]
    mine, every = parse_stat(text, cores), parse_stat(text, host)
    if mine is None or every is None:
        return Reading(time.monotonic(), None, None, own)
    busy, busy_host = (sum(times[name] for name in _BUSY) for times in (mine, every))
    return Reading(time.monotonic(), busy, mine["steal"], own, busy_host, len(host))


def shares(before: Reading, after: Reading, cores: int) -> tuple[float | None, float | None]:
    """Return the shares of the time of ``cores`` cores that were stolen, and that others used.

    The latter is the larger one of the shares of these cores and of the whole host: what runs on other
    cores does not take time from us but shares the memory.
    """
    passed, own = after.at - before.at, after.own - before.own
    available = passed * cores
    if None in (before.busy, after.busy, before.stolen, after.stolen) or available <= 0:
        return None, None
    stolen = (after.stolen or 0.0) - (before.stolen or 0.0)
    foreign = ((after.busy or 0.0) - (before.busy or 0.0) - own) / available
    elsewhere = (after.busy_host - before.busy_host - own) / (passed * after.host_cores)
    return max(0.0, stolen / available), max(0.0, foreign, elsewhere)


def parse_stat(text: str, cores: Sequence[int]) -> dict[str, float] | None:
    """Return the seconds of each kind in the text of /proc/stat, summed over cores.

    None if one of the cores is not there.
    """
    ticks = os.sysconf("SC_CLK_TCK")
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("cpu")}
    try:
        rows = [lines[f"cpu{core}"] for core in cores]
    except KeyError:
        return None
    return {name: sum(int(row[i]) for row in rows) / ticks for i, name in enumerate(_FIELDS)}


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process; 0 if it is gone."""
    try:
        return time.clock_gettime((~process << 3) | _PROCESS_CLOCK)
    except OSError:
        return 0.0


def _stat() -> str:
    try:
        return Path("/proc/stat").read_text(encoding="ascii")
    except OSError:
        return ""
