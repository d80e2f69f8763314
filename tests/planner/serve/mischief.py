"""Chores that no clerk should ever get."""

from __future__ import annotations

import os
import signal
import time

from planner.errors import InputError


def eat() -> int:
    return len(b"x" * 2**32)


def sleep() -> None:
    time.sleep(60)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> float:
    return 1 / 0


def refuse() -> None:
    raise InputError("must not be", field="f")


def pid() -> int:
    return os.getpid()
