"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ProgressStyle(StrEnum):
    """How a command shows the progress of a solve; see :func:`planner.report.live.watch`."""

    AUTO = "auto"
    JSON = "json"
    PLAIN = "plain"
    NONE = "none"


InstancePath = Annotated[Path, typer.Argument(metavar="INSTANCE", help="Instance file, YAML or JSON.")]
PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file, JSON.")]
Seed = Annotated[int, typer.Option(help="Same instance, seed, version: same plan, unless the time runs out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
ShowProgress = Annotated[
    ProgressStyle,
    typer.Option("--progress", help="On stderr; auto: a view on a terminal, else none. json, plain: lines."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="A Dask scheduler that you trust, tcp://HOST:8786 or tls://HOST:8786."
    ),
]
