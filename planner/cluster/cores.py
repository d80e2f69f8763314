"""Which cores of this host are taken, known to all processes on it, and which cores threads run on.

A core is taken by binding a socket to a name in Linux's abstract namespace: the kernel gives a name to one
process at a time, and takes it back when that process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Collection, Iterator

_TICK = 0.05


def _taken(core: int) -> socket.socket | None:
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0interference-planner-core-{core}")
    except OSError:
        name.close()
        return None
    return name


@contextlib.contextmanager
def one_core(cores: Collection[int]) -> Iterator[int]:
    """Wait until one of ``cores`` is free, take it and yield it."""
    while True:
        for core in sorted(cores):
            if (name := _taken(core)) is not None:
                with name:
                    yield core
                return
        time.sleep(_TICK)


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """Wait until every core of this host is free, and take them all."""
    with contextlib.ExitStack() as stack:
        for core in range(os.cpu_count() or 1):
            while (name := _taken(core)) is None:
                time.sleep(_TICK)
            stack.enter_context(name)
        yield


@contextlib.contextmanager
def out_of_the_way(busy: Collection[int]) -> Iterator[None]:
    """Keep all threads of this process off the cores in ``busy`` meanwhile, if it may use any other."""
    allowed = os.sched_getaffinity(0)
    spare = allowed - {*busy}
    _pin_threads(spare or allowed)
    try:
        yield
    finally:
        _pin_threads(allowed)


def _pin_threads(cores: Collection[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):  # it may have ended
            os.sched_setaffinity(int(thread), cores)
