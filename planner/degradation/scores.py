"""The scores of an evaluation as tables, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from planner.degradation.evaluation import Score
from planner.degradation.table import Table as Measurements
from planner.plan_files import version
from planner.report.tables import table
from planner.report.text import plain
from planner.writing import csv_text

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("MAE", "slowdown error", "R²", "R² of log", "rank corr.", "regret", "80 % covers", "95 % covers")
_DIGITS = 6


def tables(scores: Sequence[Score], title: str) -> Iterator[Table | str]:
    """Yield one table for each split, the methods of a machine type together."""
    yield plain(title)
    for split in dict.fromkeys(s.split for s in scores):
        rows = [_row(s) for s in scores if s.split == split]
        order = list(dict.fromkeys(row[0] for row in rows))
        rows.sort(key=lambda row: order.index(row[0]))  # stable: methods stay in their order
        yield table(f"Held out: {split}", ("<machine type", "<method", "rows", *_COLUMNS), rows)


def _row(s: Score) -> tuple[Any, ...]:
    error = f"{100 * s.slowdown_error:.1f} %"
    ratios = (_number(s.r2, 2), _number(s.r2_log, 3), _number(s.spearman, 3), _number(s.regret, 3))
    shares = (None if x is None else f"{100 * x:.0f} %" for x in (s.covered_80, s.covered_95))
    return (s.machine_type, s.method, s.rows, f"{s.mae:.3f}", error, *ratios, *shares)


def _number(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def scores_csv(scores: Sequence[Score]) -> str:
    """Return the scores as CSV, one row each; what is not defined is empty."""
    return csv_text((_rounded(s) for s in scores), [f.name for f in fields(Score)])


def document(measurements: Measurements, scores: Sequence[Score], seed: int, quantity: str) -> dict[str, Any]:
    """Return an evaluation as plain data."""
    return {
        "version": 1,
        "planner": version(),
        "table": measurements.path.name,
        "sha256": measurements.sha256,
        "quantity": quantity,
        "pairs": len(measurements.pairs),
        "seed": seed,
        "scores": [_rounded(s) for s in scores],
    }


def _rounded(score: Score) -> dict[str, Any]:
    return {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in asdict(score).items()}
