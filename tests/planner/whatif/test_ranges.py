"""Ranges hold the values that were written, and a bad one names its flag."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from planner.errors import InputError
from planner.whatif import ranges


def test_counts_step_from_low_and_stay_below_high() -> None:
    assert ranges.counts("4..6", "machines") == [4, 5, 6]
    assert ranges.counts("4..9:2", "machines") == [4, 6, 8]
    assert ranges.counts("0..0", "machines") == [0]


def test_decimals_are_exact_and_hold_both_ends() -> None:
    tenth = Fraction(1, 10)
    assert ranges.decimals("0.8..1.1:4", "slo") == [8 * tenth, 9 * tenth, 1, 11 * tenth]
    assert ranges.decimals("1..2", "growth") == [1 + tenth * i for i in range(11)]
    assert ranges.decimals("1.5..1.5:7", "growth") == [Fraction(3, 2)]
    assert ranges.decimals("0..1:2", "price", zero=True) == [0, 1]


def test_a_name_may_hold_what_separates_it() -> None:
    assert ranges.named("a=b:c=4..6:2", "machines", "TYPE") == ("a=b:c", "4..6:2")


def test_labels_are_short() -> None:
    assert [ranges.label(v) for v in (Fraction(12), Fraction(1, 3), Fraction(11, 10))] == [
        "12",
        "0.333333333",
        "1.1",
    ]


@pytest.mark.parametrize(
    ("parse", "text", "rule"),
    [
        (ranges.counts, "", "LOW..HIGH"),
        (ranges.counts, "4", "LOW..HIGH"),
        (ranges.counts, "4..5.5", "whole numbers"),
        (ranges.counts, "-1..5", "LOW..HIGH"),
        (ranges.counts, "4..6:", "LOW..HIGH"),
        (ranges.counts, "9..4", "LOW above HIGH"),
        (ranges.counts, "4..9:0", "STEP"),
        (ranges.counts, "0..200", "at most 200 values"),
        (ranges.counts, "\u0661..\u0662", "LOW..HIGH"),
        (ranges.decimals, "1..two", "LOW..HIGH"),
        (ranges.decimals, "1..inf", "LOW..HIGH"),
        (ranges.decimals, "2..1", "LOW above HIGH"),
        (ranges.decimals, "0..1", "above 0"),
        (ranges.decimals, "1..2:1", "from 2 to 200"),
        (ranges.decimals, "1..2:201", "from 2 to 200"),
        (ranges.decimals, "123456789..123456789.1:200", "differ"),
    ],
)
def test_bad_ranges_name_the_flag(parse: Callable[[str, str], object], text: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as caught:
        parse(text, "flag")
    assert (caught.value.field, caught.value.value) == ("flag", text)


@pytest.mark.parametrize("text", ["4..6", "=4..6"])
def test_a_missing_name_names_the_flag(text: str) -> None:
    with pytest.raises(InputError, match=r"TYPE=LOW\.\.HIGH") as caught:
        ranges.named(text, "machines", "TYPE")
    assert caught.value.field == "machines"
