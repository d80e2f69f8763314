"""Quantities of Kubernetes, by its own rules."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.errors import InputError
from planner.fleet.quantities import quantity

GOOD = {
    "250m": Fraction(1, 4),
    "16Gi": 16 * 2**30,
    "1.5Ki": 1536,
    "1e3": 1000,
    "1E3": 1000,
    "1E": 10**18,
    "1Ei": 2**60,
    "12e-1": Fraction(6, 5),
    ".5": Fraction(1, 2),
    "5.": 5,
    "+2k": 2000,
    "100u": Fraction(1, 10_000),
    "1n": Fraction(1, 10**9),
    "0.1n": Fraction(1, 10**9),  # rounded up
    "-0": 0,
}
BAD = (
    "",
    " 1",
    "1 Gi",
    "1gi",
    "1K",
    "1e",
    "1e+",
    "0x1",
    "--1",
    "1.2.3",
    "\u0661",
    "1" * 65,
    "1e9999",
    "Gi",
    ".",
)


@pytest.mark.parametrize("text", GOOD)
def test_a_quantity_is_exact(text: str) -> None:
    assert quantity(text, "cpu") == GOOD[text]


def test_numbers_are_quantities() -> None:
    assert quantity(4, "cpu") == 4
    assert quantity(Decimal("0.25"), "cpu") == Fraction(1, 4)


@pytest.mark.parametrize("value", [*BAD, None, True, 1.5, [], {}])
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="must be a Kubernetes quantity"):
        quantity(value, "cpu")


@pytest.mark.parametrize("value", ["-1", "1e25", "-1n", 10**30, Decimal("1E+60")])
def test_what_no_machine_has_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"cpu: must be (from 0 to 1e24|a Kubernetes)"):
        quantity(value, "cpu")
