"""Jobs of a service, as people read them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from planner.report.tables import table
from planner.report.text import number, percent, plain

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("<job", "<instance", "<solver", "<state", "objective", "gap", "seconds", "<submitted", "~note")


def show(jobs: Sequence[Mapping[str, Any]]) -> Iterator[Table | str]:
    """Yield a table of job documents."""
    if not jobs:
        yield "no jobs"
        return
    yield table("Jobs", _COLUMNS, map(_row, jobs), spare=("note", "submitted"))
    if len(jobs) == 1 and jobs[0]["note"]:
        yield plain(f"  {jobs[0]['note']}")


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    state = job["status"] if job["state"] == "done" else "cancelling" if job["cancelling"] else job["state"]
    objective = None if job["objective"] is None else Decimal(job["objective"])
    submitted = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job["created"]))
    seconds = "-" if job["seconds"] is None else f"{job['seconds']:.1f}"
    words = "; ".join(filter(None, (job["label"], job["note"])))
    what = (job["id"], plain(job["name"]), job["solver"], state, number(objective), percent(job["gap"]))
    return (*what, seconds, submitted, plain(words[:200]))
