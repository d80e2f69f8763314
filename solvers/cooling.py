"""Batches of moves at falling temperatures, between two of which the clock is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from solvers.levels import Level
from solvers.run import Run


class Cooling(NamedTuple):
    """How the temperature falls: geometrically, from hot to cold."""

    seconds: float  # for about so long
    moves: int  # for so many moves at most
    batch: int  # moves between two looks at the clock
    hot: float
    cold: float

    def run(
        self, level: Level, run: Run, base: int | None, batch: Callable[[int, float, float], None]
    ) -> None:
        """Make batches of moves, each from one temperature to the next, keeping the level's best state.

        Where the clock runs ahead of the moves, it drives the temperature. With ``base``, the objective at
        cost 0, progress is reported.
        """
        made, began = 0, run.elapsed
        while made < self.moves and not run.stopping and not level.reached(base):
            passed = max(made / self.moves, min((run.elapsed - began) / max(self.seconds, 1e-9), 1.0))
            if passed >= 1.0:
                break
            number = min(self.batch, self.moves - made)
            batch(number, self._at(passed), self._at(passed + number / self.moves))
            made += number
            level.keep()
            level.report(run, base)

    def _at(self, share: float) -> float:
        temperature: float = self.hot * (self.cold / self.hot) ** min(share, 1.0)
        return temperature
