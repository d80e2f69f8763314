"""The machine and the versions that a measurement was made with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("interference-planner", "highspy", "ortools", "pyomo", "numpy", "numba")


def fingerprint() -> dict[str, Any]:
    """Return cores, processor, memory, load, kernel and versions, for a JSON document."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
    }


def in_words(machine: dict[str, Any]) -> str:
    """Return a fingerprint in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, load before the run "
        f"{machine['load'][0]}, Python {machine['python']}, {versions}; {machine['date']}"
    )


def _field(path: Path, name: str) -> str:
    """Return the first value of a field of a file of ``name : value`` lines; empty if there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
