"""Who lives where: for each machine type the patterns that most of its machines carry, and the costliest."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.compiled import UNLIMITED
from planner.evaluate import suffered
from planner.instance import Instance
from planner.integers import PPM
from planner.plan import Plan
from planner.plan_form import PlanFile

Ints = NDArray[np.int64]

COMMON = 6  # patterns of a machine type that are shown by number of machines
COSTLY = 2  # ... and by degradation, if they are not among these


@dataclass(frozen=True)
class Tile:
    """Replicas of one model on a machine; ``degradation`` of each of them, None if it is not known."""

    model: str
    count: int
    degradation: float | None


@dataclass(frozen=True)
class Box:
    """Machines that carry the same pattern.

    Attributes
    ----------
    machines, tiles
        How many, and what is on each of them, the worst hit first.
    total
        Degradation summed over the replicas of one machine; None if it is not known.
    free
        Slots that nobody uses; None if there is no limit or it is not known.
    pinned
        The pinned entry that these machines belong to, if any.
    costly
        Shown because no other machines of the type have more degradation.
    """

    machines: int
    tiles: tuple[Tile, ...]
    total: float | None
    free: int | None = None
    pinned: str | None = None
    costly: bool = False


@dataclass(frozen=True)
class TypeMap:
    """The machines of one type: how many are used, out of how many, and some of their patterns."""

    machine_type: str
    used: int
    there: int | None
    patterns: int
    boxes: tuple[Box, ...]

    def unseen(self, boxes: Sequence[Box]) -> tuple[int, int]:
        """Return how many patterns are not among ``boxes``, and the machines that carry them."""
        return self.patterns - len(boxes), self.used - sum(box.machines for box in boxes)


def checked_maps(instance: Instance, plan: Plan) -> list[TypeMap]:
    """Return a map of each machine type, with what every replica suffers by the checker."""
    felt = suffered(instance, plan)
    if not len(plan):
        return []
    total = np.add.reduceat(felt * plan.count, plan.start[:-1])
    kind = instance.compiled.type_of[plan.pool]
    maps = []
    for k, machine_type in enumerate(instance.machine_types):
        here = np.flatnonzero(kind == k)
        machines = plan.machines[here]
        common = here[np.lexsort((-total[here], -machines))][:COMMON].tolist()
        worst = here[np.argsort(-total[here], kind="stable")][:COSTLY].tolist()
        costly = [g for g in worst if g not in common and here.size > COMMON]
        boxes = [_box(instance, plan, g, felt, total, g in costly) for g in (*common, *costly)]
        name, there = machine_type.name, machine_type.count
        maps.append(TypeMap(name, int(machines.sum()), there, here.size, tuple(boxes)))
    return maps


def _box(instance: Instance, plan: Plan, g: int, felt: Ints, total: Ints, costly: bool) -> Box:
    span = slice(int(plan.start[g]), int(plan.start[g + 1]))
    entries = zip(plan.model[span].tolist(), plan.count[span].tolist(), felt[span].tolist(), strict=True)
    tiles = [Tile(instance.models[t].name, n, d / PPM) for t, n, d in entries]
    tiles.sort(key=lambda tile: -(tile.degradation or 0.0))
    slots = int(instance.compiled.slots[plan.pool[g]])
    free = None if slots == UNLIMITED else slots - int(plan.count[span].sum())
    pinned = instance.compiled.pool_names[int(plan.pool[g])][1]
    return Box(int(plan.machines[g]), tuple(tiles), int(total[g]) / PPM, free, pinned, costly)


def claimed_maps(form: PlanFile) -> list[TypeMap]:
    """Return a map of each machine type of a plan file, with each model's mean degradation in all of it."""
    mean = {m.name: m.mean_degradation for m in form.models}
    used: dict[str, int] = defaultdict(int)
    patterns: dict[str, int] = defaultdict(int)
    largest: dict[str, list[tuple[int, int]]] = defaultdict(list)  # (machines, - position), a heap
    for i, group in enumerate(form.machines):
        name = group["machine_type"]
        used[name] += group["machines"]
        patterns[name] += 1
        push = heapq.heappush if len(largest[name]) < COMMON + COSTLY else heapq.heappushpop
        push(largest[name], (group["machines"], -i))
    maps = []
    for name, machines in used.items():
        positions = [-i for _, i in sorted(largest[name], reverse=True)]
        boxes = tuple(_claimed(form.machines.at(positions), mean))
        maps.append(TypeMap(name, machines, None, patterns[name], boxes))
    return maps


def _claimed(groups: Iterable[dict[str, Any]], mean: dict[str, float]) -> Iterator[Box]:
    for group in groups:
        tiles = [Tile(name, n, mean.get(name)) for name, n in group["models"].items()]
        tiles.sort(key=lambda tile: -(tile.degradation or 0.0))
        yield Box(group["machines"], tuple(tiles), None, pinned=group.get("pinned"))
