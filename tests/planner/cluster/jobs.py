"""Jobs for pools, by name, as a process of another host would find them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from planner.errors import InputError


def double(number: int) -> int:
    return 2 * number


def cores() -> list[int]:
    """Return the cores that the job may use."""
    return sorted(os.sched_getaffinity(0))


def wait(folder: Path, name: str) -> str:
    """Note that the job has begun and who its owner is, and end when there is a file ``go``."""
    (folder / f"{name}.{os.getpid()}").write_text(str(os.getppid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    return name


def begun(folder: Path, name: str) -> list[tuple[int, int]]:
    """Return process and owner of each start of a job that :func:`wait` does."""
    found = ((path, path.read_text()) for path in folder.glob(f"{name}.*"))
    return [(int(path.suffix[1:]), int(text)) for path, text in found if text]


def refuse() -> None:
    raise InputError("must be better", field="it")


def fail() -> None:
    raise ZeroDivisionError("no")


def die() -> None:
    """Kill the process that does the job."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(folder: Path) -> str:
    """Kill the process the first time."""
    if not (folder / "died").exists():
        (folder / "died").touch()
        die()
    return "alive"


def kill_owner() -> None:
    """Kill the process that gave out the job."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def quick_piece(*arguments: Any) -> Any:
    """Measure a piece, but do not wait or repeat until a busy host has settled, which it never does."""
    from planner.measure import profile, runner
    from planner.measure.piece import measure_piece

    vars(runner)["MOST_TRIES"] = 3
    vars(profile)["MOST_REPEATS"] = 1
    return measure_piece(*arguments)


def quick_execute_piece(*arguments: Any) -> Any:
    """Likewise, for a piece of a validation."""
    from planner.measure import runner
    from planner.measure.piece import execute_piece

    vars(runner)["MOST_TRIES"] = 3
    return execute_piece(*arguments)
