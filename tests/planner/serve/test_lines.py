"""A field is found at its line."""

from __future__ import annotations

import json

import pytest

from planner.serve.lines import line_of

YAML = "version: 1\nmodels:\n  - name: a\n  - name: b\n    slo_ms: -1\n"


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("models[1].slo_ms", 5),
        ("models[1].name", 4),
        ("models[1]", 4),
        ("models[1].weight", 4),
        ("models", 2),
        ("models[7]", 2),
        ("", 1),
        ("line 3, column 4", 3),
    ],
)
def test_a_field_is_found(field: str, line: int) -> None:
    assert line_of(YAML, field) == line


def test_in_json_too() -> None:
    text = json.dumps({"models": [{"name": "a"}, {"name": "b"}]}, indent=1)
    assert text.splitlines()[line_of(text, "models[1].name") - 1].strip() == '"name": "b"'  # type: ignore[operator]


@pytest.mark.parametrize("text", ["a: [", "\x00", "x" * 3_000_000, "&a [*a]"])
def test_nothing_is_found_in_what_cannot_be_parsed(text: str) -> None:
    line_of(text, "models[1]")
