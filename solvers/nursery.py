"""The process that forks a child for each solve, and what the child does.

It stays single-threaded and only imports, so that forking it is safe and quick. Its parent sends
``f`` with two file descriptors (pipe, log) for a fork and ``k`` to kill the child; the answer is the
child's wait status. When the parent is gone, it kills its child and ends.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import solvers
from planner.errors import InputError
from planner.processes import die_with_parent
from planner.result import Progress, Result
from solvers import SOLVERS, load, solve

_EVERY = 0.1


def serve(descriptor: int) -> None:
    """Fork children until the other end of the control socket closes."""
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for entry in SOLVERS.values():  # seconds, which no child then has to spend
        with contextlib.suppress(ImportError):  # of a solver that nobody may ask for
            importlib.import_module(entry.module)
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if len(descriptors) != 2:  # a kill that came after the child's end
            continue
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            control.close()
            _child(parent, *descriptors)
        for inherited in descriptors:
            os.close(inherited)
        status = _attend(pid, control)
        control.sendall(struct.pack("i", status))


def _attend(pid: int, control: socket.socket) -> int:
    """Return the wait status of the child; kill it if told to, or if nobody waits for it any more."""
    watched: list[Any] = [control]
    if hasattr(os, "pidfd_open"):
        watched.append(os.pidfd_open(pid))
    try:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            ready, _, _ = select.select(watched, [], [], 1.0 if len(watched) > 1 else 0.02)
            if control in ready:
                alone = not control.recv(1)
                os.kill(pid, signal.SIGKILL)
                if alone:
                    sys.exit()
    finally:
        for descriptor in watched[1:]:
            os.close(descriptor)


def _child(parent: int, pipe: int, log: int) -> None:
    """Do one solve and end the process."""
    code = 1
    try:
        die_with_parent(parent)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _answer(_Line(Connection(pipe)))
        code = 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)  # nothing of the nursery's is to be cleaned up here


class _Line:
    """The child's end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._last = Progress(-_EVERY, None, None)
        self._wanted = False  # an interrupt that was not passed on yet

    def send(self, kind: str, value: Any = None) -> None:
        """Send a message; end the process if nobody listens any more."""
        with self._lock:
            try:
                self._pipe.send((kind, value))
            except OSError:
                os._exit(1)

    def receive(self) -> Any:
        """Return the next message."""
        return self._pipe.recv()

    def progress(self, now: Progress) -> bool:
        """Report an improvement, or ten times a second what there is; return whether to stop."""
        better = (now.objective, now.bound) != (self._last.objective, self._last.bound)
        if better or now.seconds - self._last.seconds >= _EVERY:
            self._last = now
            self.send("progress", now)
        return self.deliver()

    def deliver(self) -> bool:
        """Return whether an interrupt is to be passed on; it is passed on once."""
        with self._lock:
            wanted, self._wanted = self._wanted, False
        return wanted

    def watch(self) -> None:
        """Interrupt the solve when told to; end the process when the pipe ends.

        A solver that reports progress is told by the answer; any other by a signal, as by Ctrl-C.
        """
        try:
            self._pipe.recv()
            self._wanted = True
            while self._wanted:
                time.sleep(_EVERY)
                os.kill(os.getpid(), signal.SIGINT)
            self._pipe.recv()
        except (EOFError, OSError):
            os._exit(1)

    def on_signal(self, _: int, frame: FrameType | None) -> None:
        """Take the signal for Ctrl-C, but only while the main thread does nothing but wait for the solver."""
        codes = set()
        while frame is not None:
            codes.add(frame.f_code)
            frame = frame.f_back
        if {solvers._attended.__code__, threading.Event.wait.__code__} <= codes and self.deliver():
            raise KeyboardInterrupt


def _answer(line: _Line) -> None:
    """Take the request, solve, and send what came of it."""
    instance, solver, time_limit, seed, start, memory_limit_mb = line.receive()
    signal.signal(signal.SIGINT, line.on_signal)
    threading.Thread(target=line.watch, daemon=True).start()
    answer: Result | InputError | str
    try:
        if memory_limit_mb is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_mb * 2**20,) * 2)
        load(solver)
        line.send("loaded")
        answer = solve(
            instance, solver, time_limit=time_limit, seed=seed, start=start, on_progress=line.progress
        )
    except InputError as error:
        answer = error
    except MemoryError:
        answer = "the solver ran out of memory"
    except Exception as error:  # whatever it is, the parent is to know and to go on
        answer = f"the solver failed: {type(error).__name__}: {error}"
    line.send("answer", answer)
