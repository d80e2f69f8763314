"""One run: a multiset of models on a machine type, alone and together, by the protocol.

A run is one ABBA series: a solo window of every distinct model, two windows of all of them together, and
the solo windows again in the opposite order. The first co-located window has the arrivals of the first
solo window, the second those of the last. A model's victim is its first replica; which core it gets is
drawn anew for each run. Workers stay up from run to run.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from planner.measure.drive import Actor, Driver, Timing
from planner.measure.gpu import mps, without_mps
from planner.measure.messages import Weigh, Weight
from planner.measure.pool import Place, Pool, Want, WorkerDiedError
from planner.measure.row import Row, Taken
from planner.measure.spec import MachineTypeForm, Protocol
from planner.measure.subject import Subject
from planner.measure.windows import LAST, MOST_TRIES, Window, settled
from planner.measure.zoo.export import exported

_LEAST_LEAD_S = 0.05
_LEAD_REQUESTS, _TAIL_REQUESTS, _WARM_REQUESTS = 2, 3, 3
_GUESS_S = 0.02
_WEIGH_SECONDS = 30.0


@dataclass(eq=False)
class _Run:
    """A run that is going on."""

    machine_type: MachineTypeForm
    number: int
    loop: str
    members: tuple[str, ...]
    began: float = field(default_factory=time.monotonic)
    actors: list[Actor] = field(default_factory=list)
    timing: Timing = field(default_factory=lambda: Timing(0, 0, 0))
    stable: bool = True
    taken: dict[str, list[Taken]] = field(default_factory=dict)

    @property
    def victims(self) -> dict[str, Actor]:
        """Name -> the first replica of it."""
        found: dict[str, Actor] = {}
        for actor in self.actors:
            found.setdefault(actor.worker.name, actor)
        return found


class Runner:
    """Runs co-locations on this host.

    Parameters
    ----------
    subjects
        Name -> what it is.
    protocol
        How windows are driven.
    host
        Short id of this host, for the rows.

    """

    def __init__(self, subjects: Mapping[str, Subject], protocol: Protocol, host: str) -> None:
        self._subjects, self._protocol, self._host = subjects, protocol, host
        self._pool = Pool()
        self._stack = contextlib.ExitStack()
        self._environments: dict[str, dict[str, str]] = {}
        self._latency_s: dict[str, float] = {}
        self._files: dict[str, Path] = {}
        self._driver = Driver(self._pool)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker, and what was started for them."""
        self._pool.close()
        self._stack.close()

    @property
    def processes(self) -> list[int]:
        """Ids of the worker processes that are up."""
        return self._pool.processes

    @property
    def driven_s(self) -> float:
        """Seconds in which workers were driven: windows, their leads and tails, warm-up."""
        return self._driver.driven_s

    @property
    def counted_s(self) -> float:
        """Seconds of the windows themselves."""
        return self._driver.counted_s

    @property
    def loading_s(self) -> float:
        """Seconds spent on starting workers and loading models."""
        return self._pool.loading_s

    def run(
        self, machine_type: MachineTypeForm, members: Sequence[str], number: int, *, loop: str | None = None
    ) -> list[Row]:
        """Measure a co-location once; return one row for each distinct member.

        Parameters
        ----------
        machine_type
            Where.
        members
            Names of the subjects, one for each replica.
        number
            Of the run: with the protocol's seed it decides arrivals and placement.
        loop
            In place of the protocol's: ``open`` or ``closed``.

        Raises
        ------
        InputError
            If a model cannot be loaded at all.
        """
        run = _Run(machine_type, number, loop or self._protocol.loop, tuple(sorted(members)))
        dead: tuple[str, ...] = ()
        try:
            self._cast(run)
            self._warm(run)
            self._series(run)
        except WorkerDiedError as error:
            dead = error.names
        return [self._row(run, name, dead) for name in dict.fromkeys(run.members)]

    def weigh(self, machine_type: MachineTypeForm, name: str) -> Weight:
        """Return the memory that a model's worker takes on a machine type, after at least one request.

        Raises
        ------
        InputError, WorkerDiedError
            If it cannot be loaded; if it died.
        """
        worker = self._pool.take([self._want(machine_type, name, 0, machine_type.cores)])[0]
        weight: Weight = self._pool.ask([worker], [Weigh()], _WEIGH_SECONDS)[0]
        return weight

    def estimate_s(self, machine_type: MachineTypeForm, members: Sequence[str]) -> float:
        """Return about how many seconds a run takes, without loading."""
        timing = self._timing(members, self._protocol.loop)
        windows = 2 * len(set(members)) + 2
        return windows * (timing.whole_s + 0.01) + LAST * self._warm_timing(timing).whole_s

    def _cast(self, run: _Run) -> None:
        """Load every member, each replica on the core that is drawn for it."""
        rng = np.random.default_rng([self._protocol.seed, run.number])
        places = rng.permutation(len(run.members))
        cores = run.machine_type.cores
        wants, rates, seeds = [], [], []
        for i, name in enumerate(run.members):
            replica = run.members[:i].count(name)
            own = (cores[int(places[i]) % len(cores)],)
            mine = own if run.machine_type.sharing == "own" else cores
            wants.append(self._want(run.machine_type, name, replica, mine))
            subject = self._subjects[name]
            rates.append(None if run.loop == "closed" or subject.is_hog else subject.rate_rps)
            seeds.append((self._protocol.seed, run.number, zlib.crc32(name.encode()), replica))
        workers = self._pool.take(wants)
        run.actors = [Actor(w, r, s) for w, r, s in zip(workers, rates, seeds, strict=True)]
        run.timing = self._timing(run.members, run.loop)

    def _want(self, machine_type: MachineTypeForm, name: str, replica: int, cores: tuple[int, ...]) -> Want:
        subject = self._subjects[name]
        environment = self._environment(machine_type)
        place = Place(subject, replica, machine_type.threads, machine_type.device, environment)
        return Want(place, self._onnx(subject, machine_type.device), cores)

    def _onnx(self, subject: Subject, device: str) -> Path | None:
        if subject.zoo is None or device != "cpu":
            return subject.onnx
        if subject.zoo not in self._files:
            self._files[subject.zoo] = exported(subject.zoo)
        return self._files[subject.zoo]

    def _environment(self, machine_type: MachineTypeForm) -> tuple[tuple[str, str], ...]:
        if machine_type.device == "cpu":
            return ()
        if machine_type.gpu_sharing != "mps":
            return tuple(without_mps().items())
        if "mps" not in self._environments:
            self._environments["mps"] = self._stack.enter_context(mps())
        return tuple(self._environments["mps"].items())

    def _timing(self, members: Sequence[str], loop: str) -> Timing:
        """Return one timing for all windows of a run, so that all of them see the same arrivals."""
        slowest = max(self._latency_s.get(name, _GUESS_S) for name in members)
        gaps = [1 / r for n in members if (r := self._subjects[n].rate_rps)] if loop == "open" else []
        lead = max([_LEAST_LEAD_S, _LEAD_REQUESTS * slowest, *(2 * gap for gap in gaps)])
        return Timing(
            lead, self._protocol.window_s, max(_LEAST_LEAD_S, _TAIL_REQUESTS * slowest * len(members))
        )

    def _warm_timing(self, timing: Timing) -> Timing:
        """Return the timing of a warm-up window, long enough for a few requests of the slowest model."""
        longest = timing.lead_s / _LEAD_REQUESTS
        return Timing(0.0, max(self._protocol.warmup_s, _WARM_REQUESTS * longest), timing.tail_s)

    def _warm(self, run: _Run) -> None:
        """Drive each new worker alone until it has settled; its latency then decides the timing."""
        for actor in run.actors:
            if not actor.worker.warm:
                alone = self._timing([actor.worker.name], run.loop)
                actor.worker.warm = self._settle(run, [actor], alone)
                run.stable &= actor.worker.warm
        run.timing = self._timing(run.members, run.loop)

    def _settle(self, run: _Run, actors: Sequence[Actor], timing: Timing) -> bool:
        """Drive warm-up windows until the last three agree; return whether they did."""
        windows: list[list[Window]] = [[] for _ in actors]
        warm, cores = self._warm_timing(timing), run.machine_type.cores
        for _ in range(MOST_TRIES):
            for own, window in zip(windows, self._driver.window(actors, "warmup", warm, cores), strict=True):
                own.append(window)
            if len(actors) == 1 and windows[0][-1].mean_ms:
                self._latency_s[actors[0].worker.name] = windows[0][-1].mean_ms / 1e3
            if all(map(settled, windows)):
                return True
        return False

    def _series(self, run: _Run) -> None:
        """Take the windows: solo, together, together, solo."""
        victims = list(run.victims.values())
        np.random.default_rng([self._protocol.seed, run.number, 1]).shuffle(victims)
        for victim in victims:
            self._take(run, [victim], "solo", 0)
        run.stable &= self._settle(run, run.actors, run.timing)
        for half in (0, 1):
            self._take(run, run.actors, "colocated", half)
        for victim in reversed(victims):
            self._take(run, [victim], "solo", 1)

    def _take(self, run: _Run, actors: Sequence[Actor], phase: str, half: int) -> None:
        """Take one window, again while something from outside spoils it; the last one counts."""
        firsts = {a.worker: name for name, a in run.victims.items()}
        for attempt in range(self._protocol.retries + 1):
            cores = run.machine_type.cores
            windows = self._driver.window(actors, phase, run.timing, cores, half=half, began=run.began)
            last = attempt == self._protocol.retries or not windows[0].disturbed
            for actor, window in zip(actors, windows, strict=True):
                if actor.worker in firsts:
                    run.taken.setdefault(firsts[actor.worker], []).append(Taken(window, used=last))
            if last:
                return

    def _row(self, run: _Run, name: str, dead: tuple[str, ...]) -> Row:
        neighbours = list(run.members)
        neighbours.remove(name)
        marks = () if not dead else ("died",) if name in dead else ("died_neighbour",)
        subject = self._subjects[name]
        open_loop = run.loop == "open" and not subject.is_hog
        return Row(
            machine_type=run.machine_type.name,
            victim=name,
            neighbours=tuple(neighbours),
            run=run.number,
            seed=self._protocol.seed,
            loop="open" if open_loop else "closed",
            offered_rps=subject.rate_rps if open_loop else None,
            stable=run.stable and not dead,
            marks=marks,
            taken=run.taken.get(name, ()),
            host=self._host,
        )
