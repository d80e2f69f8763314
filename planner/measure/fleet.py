"""Profile and validate on a fleet: each machine type on workers that say that they are one.

See :mod:`.pieces` for how work is divided and :mod:`.piece` for what a worker does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.measure.colocations import colocations
from planner.measure.execute import OnStep, Step, done_of
from planner.measure.features import FeatureTable, features_path
from planner.measure.journal import Colocation, Journal
from planner.measure.piece import Order, Piece, Profiled, execute_piece, measure_piece
from planner.measure.pieces import Pieces, check_fleet
from planner.measure.profile import Outcome, check_options
from planner.measure.progress import Progress
from planner.measure.spec import Spec

if TYPE_CHECKING:
    from planner.cluster.dask_pool import DaskPool

PROFILE_S, VALIDATE_S = 300.0, 60.0  # length of a piece


class _Profile(Pieces):
    """Co-locations and features of a spec."""

    def __init__(self, *given: Any, select: str, progress: Progress) -> None:
        super().__init__(*given)
        self.features = FeatureTable(features_path(self.journal.path))
        self.of = len(colocations(self.spec))
        self.pieces: list[Outcome] = []
        self.featured = 0
        self.too_large: dict[str, int] = {}
        self._select, self._progress = select, progress

    def job(self, order: Order) -> tuple[Callable[..., Profiled], tuple[Any, ...]]:
        beside = self.features.path
        return measure_piece, (self._select, beside.read_text(encoding="utf-8") if beside.exists() else "")

    def taken(self, machine_type: str, piece: Profiled) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.features.path.name
            if piece.features:
                path.write_text(piece.features, encoding="utf-8")
            new = self.features.take(FeatureTable(path), machine_type)
        self.featured += new
        self.pieces.append(piece.outcome)
        self.too_large[machine_type] = piece.outcome.too_large
        return new > 0

    def show(self, what: str) -> None:
        self._progress.show("co-locations", measured(self.spec, self.journal), self.of, self.left_s, what)

    @property
    def ended(self) -> str:
        """How it ended, if nothing interrupted it."""
        if self.lost:
            return f"lost: {', '.join(self.lost)}"
        return "budget" if self.short else "done"


def measured(spec: Spec, journal: Journal) -> int:
    """Return how many co-locations are in a table as often as a spec asks for."""
    return sum(n >= spec.form.protocol.repeats for n in journal.runs.values())


def profile_fleet(
    spec: Spec,
    path: Path,
    pool: DaskPool,
    *,
    progress: Progress,
    say: Callable[[str], object],
    select: str = "active",
    budget_s: float | None = None,
) -> Outcome:
    """Measure what a spec asks for into ``path`` on the workers of a pool, continuing what is there.

    Parameters
    ----------
    spec, path, select, budget_s
        As in :func:`.profile.profile`.
    say
        Told in a line what a person should know.

    Returns
    -------
    Outcome
        Its seconds are summed over all pieces. ``ended`` is ``lost: NAMES`` where pieces of machine types
        were lost again and again.

    Raises
    ------
    InputError
        As :func:`.profile.profile` does, or if no worker has a machine type of the spec.
    """
    check_options(select, budget_s)
    check_fleet(spec.machine_types, pool)
    with Journal(path, spec.sha256, spec.form.model_dump(mode="json")) as journal:
        fleet = _Profile(spec, journal, pool, say, PROFILE_S, budget_s, select=select, progress=progress)
        try:
            fleet.measure(spec.machine_types)
            ended = fleet.ended
        except KeyboardInterrupt:
            ended = "interrupted"
        return _outcome(fleet, ended)


def _outcome(fleet: _Profile, ended: str) -> Outcome:
    journal = fleet.journal

    def total(of: Callable[[Outcome], float]) -> float:
        return sum(map(of, fleet.pieces))

    return Outcome(
        ended=ended,
        runs=int(total(lambda o: o.runs)),
        total_runs=journal.runs.total(),
        colocations=measured(fleet.spec, journal),
        of=fleet.of,
        too_large=sum(fleet.too_large.values()),
        features=fleet.featured,
        flags=dict(sorted(journal.flags.items())),
        rows=journal.rows,
        cut=journal.cut,
        wall_s=total(lambda o: o.wall_s),
        driven_s=total(lambda o: o.driven_s),
        counted_s=total(lambda o: o.counted_s),
        loading_s=total(lambda o: o.loading_s),
    )


class _Validate(Pieces):
    """The co-locations of plans, in rounds."""

    def __init__(self, *given: Any, wanted: Sequence[Colocation], rounds: int, on_step: OnStep) -> None:
        super().__init__(*given)
        self._wanted, self._rounds, self._on_step = wanted, rounds, on_step

    def job(self, order: Order) -> tuple[Callable[..., Piece], tuple[Any, ...]]:
        return execute_piece, ([w for w in self._wanted if w[0] == order.machine_type], self._rounds)

    def show(self, what: str) -> None:
        done = done_of(self._wanted, self.journal, self._rounds)
        self._on_step(Step(done, self._rounds * len(self._wanted), None, what))


def execute_fleet(
    spec: Spec,
    wanted: Sequence[Colocation],
    journal: Journal,
    pool: DaskPool,
    *,
    rounds: int,
    say: Callable[[str], object],
    budget_s: float | None = None,
    on_step: OnStep = lambda _: None,
) -> list[str]:
    """Measure each of ``wanted`` on the workers of a pool until the journal holds ``rounds`` runs of it.

    Parameters
    ----------
    budget_s, on_step
        As in :func:`.execute.execute`.
    say
        Told in a line what a person should know.

    Returns
    -------
    list
        Machine types that were given up, for their workers were lost again and again.

    Raises
    ------
    InputError
        As :func:`.execute.execute` does, or if no worker has a machine type that is wanted.
    """
    machine_types = sorted({machine_type for machine_type, _ in wanted})
    check_fleet(machine_types, pool)
    fleet = _Validate(
        spec, journal, pool, say, VALIDATE_S, budget_s, wanted=wanted, rounds=rounds, on_step=on_step
    )
    fleet.measure(machine_types)
    return fleet.lost
