"""NVIDIA accelerators: what nvidia-smi says of them, and the daemon that MPS needs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping

from planner.errors import InputError

_ASKED = (
    *("name", "memory.total", "driver_version", "compute_mode", "mig.mode.current"),
    *("clocks.max.sm", "clocks.max.memory", "clocks.sm", "power.limit"),
)
_MOVING = ("clocks.sm",)
_SECONDS = 20


def gpus() -> list[dict[str, str]]:
    """Return what nvidia-smi says of each accelerator; none if there is no nvidia-smi or no accelerator."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.split(", ") for line in done.stdout.splitlines() if line.strip())
    return [dict(zip(_ASKED, map(str.strip, row), strict=False)) for row in rows]


def steady(gpu: Mapping[str, str]) -> dict[str, str]:
    """Return what does not change from one second to the next."""
    return {name: value for name, value in gpu.items() if name not in _MOVING}


@contextlib.contextmanager
def mps() -> Iterator[dict[str, str]]:
    """Run an MPS control daemon; yields the environment of the processes that share a device by it.

    Raises
    ------
    InputError
        If there is no such daemon on this host, or it does not start.
    """
    if shutil.which("nvidia-cuda-mps-control") is None:
        rule = "needs nvidia-cuda-mps-control, which this host does not have"
        raise InputError(rule, field="gpu_sharing", value="mps")
    with tempfile.TemporaryDirectory(prefix="planner-mps-") as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = {**os.environ, **own}
        _control(["-d"], "", environment)
        try:
            yield own
        finally:
            with contextlib.suppress(InputError):
                _control([], "quit\n", environment)


def without_mps() -> dict[str, str]:
    """Return the environment of processes that must not find somebody else's MPS daemon."""
    return {"CUDA_MPS_PIPE_DIRECTORY": "/nonexistent"}


def _control(arguments: list[str], text: str, environment: Mapping[str, str]) -> None:
    command = ["nvidia-cuda-mps-control", *arguments]
    try:
        subprocess.run(
            command, input=text, text=True, env=environment, timeout=_SECONDS, check=True, capture_output=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"the MPS daemon fails: {error}", field="gpu_sharing", value="mps") from None
