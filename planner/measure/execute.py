"""Co-locations measured round by round: each of them once a round, in a new random order.

Rounds make the runs of all co-locations span the same time, so that a host that changes in between
changes for all of them. The journal is what is remembered: a call goes on where the last one ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.errors import InputError
from planner.measure.host import Host, this_host
from planner.measure.journal import Colocation, Journal
from planner.measure.runner import Runner
from planner.measure.spec import Spec


@dataclass(frozen=True)
class Step:
    """How many runs are done and there are, seconds that the rest takes if known, and what is next."""

    done: int
    wanted: int
    seconds_left: float | None
    what: str


#: Called before each run.
OnStep = Callable[[Step], object]


def check_covers(spec: Spec, wanted: Sequence[Colocation], file: str) -> None:
    """Refuse a spec that does not say what a machine type or a model of ``wanted`` is.

    Raises
    ------
    InputError
        Naming the first that is missing.
    """
    for machine_type, members in wanted:
        if machine_type not in spec.machine_types:
            rule = "must describe every machine type of the plans"
            raise InputError(rule, field="machine_types", value=machine_type, file=file)
        for model in members:
            if model not in spec.subjects:
                rule = "must describe every model of the plans"
                raise InputError(rule, field="models", value=model, file=file)


def execute(
    spec: Spec,
    wanted: Sequence[Colocation],
    journal: Journal,
    *,
    rounds: int,
    budget_s: float | None = None,
    on_step: OnStep = lambda _: None,
    host: Host | None = None,
) -> bool:
    """Measure each of ``wanted`` until the journal holds ``rounds`` runs of it.

    Parameters
    ----------
    budget_s
        Begin no run that would probably end later than this many seconds from now.
    on_step
        Told what comes next.
    host
        What this one is, if this process sees only a part of it.

    Returns
    -------
    bool
        Whether everything is measured: False if the budget did not allow it.

    Raises
    ------
    InputError
        If a model cannot be loaded at all, or the journal cannot be written.
    """
    began = time.monotonic()
    host, total = host or this_host(), rounds * len(wanted)
    with Runner(spec.subjects, spec.form.protocol, host.id) as runner:
        for round_ in range(rounds):
            order = np.random.default_rng([spec.form.protocol.seed, round_]).permutation(len(wanted))
            for position in order.tolist():
                machine_type, members = key = wanted[position]
                if journal.runs[key] > round_:
                    continue
                kind = spec.machine_types[machine_type]
                seconds = runner.estimate_s(kind, members)
                if budget_s is not None and time.monotonic() - began + seconds > budget_s:
                    return False
                done = done_of(wanted, journal, rounds)
                on_step(Step(done, total, (total - done) * seconds, f"{machine_type}: {' + '.join(members)}"))
                journal.append(runner.run(kind, members, journal.next_run))
    return True


def done_of(wanted: Sequence[Colocation], journal: Journal, rounds: int) -> int:
    """Return how many of the runs that are wanted are in a journal."""
    return sum(min(journal.runs[key], rounds) for key in wanted)
