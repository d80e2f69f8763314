"""What the exact solvers share."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import time
from solvers.compact import watched
from solvers.run import Run

def deaf():
    time.sleep(1.5)
    print("ended", flush=True)

run = Run(time_limit=0.1)
print(watched(run, deaf, run.report, lambda: None), flush=True)
"""


def test_a_process_waits_for_a_library_that_was_left_behind() -> None:
    """HiGHS would abort it."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["False", "ended"], "")
