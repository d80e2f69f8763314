"""A process of its own, within limits, that does one job after the other for the process that it belongs to.

It dies with its owner, whatever happens to that one: a thread of it waits for the
end of a socket that only its owner holds. What a job started is then on its own, and ends likewise (see
:mod:`solvers.nursery` and :mod:`planner.measure.worker`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from typing import Any

from planner.errors import PlannerError

_BOOT = "import sys; sys.path[:] = {path!r}; from planner.seat import serve; serve({pipe}, {life})"


class ProcessLostError(PlannerError):
    """The process that did a job ended before the job did."""


class Seat:
    """The owner's side.

    Parameters
    ----------
    cores
        That the process may use; None for those of its owner.
    memory_mb
        Most memory that it may allocate for data.
    environment
        Variables besides the owner's.
    """

    def __init__(
        self,
        cores: Iterable[int] | None = None,
        *,
        memory_mb: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.pipe, pipe = Pipe()
        self._life, life = socket.socketpair()
        path = [entry or os.getcwd() for entry in sys.path]
        quiet = None if os.environ.get("PLANNER_DEBUG") else subprocess.DEVNULL
        with pipe, life:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(path=path, pipe=pipe.fileno(), life=life.fileno())],
                pass_fds=[pipe.fileno(), life.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=quiet,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # so that Ctrl-C on the terminal reaches only the owner
            )
        self._send((None if cores is None else sorted(cores), memory_mb))

    def begin(
        self, function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any]
    ) -> None:
        """Have a job done; that the process is dead shows in the answer."""
        self._send((function, arguments, keywords))

    def answer(self) -> Any:
        """Wait for the job's answer and return it.

        Raises
        ------
        ProcessLostError
            If the process is dead.
        BaseException
            That the job raised.
        """
        try:
            good, value = self.pipe.recv()
        except (EOFError, OSError):
            raise ProcessLostError(f"its process was {self._end()}") from None
        if not good:
            raise value
        return value

    def close(self) -> None:
        """End the process, and with it what the job started."""
        self._life.close()
        self.pipe.close()
        self.process.kill()
        self.process.wait()

    def _send(self, message: object) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(message)

    def _end(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "lost"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def serve(pipe: int, life: int) -> None:
    """Do the jobs that come over a pipe until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = socket.socket(fileno=life)
    threading.Thread(target=_die_with, args=(owner,), daemon=True).start()
    with Connection(pipe) as line, contextlib.suppress(EOFError, OSError):
        cores, memory_mb = line.recv()
        if cores is not None:
            os.sched_setaffinity(0, cores)
        if memory_mb is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20,) * 2)
        while True:
            line.send_bytes(_answer(line))


def _die_with(owner: socket.socket) -> None:
    with contextlib.suppress(OSError):
        owner.recv(1)
    os._exit(1)


def _answer(line: Connection) -> Any:
    """Do the next job and return the pickle of what came of it."""
    from multiprocessing.reduction import ForkingPickler

    message = line.recv_bytes()
    try:
        function, arguments, keywords = ForkingPickler.loads(message)
        return ForkingPickler.dumps((True, function(*arguments, **keywords)))
    except Exception as error:  # whatever it is, the owner is to know
        return _as_pickle(error)


def _as_pickle(error: Exception) -> Any:
    from multiprocessing.reduction import ForkingPickler

    try:
        data = ForkingPickler.dumps((False, error))
        ForkingPickler.loads(data)
    except Exception:  # some errors can be pickled and not be read back
        return ForkingPickler.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return data
