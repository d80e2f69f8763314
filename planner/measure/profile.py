"""Measure what a spec asks for, within a time budget, into a table that can be continued at any time.

Features come first, then co-locations in batches: the selection chooses a batch, every co-location of it
is run as often as the protocol says (up to twice as often if runs are disturbed or unstable), in rounds
of random order, and what was found decides the next batch. Whatever ends it, the table holds every run
that was finished and nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner.errors import InputError
from planner.json_text import parse_json
from planner.measure.colocations import colocations, fits
from planner.measure.features import FIRST_RUN, RUNS, FeatureTable, Measures, features_path, measure_features
from planner.measure.host import Host
from planner.measure.journal import Journal
from planner.measure.progress import Progress
from planner.measure.select import STRATEGIES, Candidate, Measured, choose
from planner.measure.spec import Spec
from planner.measure.subject import HOGS, hog
from planner.measure.zoo.export import exported
from planner.writing import write_atomically

SELECTIONS = (*STRATEGIES, "all")
MOST_REPEATS = 2  # times the repeats asked for, where runs are disturbed or unstable
_BATCH = 8


@dataclass(frozen=True)
class Outcome:
    """What a session measured.

    Attributes
    ----------
    ended
        ``done``, ``budget`` or ``interrupted``.
    runs, total_runs
        Of this session; in the table.
    colocations, of
        Measured as often as the protocol says; asked for.
    too_large
        Co-locations left out because their working sets exceed the memory of the machine type.
    features
        Rows of features that this session measured.
    flags
        Flag -> rows of the table that carry it.
    rows
        In the table.
    cut
        Bytes of an incomplete run that were cut off at the start.
    wall_s, driven_s, counted_s, loading_s
        Seconds of this session: all; in which workers were driven; of windows; of loading models.
    """

    ended: str
    runs: int
    total_runs: int
    colocations: int
    of: int
    too_large: int
    features: int
    flags: dict[str, int]
    rows: int
    cut: int
    wall_s: float
    driven_s: float
    counted_s: float
    loading_s: float

    @property
    def overhead(self) -> float | None:
        """Seconds in which nothing was driven and nothing loaded, over those that were driven."""
        spent = self.wall_s - self.driven_s - self.loading_s
        return spent / self.driven_s if self.driven_s else None


@dataclass(eq=False)
class _Session:
    spec: Spec
    runner: Measures
    journal: Journal
    features: FeatureTable
    progress: Progress
    select: str
    budget_s: float | None
    only: str | None
    began: float
    runs: int = 0
    featured: int = 0
    too_large: int = 0

    @property
    def left_s(self) -> float | None:
        """Seconds of the budget that are left; None without one."""
        return None if self.budget_s is None else self.budget_s - (time.monotonic() - self.began)

    def allows(self, seconds: float) -> bool:
        """Return whether something that takes so long still fits the budget."""
        return self.left_s is None or seconds <= self.left_s


def profile(
    spec: Spec,
    path: Path,
    runner: Measures,
    host: Host,
    *,
    progress: Progress,
    select: str = "active",
    budget_s: float | None = None,
    only: str | None = None,
    first_run: int = 0,
) -> Outcome:
    """Measure what a spec asks for into ``path``, continuing what is there.

    Parameters
    ----------
    spec, path
        What; the table ``NAME.csv``. Beside it ``NAME.features.csv``, ``NAME.hosts.json`` and
        ``NAME.spec.json`` are written.
    runner
        Knows the models of the spec and the hogs.
    select
        One of :data:`SELECTIONS`.
    budget_s
        Seconds after which no run is begun that would not end in time; None: until all is measured.
    only
        Name of the one machine type to measure; None: all of the spec.
    first_run
        Least number of a new run.

    Raises
    ------
    InputError
        If the table was begun with another spec or cannot be written, or a model cannot be loaded.
    """
    check_options(select, budget_s)
    wanted = [c for c in colocations(spec) if only in (None, c.machine_type)]
    with Journal(path, spec.sha256, spec.form.model_dump(mode="json"), first_run) as journal:
        note_host(path, host.document())
        features = FeatureTable(features_path(path))
        session = _Session(
            spec, runner, journal, features, progress, select, budget_s, only, began=time.monotonic()
        )
        try:
            ended = "done" if _features(session) and _colocations(session, wanted) else "budget"
        except KeyboardInterrupt:
            ended = "interrupted"
        return _outcome(session, ended, len(wanted))


def check_options(select: str, budget_s: float | None) -> None:
    """Refuse a selection or a budget that does not exist.

    Raises
    ------
    InputError
        Naming the option, the rule and the value.
    """
    if select not in SELECTIONS:
        raise InputError(f"must be one of {', '.join(SELECTIONS)}", field="select", value=select)
    if budget_s is not None and not budget_s > 0:
        raise InputError("must be greater than 0", field="budget", value=budget_s)


def prepare(spec: Spec, progress: Progress) -> None:
    """Export the models of the zoo that a spec asks for and that the cache does not have.

    Raises
    ------
    InputError
        If the cache cannot be written to.
    """
    names = sorted({s.zoo for s in spec.subjects.values() if s.zoo is not None})
    for i, name in enumerate(names):
        progress.show("models", i, len(names), None, name)
        exported(name)


def _outcome(s: _Session, ended: str, of: int) -> Outcome:
    repeats = s.spec.form.protocol.repeats
    return Outcome(
        ended=ended,
        runs=s.runs,
        total_runs=s.journal.runs.total(),
        colocations=sum(n >= repeats for n in s.journal.runs.values()),
        of=of,
        too_large=s.too_large,
        features=s.featured,
        flags=dict(sorted(s.journal.flags.items())),
        rows=s.journal.rows,
        cut=s.journal.cut,
        wall_s=time.monotonic() - s.began,
        driven_s=s.runner.driven_s,
        counted_s=s.runner.counted_s,
        loading_s=s.runner.loading_s,
    )


def hosts_path(table: Path) -> Path:
    """Return where the fingerprints of a table's hosts are."""
    return table.with_suffix(".hosts.json")


def note_host(table: Path, host: Mapping[str, Any]) -> None:
    """Add a host's fingerprint, as plain data, to those in ``NAME.hosts.json`` beside a table."""
    path = hosts_path(table)
    known = parse_json(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not isinstance(known, dict):
        raise InputError("must map the ids of hosts to their fingerprints", file=str(path))
    if host["id"] not in known:
        known = {**known, host["id"]: host}
        write_atomically(path, json.dumps(known, indent=1) + "\n")


def _features(s: _Session) -> bool:
    """Measure the features that are missing; return whether the budget allowed all of them."""
    if not s.spec.form.features:
        return True
    types = s.spec.form.machine_types
    keys = [(m, name) for m in types for name in s.spec.subjects]
    runs = min(RUNS, s.spec.form.protocol.repeats)
    for i, (machine_type, name) in enumerate(keys):
        if (machine_type.name, name) in s.features or s.only not in (None, machine_type.name):
            continue
        seconds = len(HOGS) * runs * s.runner.estimate_s(machine_type, [name, hog("memory").name])
        if not s.allows(seconds):
            return False
        s.progress.show("features", i, len(keys), (len(keys) - i) * seconds, f"{name} on {machine_type.name}")
        number = FIRST_RUN + i * len(HOGS) * RUNS
        values = measure_features(s.runner, machine_type, s.spec.subjects[name], number, runs)
        s.features.add((machine_type.name, name), values)
        s.featured += 1
    return True


def _colocations(s: _Session, wanted: Sequence[Candidate]) -> bool:
    """Run batch after batch; return whether the budget allowed everything."""
    wanted = _that_fit(s, wanted)
    repeats = s.spec.form.protocol.repeats

    def missing(c: Candidate) -> int:
        key = (c.machine_type, c.members)
        return min(repeats - s.journal.settled[key], MOST_REPEATS * repeats - s.journal.runs[key])

    while open_ := [c for c in wanted if missing(c) > 0]:
        begun = [c for c in open_ if s.journal.runs[c.machine_type, c.members]]
        batch = begun or _next(s, open_)
        if not _run_batch(s, batch, missing, sum(map(missing, wanted))):
            return False
    return True


def _that_fit(s: _Session, wanted: Sequence[Candidate]) -> list[Candidate]:
    types = s.spec.machine_types
    column = {m.name: "working_set_mb" if m.device == "cpu" else "gpu_memory_mb" for m in types.values()}
    sizes = {
        m: {n: v for n in s.spec.subjects if (v := s.features.value((m, n), column[m])) is not None}
        for m in types
    }
    fitting = [c for c in wanted if fits(c, types[c.machine_type], sizes[c.machine_type])]
    s.too_large = len(wanted) - len(fitting)
    return fitting


def _next(s: _Session, waiting: Sequence[Candidate]) -> list[Candidate]:
    """Return the co-locations to measure next."""
    if s.select == "all":
        return list(waiting)
    known = [
        Measured(*key, degradation=float(np.median(values))) for key, values in s.journal.degradations.items()
    ]
    return choose(waiting, known, _BATCH, strategy=s.select, seed=s.spec.form.protocol.seed)


def _run_batch(
    s: _Session, batch: Sequence[Candidate], missing: Callable[[Candidate], int], planned: int
) -> bool:
    """Run a batch in rounds of random order; return whether the budget allowed all of it."""
    while round_ := [c for c in batch if missing(c) > 0]:
        rng = np.random.default_rng([s.spec.form.protocol.seed, s.journal.next_run])
        for i in rng.permutation(len(round_)):
            candidate = round_[i]
            machine_type = s.spec.machine_types[candidate.machine_type]
            seconds = s.runner.estimate_s(machine_type, candidate.members)
            if not s.allows(seconds):
                return False
            everything = s.journal.runs.total()
            text = f"{' + '.join(candidate.members)} on {machine_type.name}"
            left = planned * seconds if s.left_s is None else min(s.left_s, planned * seconds)
            s.progress.show("runs", everything, everything + planned, left, text)
            s.journal.append(s.runner.run(machine_type, candidate.members, s.journal.next_run))
            s.runs += 1
            planned = max(1, planned - 1)
    return True
