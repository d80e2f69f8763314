"""Processes that must not outlive the one that began them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when the thread that began it ends


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, or end it if that happened already (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
