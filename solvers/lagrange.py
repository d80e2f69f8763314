"""Linear programs of integers, and lower bounds on them that no rounding can falsify.

    minimise c.x   subject to   lower <= A x <= upper,   0 <= x <= top       (all integers)

For any multipliers y of the rows the Lagrangian bound

    sum_i min(y_i lower_i, y_i upper_i)  +  sum_j min(0, (c_j - y.A_j) top_j)

is at most the minimum. The program is solved in floating point; its multipliers are rounded to multiples
of 2^-s and the sum is done in integers. So however wrong the floating-point solution is, the bound holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.highs import THREADS, Quiet
from solvers.terms import Ints

Floats = NDArray[np.float64]

#: Stands for no limit of a row.
FREE = 2**62
_ROOM = 2.0**61


@dataclass
class Program:
    """A linear program that grows by columns and rows; attributes are lists of blocks."""

    columns: int = 0
    rows: int = 0
    cost: list[Ints] = field(default_factory=list)
    top: list[Ints] = field(default_factory=list)
    lower: list[Ints] = field(default_factory=list)
    upper: list[Ints] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)

    def add_columns(self, cost: Ints, top: Ints) -> Ints:
        """Append columns with these costs and upper limits; return their numbers."""
        first, self.columns = self.columns, self.columns + cost.size
        self.cost.append(cost)
        self.top.append(top)
        return np.arange(first, self.columns)

    def add_rows(self, row: Ints, column: Ints, value: Ints, lower: Ints, upper: Ints) -> None:
        """Append ``lower.size`` rows from entries whose ``row`` counts from 0 within the block.

        Entries of column -1 stand for variables that are 0, and are left out like entries of value 0.
        """
        row, column, value = (a.ravel() for a in np.broadcast_arrays(row, column, value))
        kept = (value != 0) & (column >= 0)
        self.entries.append((row[kept] + self.rows, column[kept], value[kept]))
        self.lower.append(lower)
        self.upper.append(upper)
        self.rows += lower.size


class Relaxation:
    """A program as HiGHS holds it, solved again and again as rows are added."""

    def __init__(self, program: Program, method: str = "choose") -> None:
        self.program = program
        self.highs = Quiet()
        self.highs.setOptionValue("threads", THREADS)
        self.highs.setOptionValue("solver", method)
        self.stopping = False
        self.highs.cbSimplexInterrupt.subscribe(self._may_go_on)
        self.highs.cbIpmInterrupt.subscribe(self._may_go_on)
        self.cost, self.top = np.concatenate(program.cost), np.concatenate(program.top)
        self.handed = 0
        self.scale: list[Floats] = []
        largest = float(self.cost.max(initial=0))
        self.unit = 2.0 ** max(0, int(np.log2(max(largest, 1.0))) - 10)
        n = program.columns
        self.highs.addVars(n, np.zeros(n), self.top.astype(float))
        self.highs.changeColsCost(n, np.arange(n, dtype=np.int32), self.cost / self.unit)

    def _may_go_on(self, event: Any) -> None:
        event.interrupt(self.stopping)

    def stop(self) -> None:
        """End a solve that runs in another thread."""
        self.stopping = True

    def solve(self, seconds: float) -> None:
        """Hand over the rows that are new and solve."""
        self._hand_rows()
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + max(seconds, 0.01))
        self.highs.run()

    def _hand_rows(self) -> None:
        program, first = self.program, sum(s.size for s in self.scale)
        number = program.rows - first
        if not number:
            return
        entries = zip(*program.entries[self.handed :], strict=True)
        row, column, value = (np.concatenate(part) for part in entries)
        lower, upper = self._limits()
        row = row - first
        order = np.argsort(row, kind="stable")
        row, column, value = row[order], column[order], value[order].astype(float)
        largest = np.ones(number)
        np.maximum.at(largest, row, np.abs(value))
        scale = 2.0 ** -np.floor(np.log2(largest))
        start = np.searchsorted(row, np.arange(number)).astype(np.int32)
        self.highs.addRows(
            number,
            np.where(lower[first:] <= -FREE, -np.inf, lower[first:] * scale),
            np.where(upper[first:] >= FREE, np.inf, upper[first:] * scale),
            value.size,
            start,
            column.astype(np.int32),
            value * scale[row],
        )
        self.scale.append(scale)
        self.handed = len(program.entries)

    def _limits(self) -> tuple[Ints, Ints]:
        return np.concatenate(self.program.lower), np.concatenate(self.program.upper)

    def primal(self) -> Floats:
        """Return the values of the columns, as HiGHS has them."""
        values: Floats = np.maximum(np.array(self.highs.getSolution().col_value), 0.0)
        return values

    def multipliers(self) -> Floats:
        """Return the multipliers of the rows, as HiGHS has them; zeros where it has none."""
        dual = np.array(self.highs.getSolution().row_dual)
        scale = np.concatenate(self.scale)
        return dual * scale * self.unit if dual.size == scale.size else np.zeros(scale.size)

    def bound(self) -> int:
        """Return the Lagrangian bound of HiGHS's multipliers, rounded up, in exact arithmetic."""
        return lagrangian_bound(self.program, self.multipliers())


def lagrangian_bound(program: Program, multipliers: Floats) -> int:
    """Return the least integer that ``multipliers`` prove not to be above the minimum of ``program``."""
    return lagrangian(program, multipliers)[0]


def lagrangian(program: Program, multipliers: Floats) -> tuple[int, Ints]:
    """Return the bound that ``multipliers`` prove, rounded up, and for each column what it adds.

    No solution whose value of column j is at least 1 costs less than the bound plus ``adds[j]``, which is the
    column's reduced cost where that is positive, less one for rounding, and 0 elsewhere; shape (columns,).
    """
    lower, upper = np.concatenate(program.lower), np.concatenate(program.upper)
    top = np.concatenate(program.top)
    exact, reduced, shift = _reduced(program, multipliers)
    side = np.where(exact > 0, lower, np.where(exact < 0, upper, 0))
    negative = reduced < 0
    total = int((exact.astype(object) * side.astype(object)).sum())
    total += int((reduced[negative].astype(object) * top[negative].astype(object)).sum())
    return -(-total >> shift), np.maximum((reduced >> shift) - 1, 0)


def _reduced(program: Program, multipliers: Floats) -> tuple[Ints, Ints, int]:
    """Return multipliers and reduced costs times 2^shift, as exact integers, and the shift.

    Where that could overflow, the multipliers are zeros.
    """
    lower, upper = np.concatenate(program.lower), np.concatenate(program.upper)
    cost = np.concatenate(program.cost)
    row, column, value = (np.concatenate(part) for part in zip(*program.entries, strict=True))
    y = np.where(np.abs(multipliers) < _ROOM, multipliers, 0.0)  # neither infinite nor NaN
    y[(y > 0) & (lower <= -FREE)] = 0.0
    y[(y < 0) & (upper >= FREE)] = 0.0
    size = np.abs(cost).astype(float)
    np.add.at(size, column, np.abs(value * y[row]) + np.abs(value))
    largest = max(float(size.max(initial=1.0)), float(np.abs(y).max(initial=1.0)))
    shift = min(30, int(np.floor(np.log2(_ROOM / largest))))
    if shift < 0:
        y, shift = np.zeros_like(y), 0
    exact = np.rint(y * 2.0**shift).astype(np.int64)
    reduced = cost << shift
    order = np.argsort(column, kind="stable")
    products = (value * exact[row])[order]
    firsts = np.flatnonzero(np.diff(column[order], prepend=-1))
    if products.size:
        reduced[column[order][firsts]] -= np.add.reduceat(products, firsts)
    return exact, reduced, shift
