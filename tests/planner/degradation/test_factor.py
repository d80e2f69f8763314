"""Co-location factors from measured sets; the arithmetic is in the comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.degradation.factor import colocation_factors
from planner.degradation.table import Table, read_table

_HEAD = (
    "machine_type,victim,neighbours,run,seed,loop,offered_rps,samples,mean_ms,p50_ms,p90_ms,p95_ms,p99_ms,"
    "solo_samples,solo_mean_ms,solo_p50_ms,solo_p90_ms,solo_p95_ms,solo_p99_ms,degradation,degradation_p50,"
    "degradation_p99,stable,flags,windows,host"
)


def _row(victim: str, neighbours: str, run: int, degradation: float, kind: str = "cpu") -> str:
    mean = 10 * (1 + degradation)
    first = f"{kind},{victim},{neighbours},{run},0,closed,,100,{mean:.6f},,,,,100,10,,,,,"
    return f"{first}{degradation:.6f},,,true,,[],h"


def _table(tmp_path: Path, rows: list[str]) -> Table:
    path = tmp_path / "m.csv"
    path.write_text("\n".join([_HEAD, *rows]) + "\n")
    return read_table(path)


def _pairs(value: float) -> list[str]:
    """Return every pair of a, b, c and d at the same degradation."""
    names = "abcd"
    return [_row(v, u, i, value) for i, (v, u) in enumerate((v, u) for v in names for u in names)]


def _set(members: str, run: int, *values: float) -> list[str]:
    rows = []
    for i, value in enumerate(values):
        others = members[:i] + members[i + 1 :]
        rows.append(_row(members[i], "|".join(sorted(others)), run, value))
    return rows


def test_a_ratio_of_sums_over_sets(tmp_path: Path) -> None:
    """Pairs of 0.1 sum up to 0.2 for each of 9 victims, 1.8; measured 4 x 0.3 + 5 x 0.18 = 2.1."""
    sets = [
        *_set("abc", 100, 0.3, 0.3, 0.3),
        *_set("abd", 101, 0.3, 0.18, 0.18),
        *_set("bcd", 102, 0.18, 0.18, 0.18),
    ]
    (factor,) = colocation_factors(_table(tmp_path, [*_pairs(0.1), *sets]))
    assert (factor.machine_type, factor.replicas, factor.sets) == ("cpu", 3, 3)
    assert factor.factor == pytest.approx(2.1 / 1.8)
    assert 0.89 < factor.lower < factor.factor < factor.upper < 1.51


def test_two_sets_are_too_few(tmp_path: Path) -> None:
    sets = [*_set("abc", 100, 0.3, 0.3, 0.3), *_set("abd", 101, 0.3, 0.2, 0.2)]
    assert not colocation_factors(_table(tmp_path, [*_pairs(0.1), *sets]))


def test_a_set_whose_pairs_were_not_measured_does_not_count(tmp_path: Path) -> None:
    sets = [
        *_set("abc", 100, 0.3, 0.3, 0.3),
        *_set("abd", 101, 0.3, 0.2, 0.2),
        *_set("abx", 102, 0.3, 0.2, 0.2),
    ]
    assert not colocation_factors(_table(tmp_path, [*_pairs(0.1), *sets]))


def test_values_below_zero_count_as_zero(tmp_path: Path) -> None:
    """Each of 9 victims of pairs of 0.1 expects 0.2; one of three suffers 0.2, two gain: 0.6 / 1.8."""
    sets = [s for i, m in enumerate(("abc", "abd", "bcd")) for s in _set(m, 100 + i, 0.2, -0.1, -0.1)]
    (factor,) = colocation_factors(_table(tmp_path, [*_pairs(0.1), *sets]))
    assert factor.factor == pytest.approx(0.6 / 1.8)


def test_without_interference_there_is_nothing_to_multiply(tmp_path: Path) -> None:
    sets = [s for i, m in enumerate(("abc", "abd", "bcd")) for s in _set(m, 100 + i, 0.1, 0.1, 0.1)]
    assert not colocation_factors(_table(tmp_path, [*_pairs(0.0), *sets]))
