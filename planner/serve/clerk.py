"""A process that does chores for another one: what reads untrusted input, or is slow, or may crash.

The other end is :func:`serve`. A chore is a function of :mod:`planner.serve.chores`; it gets and returns
plain data. The process has a limit on its memory, is killed if a chore takes too long, and ends with its
parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from typing import Any

from planner.errors import InputError

_TICK = 0.1
_PDEATHSIG = 1
_START_S = 60.0
_BOOT = "import sys; sys.path[:] = {path!r}; from planner.serve.clerk import serve; serve({pipe}, {memory})"
#: Threads of libraries would reserve memory that counts against the limit.
_FRUGAL = {
    **{name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX")},
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


class ChoreError(Exception):
    """A chore was not done: it took too long, ran out of memory, or was not wanted any more."""


class Clerk:
    """A process that does one chore at a time; others wait.

    Parameters
    ----------
    memory_mb
        Most memory that it may allocate.
    """

    def __init__(self, memory_mb: int) -> None:
        self._memory = memory_mb
        self._turn = threading.Lock()
        # Linux ends a process with the thread that began it: this one lives as long as it has to.
        self._beginner = ThreadPoolExecutor(1, "clerk")
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def ask(self, chore: str, *arguments: Any, seconds: float, stop: Callable[[], bool] | None = None) -> Any:
        """Have a chore done.

        Parameters
        ----------
        chore
            Name of a function in :mod:`planner.serve.chores`.
        seconds
            Most time for it, from when it is its turn.
        stop
            Asked ten times a second; once true, the chore is abandoned.

        Raises
        ------
        InputError
            As the chore does.
        ChoreError
            If there is no answer; it says why.
        """
        with self._turn:
            pipe = self._beginner.submit(self._started).result()
            try:
                pipe.send((chore, arguments))
                deadline = time.monotonic() + seconds
                while not pipe.poll(_TICK):
                    if time.monotonic() > deadline:
                        raise ChoreError(f"took longer than {seconds:g} s")
                    if stop is not None and stop():
                        raise ChoreError("was not wanted any more")
                kind, value = pipe.recv()
            except ChoreError:
                self._end()
                raise
            except (EOFError, OSError):
                self._end()
                raise ChoreError(f"ended its process; it may need more than {self._memory} MB") from None
        if kind == "answer":
            return value
        raise value if isinstance(value, InputError) else ChoreError(value)

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()
        self._beginner.shutdown()

    def _started(self) -> Connection:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._pipe is None:
            ours, theirs = Pipe()
            path = [entry or os.getcwd() for entry in sys.path]
            with theirs:
                boot = _BOOT.format(path=path, pipe=theirs.fileno(), memory=self._memory)
                self._process = subprocess.Popen(
                    [sys.executable, "-c", boot],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=os.environ | _FRUGAL,
                    start_new_session=True,
                )
            self._pipe = ours
            if not ours.poll(_START_S) or ours.recv() != "ready":
                self._end()
                raise ChoreError("could not be begun")
        return self._pipe

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._pipe = self._process = None


def die_with_parent() -> None:
    """Have this process killed when its parent ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        os._exit(1)


def serve(descriptor: int, memory_mb: int) -> None:
    """Do chores until the other end closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = Connection(descriptor)
    chores = importlib.import_module("planner.serve.chores")
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20,) * 2)
    pipe.send("ready")
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, arguments = pipe.recv()
            try:
                answer = ("answer", getattr(chores, name)(*arguments))
            except InputError as error:
                answer = ("error", error)
            except MemoryError:
                answer = ("error", f"needs more than {memory_mb} MB")
            except Exception as error:  # whatever it is, the other end is to know and to go on
                answer = ("error", f"failed: {type(error).__name__}: {error}")
            pipe.send(answer)
