"""A solve in a process of its own, because a solver's library may abort the process that it is in.

:func:`solve_in_child` answers like :func:`solvers.solve`, and whatever happens to the child, a crash,
an abort, a kill, becomes a result that says so. Three processes take part::

    this process --(control socket)--> nursery --(fork)--> child
         \\_____________(pipe: instance, progress, result)____/

The nursery (:mod:`solvers.nursery`) has the slow imports done, forks a child for each solve, kills it
when told to, and reports how it ended. Each process ends when the one before it does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import IO, Any

from planner.errors import InputError
from planner.instance import Instance
from planner.plan import Plan
from planner.result import OnProgress, Progress, Result, Status, Stop

_LOAD_LIMIT = 300.0  # compiling a solver on its first use on a machine takes up to a minute
_GRACE = 5.0
_TICK = 0.1
_BOOT = "import sys; sys.path[:] = {path!r}; from solvers.nursery import serve; serve({control})"


def solve_in_child(
    instance: Instance,
    solver: str = "auto",
    *,
    time_limit: float = 60.0,
    seed: int = 0,
    start: Plan | None = None,
    on_progress: OnProgress | None = None,
    memory_limit_mb: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Result:
    """Plan ``instance`` with the named solver in a child process.

    Ctrl-C ends the solve with what it has; a second one kills the child and is raised. The child is
    killed if it is not done 5 s after the time limit, which counts from when the solver is loaded.

    Parameters
    ----------
    instance, solver, time_limit, seed, start, on_progress
        As in :func:`solvers.solve`.
    memory_limit_mb
        Most memory that the child may allocate for data.
    stop
        Asked ten times a second, also while the solver reports nothing; once true, it ends the solve with
        what it has, or kills the child 5 s later.

    Returns
    -------
    Result
        ``no_plan``, stopped because ``failed``, if the child came to grief or the solver broke its
        contract; the note says what happened.

    Raises
    ------
    InputError
        As :func:`solvers.solve` does.
    """
    job = _Job(time_limit=time_limit, on_progress=on_progress, stop=stop)
    with tempfile.TemporaryFile() as log, _nursery() as nursery:
        ours, theirs = Pipe()
        with ours:
            nursery.fork(theirs, log)
            try:
                job.follow(ours, nursery, (instance, solver, time_limit, seed, start, memory_limit_mb))
            finally:
                nursery.kill()
        status = nursery.status()
        if isinstance(job.answer, InputError):
            raise job.answer
        if isinstance(job.answer, Result):
            return job.answer
        note = job.answer or _obituary(status, job.late, log)
    return Result(
        Status.NO_PLAN,
        Stop.FAILED,
        solver,
        seed,
        seconds=time.monotonic() - job.began,
        history=tuple(job.history),
        reasons=(note,),
        note=note,
    )


@dataclass
class _Job:
    """One solve, seen from this side of the pipe."""

    time_limit: float
    on_progress: OnProgress | None
    stop: Callable[[], bool] | None
    began: float = field(default_factory=time.monotonic)
    answer: Result | InputError | str | None = None  # text: what went wrong
    history: list[Progress] = field(default_factory=list)
    late: bool = False
    wanted: bool = False  # an interrupt
    interrupted: bool = False  # the child was told

    def follow(self, pipe: Connection, nursery: _Nursery, request: tuple[Any, ...]) -> None:
        """Send the request and take the messages until the child has answered, died or is too late."""
        deadline = time.monotonic() + _LOAD_LIMIT
        with contextlib.suppress(EOFError, OSError), self.signals():  # EOF: the child died
            pipe.send(request)
            while self.answer is None:
                self.wanted |= self.stop is not None and self.stop()
                if self.wanted and not self.interrupted:
                    self.interrupted = True
                    deadline = min(deadline, time.monotonic() + _GRACE)
                    pipe.send("interrupt")
                if not pipe.poll(_TICK):
                    if time.monotonic() > deadline:
                        self.late = True
                        return
                    continue
                kind, value = pipe.recv()
                if kind == "loaded":
                    self.began = time.monotonic()
                    if not self.interrupted:
                        deadline = self.began + self.time_limit + _GRACE
                elif kind == "progress":
                    self.progress(value)
                else:
                    self.answer = value

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Let Ctrl-C ask for the end of the solve; it must not break off a message half-way."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self.on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_signal(self, *_: object) -> None:
        """Take the first Ctrl-C as a wish, the second as an order."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True

    def progress(self, now: Progress) -> None:
        """Hand on what the child reports."""
        last = self.history[-1] if self.history else Progress(0.0, None, None)
        if (now.objective, now.bound) != (last.objective, last.bound):
            self.history.append(now)
        if self.on_progress is not None and self.on_progress(now):
            self.wanted = True


class _Nursery:
    """A process that forks children, one at a time."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        self.lost = False
        path = [entry or os.getcwd() for entry in sys.path]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(path=path, control=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # so that Ctrl-C on the terminal reaches only this process
            )

    def fork(self, pipe: Connection, log: IO[bytes]) -> None:
        """Let it fork a child that has ``pipe`` and writes its output to ``log``."""
        with pipe, contextlib.suppress(OSError):  # a nursery that is dead shows by the pipe's end
            socket.send_fds(self.control, [b"f"], [pipe.fileno(), log.fileno()])

    def kill(self) -> None:
        """Have the child killed, if it is still there."""
        with contextlib.suppress(OSError):
            self.control.sendall(b"k")

    def status(self) -> int | None:
        """Return the child's wait status when it has ended; None if the nursery has died."""
        with contextlib.suppress(OSError):
            answer = self.control.recv(4, socket.MSG_WAITALL)
            if len(answer) == 4:
                return int(struct.unpack("i", answer)[0])
        self.lost = True
        return None

    def close(self) -> None:
        """End it, and its child with it."""
        self.control.close()
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_idle: list[_Nursery] = []
_lock = threading.Lock()


class _nursery(contextlib.AbstractContextManager[_Nursery]):  # noqa: N801  used like a function
    """Take an idle nursery or start one; it is idle again afterwards, unless something went wrong."""

    def __enter__(self) -> _Nursery:
        with _lock:
            while _idle:
                self.taken = _idle.pop()
                if self.taken.process.poll() is None:
                    return self.taken
                self.taken.close()
        self.taken = _Nursery()
        return self.taken

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.taken.lost and (kind is None or issubclass(kind, InputError)):
            with _lock:
                _idle.append(self.taken)
        else:
            self.taken.close()


@atexit.register
def _close_all() -> None:
    with _lock:
        while _idle:
            _idle.pop().close()


def _obituary(status: int | None, late: bool, log: IO[bytes]) -> str:
    """Say how a child ended that gave no answer."""
    if late:
        return f"the solver was killed: not done {_GRACE:.0f} s after it had to end"
    if status is None:
        return "the solver's process was lost"
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
    lines = log.read().decode(errors="replace").strip().splitlines()
    words = f": {lines[-1][:200]}" if lines else ""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"the solver's process ended with exit code {code}{words}"
    return f"the solver's process was ended by signal {-code} ({signal.Signals(-code).name}){words}"
