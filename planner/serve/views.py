"""Jobs as pages show them: with what they have so far, and how they came to it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from planner.plan_files import exact
from planner.plan_form import History
from planner.report.drawing.shapes import Drawing, Text
from planner.report.figures.figure import NARROW, WIDE, Figure
from planner.report.figures.history import FIRST, Course, draw, reach
from planner.serve.jobs import ENDED, Job, State
from planner.serve.store import Store

_POINTS = 400  # of a curve; more than a screen can show
_PANELS = 12
_EMPTY = 284.0  # pixels: as high as the curve that will stand there
_TONES = {"optimal": "good", "infeasible": "bad", "no_plan": "bad"}


@dataclass(frozen=True)
class View:
    """A job, and what it has: when it has ended, its outcome; while it runs, its last improvement.

    Attributes
    ----------
    seconds
        Of the solve; since the start while it runs.
    moments
        Seconds, objective and bound at each improvement, if they were asked for.
    """

    job: Job
    objective: Decimal | None
    bound: Decimal | None
    seconds: float | None
    moments: History = ()

    @property
    def gap(self) -> float | None:
        """As in :attr:`planner.result.Result.gap`."""
        return gap(self.objective, self.bound)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.job.state in ENDED

    @property
    def words(self) -> str:
        """Where it is, and what it has."""
        job = self.job
        if job.cancel and job.state is State.RUNNING:
            return "being cancelled"
        status = job.outcome.status if job.outcome is not None else None
        if job.state is State.DONE and status:
            return status.replace("_", " ")
        return str(job.state)

    @property
    def tone(self) -> str:
        """How it is coloured."""
        if self.job.state is State.FAILED:
            return "bad"
        if self.job.state is not State.DONE or self.job.outcome is None:
            return "muted" if self.job.state is State.CANCELLED else ""
        return _TONES.get(self.job.outcome.status or "", "")

    @property
    def has_document(self) -> bool:
        """Whether there is a plan file, be it one without a plan."""
        return self.ended and self.job.outcome is not None and self.job.outcome.status is not None

    @property
    def can_explain(self) -> bool:
        """Whether there is a plan to explain, or a proof that there is none."""
        infeasible = self.job.outcome is not None and self.job.outcome.status == "infeasible"
        return self.job.has_plan or (infeasible and self.has_document and self.job.task.replan is None)


def gap(objective: Decimal | None, bound: Decimal | None) -> float | None:
    """Return (objective - bound) / objective; 0 for an objective of 0; None if either is missing."""
    if objective is None or bound is None:
        return None
    return float((objective - bound) / objective) if objective else 0.0


def view(store: Store, job: Job, *, whole: bool = False) -> View:
    """Return a job as it is shown; ``whole`` with how it came to what it has."""
    if job.state in ENDED:
        out = job.outcome
        objective, bound = (
            None if value is None else Decimal(value)
            for value in ((out.objective, out.bound) if out is not None else (None, None))
        )
        taken = out.seconds if out is not None else None
        if taken is None and job.started is not None and job.ended is not None:
            taken = job.ended - job.started
        moments = _moments(store, job) if whole else ()
        if moments and taken is not None and out is not None and moments[-1][1:] != (objective, bound):
            moments = (*moments, (max(taken, moments[-1][0]), objective, bound))
        return View(job, objective, bound, taken, moments)
    if job.state is State.QUEUED or job.started is None:
        return View(job, None, None, None)
    moments = _moments(store, job)
    last = moments[-1][1:] if moments else (None, None)
    return View(job, *last, time.time() - job.started, moments if whole else ())


def views(store: Store, jobs: Iterable[Job], *, whole: bool = False) -> list[View]:
    """Return jobs as they are shown."""
    return [view(store, job, whole=whole) for job in jobs]


def _moments(store: Store, job: Job) -> History:
    rows = store.history(job.id)
    if len(rows) > _POINTS:
        step = (len(rows) - 1) / (_POINTS - 1)
        rows = [rows[round(i * step)] for i in range(_POINTS)]
    known = (row for row in rows if row[2] is not None or row[3] is not None)
    return tuple((max(0.0, at), exact(objective), exact(bound)) for _, at, objective, bound in known)


def curve(shown: Sequence[View]) -> Figure:
    """Return the incumbent and the bound of jobs over time, as far as they are known."""
    drawn = [v for v in shown if v.moments][:_PANELS]
    courses = [_course(v) for v in drawn]
    title = "Incumbent and bound over time"
    if not courses:
        return Figure("curve", title, _nothing(WIDE), _nothing(NARROW), (), ())
    best = min((c.objective for c in courses if c.objective is not None), default=None)
    low, high, cut = reach(courses, best)
    notes = (
        "Solid: the best plan so far; dashed: the proven bound; between them, the gap. Time is logarithmic."
    )
    notes += " Values beyond a panel are drawn at its edge." if cut else ""
    columns = min(4, len(courses))
    earliest = max(FIRST, min(c.moments[0][0] for c in courses))
    last = max(c.seconds for c in courses)
    first = max(FIRST, min(10.0 ** math.floor(math.log10(earliest)), last / 10))
    wide, narrow = (
        draw(courses, room, n, (low, high), first) for room, n in ((WIDE, columns), (NARROW, min(2, columns)))
    )
    return Figure("curve", title, wide, narrow, (), (), (notes, notes))


def _course(v: View) -> Course:
    seconds = v.moments[-1][0] if v.seconds is None else v.seconds
    return Course(f"{v.job.number} {v.job.task.solver}", v.moments, seconds, v.objective, v.bound)


def _nothing(room: float) -> Drawing:
    text = Text(room / 2, _EMPTY / 2, "No plan and no bound yet.", 13, "middle", "muted")
    return Drawing(room, _EMPTY, [text])
