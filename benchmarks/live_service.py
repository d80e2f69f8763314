"""A real service, for what is measured and tested of it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

_ROOT = Path(__file__).parents[1]


class Live:
    """A service that can be killed and started again; its data, and its log, are in ``folder``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        call = [sys.executable, "-c", "from planner.cli import main; main()", "serve", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*call, "--data", str(self.folder / "data"), "--port", str(self.port)], cwd=_ROOT, stderr=log
            )

    def processes(self) -> list[psutil.Process]:
        """Return all that it has started."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def workers(self) -> list[psutil.Process]:
        return [p for p in self.processes() if "serve.worker" in _words(p)]

    def solvers(self) -> list[psutil.Process]:
        """Return what is forked by the nursery of a worker."""
        nurseries = [p for w in self.workers() for p in w.children() if "nursery" in _words(p)]
        return [p for nursery in nurseries for p in nursery.children()]

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
