"""Coefficients of kernels, and that kernels are compiled as often as needed: not less, not more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np

from planner.generate import generate
from solvers.terms import BOTH, kernel, terms

_ROOT = Path(__file__).parents[2]
_INNER = "from solvers.terms import kernel\n\n\n@kernel\ndef one() -> int:\n    return {}\n"
_OUTER = """from solvers.inner import one
from solvers.terms import kernel


@kernel
def two() -> int:
    return 2 * one()


print(two())
"""


def test_neighbours_are_the_pair_costs_that_are_not_zero() -> None:
    c = generate(models=7, types=3, seed=4).compiled
    sparse = np.where(np.random.default_rng(0).random(c.cost.shape) < 0.5, c.cost, 0)
    c.cost.setflags(write=True)
    c.cost[:] = sparse
    x = terms(c, near=True)
    for k, t in np.ndindex(x.first.shape[0], x.first.shape[1] - 1):
        row = np.zeros(c.replicas.size, dtype=np.int64)
        listed = x.near[x.first[k, t] : x.first[k, t + 1]]
        row[listed[:, 0]] = listed[:, 1]
        assert (row == x.pair[k, t, :, BOTH]).all()
        assert (listed[:, 1] != 0).all()


def test_a_kernel_is_compiled_again_when_one_that_it_calls_changes(tmp_path: Path) -> None:
    """Numba alone would look at the caller's file only, and print 2 both times."""
    folder = tmp_path / "solvers"
    folder.mkdir()
    shutil.copy(_ROOT / "solvers" / "terms.py", folder)
    (folder / "__init__.py").write_text("")
    (folder / "outer.py").write_text(_OUTER)
    for number in (1, 21):
        (folder / "inner.py").write_text(_INNER.format(number))
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import solvers.outer"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == str(2 * number)


@kernel
def _next(number: int) -> int:
    return number + 1


@kernel
def _twice_and_more(number: int) -> int:
    return _next(1) + _next(2) + _next(number)


def test_a_constant_is_no_reason_to_compile_again() -> None:
    assert _twice_and_more(4) == 10
    compiled: Any = _next
    assert len(compiled.overloads) <= 1  # none where the caller was cached
    assert [str(t) for t in compiled.get_call_template((numba.types.literal(1),), {})[2]] == ["int64"]
