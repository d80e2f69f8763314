"""Keeps the workers alive, and gives back what dead or silent ones had."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from planner.serve.database import Database
from planner.serve.jobs import Job
from planner.serve.store import LEASE_S, Store

_LOOK_S, _STILLBORN_S = 0.2, 1.0
_BOOT = (
    "import sys; sys.path[:] = {path!r}; from planner.serve.worker import main; "
    "main({folder!r}, {name!r}, {parent})"
)
_log = logging.getLogger("planner.serve")


class Supervisor:
    """Worker processes of a service.

    Parameters
    ----------
    folder
        Of the service.
    workers
        How many.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder, self._number = folder.resolve(), workers
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._hired: dict[str, float] = {}
        self._not_before = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Put back what ran before, and start the workers."""
        store = Store(Database(self._folder))
        if interrupted := store.recover():
            _log.warning("%d jobs ran when the service went down; they are queued again", interrupted)
        store.database.close()
        self._thread.start()

    def close(self) -> None:
        """Kill the workers; what they have is put back at the next start."""
        self._ending.set()
        self._thread.join()

    @property
    def alive(self) -> int:
        """Workers that run."""
        return sum(process.poll() is None for process in [*self._workers.values()])

    def _supervise(self) -> None:
        """Run in one thread, which starts the workers: they die with it."""
        store = Store(Database(self._folder))
        try:
            while not self._ending.is_set():
                try:
                    self._look(store)
                except Exception:  # a full disk must not end the supervision
                    _log.exception("supervising failed")
                self._ending.wait(_LOOK_S)
        finally:
            for name in [*self._workers]:
                self._kill(name)
            store.database.close()

    def _look(self, store: Store) -> None:
        for name, process in [*self._workers.items()]:
            if process.poll() is not None:
                if time.monotonic() - self._hired.pop(name) < _STILLBORN_S:
                    self._not_before = time.monotonic() + _STILLBORN_S  # it cannot even begin
                self._bury(store, name, "its worker process died")
        for job in store.lost():
            self._bury(store, job.worker or "", f"its worker was silent for {LEASE_S:g} s", [job])
        while len(self._workers) < self._number and time.monotonic() >= self._not_before:
            self._hire()

    def _hire(self) -> None:
        name = f"worker-{secrets.token_hex(4)}"
        path = [entry or os.getcwd() for entry in sys.path]
        boot = _BOOT.format(path=path, folder=str(self._folder), name=name, parent=os.getpid())
        self._hired[name] = time.monotonic()
        self._workers[name] = subprocess.Popen(
            [sys.executable, "-c", boot], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def _bury(self, store: Store, name: str, why: str, jobs: list[Job] | None = None) -> None:
        self._kill(name)
        for job in store.lost(name) if jobs is None else jobs:
            _log.warning("job %s, attempt %d: %s", job.id, job.attempts, why)
            store.give_back(job, why)

    def _kill(self, name: str) -> None:
        process = self._workers.pop(name, None)
        if process is not None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
