"""One process that serves one replica; the harness tells it over a pipe when and how.

Run as ``python -m planner.measure.worker FD``. It dies with its parent, ignores Ctrl-C (the parent then
closes the pipe) and loads only numpy and a runtime: on the CPU path torch is never imported.

Requests come from a generator of our own and not from MLPerf LoadGen: LoadGen drives one system under
test a process, starts its clock itself and stops when *its* counts are reached; it cannot drive several
processes through one shared window in which each goes on until its neighbours have finished.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from array import array
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np

from planner.errors import InputError
from planner.measure import messages as m
from planner.measure.engines import Engine, first_line, make_engine, out_of_memory
from planner.measure.inputs import Array, requests
from planner.measure.windows import Trace, poisson
from planner.processes import die_with_parent

_PR_SET_TIMERSLACK = 29


class Server:
    """A loaded subject and its requests."""

    def __init__(self, load: m.Load) -> None:
        self._device = load.device
        self._engine: Engine = make_engine(load)
        self._requests: Iterator[dict[str, Array]] = requests(load.subject.inputs, load.seed)
        self._arrival, self._done, self._cpu = array("q"), array("q"), array("q")

    def first(self) -> m.Ready:
        """Serve one request."""
        began = time.monotonic_ns()
        self._engine(next(self._requests))
        return m.Ready((time.monotonic_ns() - began) / 1e6)

    def drive(self, order: m.Drive) -> Trace:
        """Serve as ordered and return what happened."""
        self._arrival, self._done, self._cpu = array("q"), array("q"), array("q")
        gc.collect()
        gc.disable()
        try:
            if order.rate_rps is None:
                self._closed(order)
            else:
                self._open(order, order.rate_rps)
        finally:
            gc.enable()
        parts = (np.array(part, dtype=np.int64) for part in (self._arrival, self._done, self._cpu))
        return Trace(*parts)

    def _closed(self, order: m.Drive) -> None:
        _sleep_until(order.start_ns)
        request = next(self._requests)
        while (now := time.monotonic_ns()) < order.stop_ns:
            self._serve(request, now)
            request = next(self._requests)  # made here, so that making it is in no latency

    def _open(self, order: m.Drive, rate_rps: float) -> None:
        seconds = (order.stop_ns - order.start_ns) / 1e9
        arrivals = [int(a) + order.start_ns for a in poisson(order.seed, rate_rps, seconds)]
        served = 0
        for arrival in arrivals:
            request = next(self._requests)
            _sleep_until(arrival)
            if time.monotonic_ns() >= order.stop_ns:
                break
            self._serve(request, arrival)
            served += 1
        for arrival in arrivals[served:]:
            self._note(arrival, 0, 0)

    def _serve(self, request: dict[str, Array], arrival: int) -> None:
        cpu = time.process_time_ns()
        self._engine(request)
        self._note(arrival, time.monotonic_ns(), time.process_time_ns() - cpu)

    def _note(self, arrival: int, done: int, cpu: int) -> None:
        self._arrival.append(arrival)
        self._done.append(done)
        self._cpu.append(cpu)

    def weigh(self) -> m.Weight:
        """Return how much memory this process takes."""
        device = None
        if self._device != "cpu" and "torch" in sys.modules:
            import torch

            device = torch.cuda.max_memory_reserved(torch.device(self._device)) / 1e6
        return m.Weight(_kilobytes("smaps_rollup", "Pss:"), _kilobytes("status", "VmHWM:"), device)


def _kilobytes(file: str, label: str) -> float | None:
    """Return a number of kB in a file of /proc/self, in MB; None where it is not there."""
    try:
        with open(f"/proc/self/{file}", encoding="ascii") as stream:
            return next((int(line.split()[1]) / 1e3 for line in stream if line.startswith(label)), None)
    except OSError:
        return None


def _sleep_until(moment_ns: int) -> None:
    while (left := moment_ns - time.monotonic_ns()) > 0:
        time.sleep(left / 1e9)


def _pin(cores: tuple[int, ...]) -> m.Done:
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)
    return m.Done()


def _tie_to_parent(parent: int) -> None:
    """Die when the parent does, sleep exactly, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)
    die_with_parent(parent)


def _answer(order: object, server: Server | None) -> tuple[object, Server | None]:
    if isinstance(order, m.Load):
        server = Server(order)
        return server.first(), server
    if isinstance(order, m.Pin):
        return _pin(order.cores), server
    if server is None:
        return m.Failed("nothing is loaded", memory=False), None
    return (server.drive(order) if isinstance(order, m.Drive) else server.weigh()), server


def serve(pipe: Connection) -> None:
    """Obey the orders of a pipe until it ends."""
    server: Server | None = None
    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            return
        if isinstance(order, m.Quit):
            return
        try:
            answer, server = _answer(order, server)
        except InputError as error:
            answer = error
        except Exception as error:  # whatever a runtime raises is an answer, not an end
            answer = m.Failed(f"{type(error).__name__}: {first_line(error)}", out_of_memory(error))
        pipe.send(answer)


if __name__ == "__main__":
    _tie_to_parent(int(sys.argv[2]))
    serve(Connection(int(sys.argv[1])))
