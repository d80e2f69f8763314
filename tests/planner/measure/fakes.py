"""A runner that measures nothing, and what it needs: numbers that a reader can check."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from planner.measure.messages import Weight
from planner.measure.row import Row, Taken
from planner.measure.spec import MachineTypeForm, Spec, parse_spec
from planner.measure.windows import Window


def window(phase: str, *latencies_ms: float, seconds: float = 1.0, late: int = 0, **fields: Any) -> Window:
    """A window with these latencies."""
    return Window(phase, 0.0, seconds, np.array(latencies_ms), late, cpu_s=0.0, **fields)


def spec(names: Sequence[str] = ("mlp_small", "dlrm"), **changes: Any) -> Spec:
    """Zoo models on two machine types, without features."""
    document = {
        "version": 1,
        "models": [{"zoo": name} for name in names],
        "machine_types": [{"name": "one", "cores": [0]}, {"name": "two", "cores": [0], "sharing": "shared"}],
        "protocol": {"repeats": 2},
        "features": False,
    }
    return parse_spec(document | changes, Path())


class Fake:
    """Answers at once: beside each neighbour a model is slower by a number made from their names."""

    def __init__(self, host: str = "h", before: Callable[[int], object] = lambda _: None) -> None:
        self.host, self.before = host, before
        self.done: list[int] = []
        self.driven_s = self.counted_s = self.loading_s = 0.0

    def run(
        self, machine_type: MachineTypeForm, members: Sequence[str], number: int, *, loop: str | None = None
    ) -> list[Row]:
        self.before(number)
        self.driven_s += 1.0
        self.done.append(number)
        return [self.row(machine_type.name, members, name, number) for name in dict.fromkeys(sorted(members))]

    def row(self, machine_type: str, members: Sequence[str], name: str, number: int) -> Row:
        others = sorted(members)
        others.remove(name)
        slower = 1 + sum(zlib.crc32(f"{name} {other}".encode()) % 100 / 100 for other in others)
        taken = [
            Taken(window("solo", *[1.0] * 9), used=True),
            *[Taken(window("colocated", *[slower] * 9), used=True)] * 2,
            Taken(window("solo", *[1.0] * 9), used=True),
        ]
        return Row(machine_type, name, tuple(others), number, 0, "closed", None, True, (), taken, self.host)

    def weigh(self, machine_type: MachineTypeForm, name: str) -> Weight:
        return Weight(share_mb=100.0, peak_mb=120.0, device_mb=None)

    def estimate_s(self, machine_type: MachineTypeForm, members: Sequence[str]) -> float:
        return 0.0
