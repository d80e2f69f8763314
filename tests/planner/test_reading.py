"""Documents are read as the YAML 1.2 core schema and JSON say, and nothing harmful is read at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InputError
from planner.json_text import parse_json
from planner.reading import JSON_LIMIT, YAML_LIMIT, parse_yaml, plain_scalar, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("+12", 12),
        ("012", 12),
        ("0o14", 12),
        ("0xC", 12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5E-3", -0.0015),
        ("2024-01-01", "2024-01-01"),
        ("e3", "e3"),
        (".", "."),
    ],
)
def test_core_schema(text: str, value: Any) -> None:
    found = plain_scalar(text)
    assert (type(found), found) == (type(value), value)


def test_quoted_scalars_are_text() -> None:
    text = "a: '1'\nb: \"true\"\nc: |\n  1\nd: >-\n  null\n'1': x\n2: y\n"
    assert parse_yaml(text) == {"a": "1", "b": "true", "c": "1\n", "d": "null", "1": "x", "2": "y"}


def test_nested_yaml() -> None:
    text = "a: [1, {b: [2, [3, {}]], c: }]\nd:\n- - e\n  - f: g\n    h: i\n-\n"
    assert parse_yaml(text) == {
        "a": [1, {"b": [2, [3, {}]], "c": None}],
        "d": [["e", {"f": "g", "h": "i"}], None],
    }


@pytest.mark.parametrize(
    ("text", "field", "rule", "value"),
    [
        ("a: 1\nb: &x 2", "b (line 2, column 4)", "anchors and aliases", "x"),
        ("a: *x", "a (line 1, column 4)", "anchors and aliases", "x"),
        ("a: {b: 1, <<: {c: 2}}", "a (line 1, column 11)", "merge keys", "<<"),
        ("a: !!binary xx", "a (line 1, column 4)", "tags", "tag:yaml.org,2002:binary"),
        ("a: !x y", "a (line 1, column 4)", "tags", "!x"),
        ("a:\n  b: 1\n  b: 2", "a (line 3, column 3)", "must not appear twice", "b"),
        ("a: 1\n'a': 2", "line 2, column 1", "must not appear twice", "a"),
        ("a: 1\n---\nb: 2", "line 2, column 1", "one document", None),
        ("a: [0, .nan]", "a[1] (line 1, column 8)", "finite", ".nan"),
        ("- x\n- {a: [1, [2, {b: *x}]]}", "[1].a[1][1].b (line 2, column 19)", "aliases", "x"),
        ("a: -.inf", "a (line 1, column 4)", "finite", "-.inf"),
        ("a: 1e400", "a (line 1, column 4)", "at most 1e308", "1e400"),
        (f"a: {'9' * 41}", "a (line 1, column 4)", "40 digits", "9" * 41),
        ("? [a]\n: b", "line 1, column 3", "plain text", None),
        ("[" * 100_000, "line 1, column 51", "50 levels", None),
        ("a: [1,]]", "line 1, column 8", "not valid YAML", None),
        ("a: b: c", "line 1, column 5", "not valid YAML", None),
        ("a: 'b", "line 1, column 6", "not valid YAML", None),
        ("a: \x07", "", "control characters", None),
        ("# nothing", "", "must not be empty", None),
    ],
)
def test_refused_yaml(text: str, field: str, rule: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text)
    assert rule in caught.value.rule
    assert (caught.value.field, caught.value.value) == (field, value)


@pytest.mark.parametrize(
    ("text", "field", "rule", "value"),
    [
        ('{"a": [0, NaN]}', "a[1]", "finite", "NaN"),
        ('[{"a": -Infinity}]', "[0].a", "finite", "-Infinity"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "a.b", "must not appear twice", "b"),
        ('{"a": 1e400}', "a", "at most 1e308", "1e400"),
        (f'{{"a": {"9" * 5000}}}', "a", "40 digits", "9" * 5000),
        ("[" * 100_000, "line 1, column 51", "50 levels", None),
        ('{"a":' * 100_000, "line 1, column 251", "50 levels", None),
        ('{"a": 1\n,}', "line 2, column 2", "not valid JSON", "}"),
        ("[1, 2", "line 1, column 6", "not valid JSON", "the end of the line"),
        ("[1] 2", "line 1, column 5", "not valid JSON", "2"),
        ("['a']", "line 1, column 2", "not valid JSON", "'a']"),
        ("[" + "0," * 2_000_000 + "0]", "", "at most 2,000,000 values", None),
    ],
)
def test_refused_json(text: str, field: str, rule: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text)
    assert rule in caught.value.rule
    assert (caught.value.field, caught.value.value) == (field, value)


def test_too_many_yaml_values() -> None:
    with pytest.raises(InputError, match="at most 500,000 values"):
        parse_yaml("[" + "0," * 600_000 + "0]")


_TEXT = st.text(st.characters(max_codepoint=0xD7FF), max_size=8)  # YAML has no surrogate pairs
_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(_PLAIN)
def test_json_as_python_reads_it(data: Any) -> None:
    assert parse_json(json.dumps(data)) == data


@given(_PLAIN)
def test_json_is_yaml(data: Any) -> None:
    assert parse_yaml(json.dumps(data)) == data


def test_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_document(path) == [1]


def _error(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_document(path)
    assert caught.value.file == str(path)
    return caught.value


@pytest.mark.parametrize(("suffix", "limit"), [(".json", JSON_LIMIT), (".yaml", YAML_LIMIT)])
def test_a_large_file_is_refused_unread(tmp_path: Path, suffix: str, limit: int) -> None:
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as stream:
        stream.truncate(limit + 1)
    assert f"at most {limit // 2**20} MB" in str(_error(path))


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.json", b"", "must not be empty"),
        ("a.yaml", b" \n", "must not be empty"),
        ("a.json", b"\x89PNG\r\n", "must be UTF-8 text"),
        ("a.yaml", "ä: 1".encode("latin-1"), "must be UTF-8 text"),
        ("a.yaml", b"a: \0", "NUL character"),
        ("a.json", "[1]".encode("utf-16"), "must be UTF-8 text"),
        ("a.txt", b"{}", "must be a .yaml, .yml or .json file"),
        ("a", b"{}", "must be a .yaml, .yml or .json file"),
    ],
)
def test_what_is_not_text(tmp_path: Path, name: str, content: bytes, rule: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert rule in _error(path).rule


def test_what_is_not_a_file(tmp_path: Path) -> None:
    assert "no such file" in _error(tmp_path / "missing.json").rule
    (tmp_path / "folder.json").mkdir()
    assert "a directory" in _error(tmp_path / "folder.json").rule
    os.mkfifo(tmp_path / "pipe.json")
    assert "a pipe" in _error(tmp_path / "pipe.json").rule
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert "cannot be read" in _error(tmp_path / "loop.json").rule
    assert "cannot be read" in _error(tmp_path / ("a" * 300 + ".json")).rule
