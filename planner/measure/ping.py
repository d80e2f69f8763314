"""How long a cache line takes from one core to another, by two threads that pass a number to and fro.

On a virtual machine this tells in a millisecond whether the hypervisor has just moved the two virtual
CPUs apart, to different last-level caches: the interference between them changes with it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_ROUNDS = 200
_BLOCKS = 5
_PATIENCE = 500_000  # looks at the line before one gives up: a few milliseconds


@intrinsic  # type: ignore[untyped-decorator]
def _load(context: Any, line: Any) -> Any:
    """Return the first number of an array, read from memory and not from a register."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(data, "acquire", 8)

    return types.int64(line), code


@intrinsic  # type: ignore[untyped-decorator]
def _store(context: Any, line: Any, value: Any) -> Any:
    """Write the first number of an array to memory."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        builder.store_atomic(arguments[1], data, "release", 8)
        return context.get_dummy_value()

    return types.void(line, types.int64), code


@njit("boolean(int64[::1], int64, int64, int64)", nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _pass(line: Any, first: int, rounds: int, patience: int) -> bool:
    """Wait for every second number from ``first`` on and answer with the next one; False: nobody came."""
    for i in range(rounds):
        expected = first + 2 * i
        looks = 0
        while _load(line) != expected:
            looks += 1
            if looks > patience:
                return False
        _store(line, expected + 1)
    return True


def ping(cores: tuple[int, int]) -> float | None:
    """Return the ns that a cache line takes from one of two cores to the other.

    The least of the means of a few blocks of 400 transfers; None if the two threads never ran at the
    same time.
    """
    line = np.zeros(16, dtype=np.int64)
    found: list[float] = []

    def answer() -> None:
        os.sched_setaffinity(threading.get_native_id(), {cores[1]})
        _pass(line, 1, _ROUNDS * _BLOCKS, 20 * _PATIENCE)

    def ask() -> None:
        os.sched_setaffinity(threading.get_native_id(), {cores[0]})
        for block in range(_BLOCKS):
            began = time.perf_counter_ns()
            if _pass(line, 2 * _ROUNDS * block, _ROUNDS, _PATIENCE):
                found.append((time.perf_counter_ns() - began) / (2 * _ROUNDS))

    threads = [threading.Thread(target=target) for target in (answer, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return min(found, default=None)
