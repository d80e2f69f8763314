"""Documents into plain data: YAML and JSON, with limits, read so that no input can do harm.

A document is dictionaries with text keys, lists, text, numbers, booleans and null. JSON is read
by :mod:`planner.json_text` and YAML from its parser's events, so that an alias, a merge key or a tag is
refused before anything is built from it. Scalars follow the core schema of YAML 1.2: ``no`` and
``on`` are text, ``1e3`` is a number, and what is quoted is text.
"""

from __future__ import annotations

import math
import os
import re
import stat
import sys
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from planner.errors import InputError
from planner.json_text import DEPTH, DIGITS, TOO_DEEP, TOO_LARGE, TOO_LONG, field_path, not_text, parse_json

JSON_LIMIT = 32 * 2**20
YAML_LIMIT = 8 * 2**20
_YAML_VALUES = 500_000


def read_document(path: str | Path) -> Any:
    """Return the data in a ``.yaml``, ``.yml`` or ``.json`` file.

    Parameters
    ----------
    path
        A regular file; UTF-8 text of at most 32 MB (JSON) or 8 MB (YAML).

    Raises
    ------
    InputError
        For anything that is not such a file, naming the file, the place, the rule and what was found.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise InputError("must be a .yaml, .yml or .json file", file=str(path), value=suffix)
    try:
        if suffix == ".json":
            return parse_json(_text(path, JSON_LIMIT))
        return parse_yaml(_text(path, YAML_LIMIT))
    except InputError as error:
        raise error.in_file(str(path)) from None


def regular_size(path: Path) -> int:
    """Return the size of a regular file in bytes.

    Raises
    ------
    InputError
        If there is no such file, or it is a directory, a pipe or a device.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise InputError(f"cannot be read: {reason(error)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError("must be a file, found a directory")
    if not stat.S_ISREG(status.st_mode):
        raise InputError("must be a regular file, found a pipe or a device")
    return status.st_size


def reason(error: Exception) -> str:
    """Return what went wrong with a file, in words."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _text(path: Path, limit: int) -> str:
    size, rule = regular_size(path), f"must be at most {limit // 2**20} MB"
    if size > limit:
        raise InputError(rule, value=f"{size / 2**20:,.1f} MB")
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {reason(error)}") from None
    if len(content) > limit:
        raise InputError(rule, value=f"more than {limit / 2**20:,.0f} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_text(error, before=0) from None
    del content
    if sys.getsizeof(text) > 2 * limit:  # a single character beyond U+FFFF makes each take four bytes
        raise InputError(f"must be at most {limit // 2**21} MB of text with characters beyond U+FFFF")
    if "\0" in text:
        raise InputError("must be text, found a NUL character", field=f"byte {text.index(chr(0)) + 1}")
    if not text or text.isspace():
        raise InputError("must not be empty")
    return text


_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # only its events are used
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def plain_scalar(text: str) -> Any:
    """Return what an unquoted scalar means in the core schema of YAML 1.2.

    Raises
    ------
    InputError
        For a number that is infinite, not a number, or of too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > DIGITS:
            raise InputError(TOO_LONG, value=text)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _REAL.fullmatch(text):
        if not math.isfinite(float(text)):
            raise InputError(TOO_LARGE, value=text)
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        raise InputError("must be a finite number", value=text)
    return text


@dataclass(eq=False)
class _Open:
    """A mapping or a list that is being read."""

    data: Any
    key: str | None = None  # of a mapping: the key whose value comes next


@dataclass
class _Builder:
    """Builds data from YAML events, refusing what a document must not hold."""

    stack: list[_Open] = field(default_factory=list)
    roots: list[Any] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self.refuse(event, "anchors and aliases are not allowed", getattr(event, "anchor", None))
        if getattr(event, "tag", None) is not None:
            self.refuse(event, "tags are not allowed", getattr(event, "tag", None))
        if isinstance(event, yaml.DocumentStartEvent) and self.roots:
            self.refuse(event, "must hold one document, found a second one")
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self.stack) >= DEPTH:
                self.refuse(event, TOO_DEEP)
            opened: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self.put(event, opened)
            self.stack.append(_Open(opened))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.stack.pop()
            self.close()

    def scalar(self, event: yaml.ScalarEvent) -> None:
        """Take a key or a value."""
        plain = event.implicit[0]
        if self.stack and isinstance(self.stack[-1].data, dict) and self.stack[-1].key is None:
            if plain and event.value == "<<":
                self.refuse(event, "merge keys are not allowed", "<<")
            if event.value in self.stack[-1].data:
                self.refuse(event, "must not appear twice", event.value)
            self.stack[-1].key = event.value
            return
        try:
            self.put(event, plain_scalar(event.value) if plain else event.value)
        except InputError as error:
            self.refuse(event, error.rule, error.value)
        self.close()

    def put(self, event: yaml.Event, value: Any) -> None:
        """Put a value where it belongs."""
        if not self.stack:
            self.roots.append(value)
        elif isinstance(self.stack[-1].data, list):
            self.stack[-1].data.append(value)
        elif self.stack[-1].key is None:
            self.refuse(event, "a key must be plain text, found a list or a mapping")
        else:
            self.stack[-1].data[self.stack[-1].key] = value

    def close(self) -> None:
        """A value has ended: the mapping around it, if any, waits for its next key."""
        if self.stack:
            self.stack[-1].key = None

    def refuse(self, event: yaml.Event, rule: str, value: Any = None) -> None:
        """Raise an error that says where."""
        inner = self.stack[-1:]  # what is refused is not in it yet
        parts = [len(o.data) - (o not in inner) if isinstance(o.data, list) else o.key for o in self.stack]
        path = "" if rule is TOO_DEEP else field_path(tuple(part for part in parts if part is not None))
        where = _place(event.start_mark)
        raise InputError(rule, field=f"{path} ({where})" if path else where, value=value)


def _place(mark: Any) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"


def parse_yaml(text: str) -> Any:
    """Return the data in a YAML text; the errors have no file yet."""
    builder = _Builder()
    try:
        parser = _Parser(text)
        for event in islice(iter(parser.get_event, None), _YAML_VALUES):
            builder.take(event)
            if isinstance(event, yaml.StreamEndEvent):
                break
        else:
            raise InputError(f"must hold at most {_YAML_VALUES:,} values; use JSON or a degradation table")
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark or error.context_mark)
        raise InputError(f"is not valid YAML: {error.problem or error.context}", field=where) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        first = str(error).partition("\n")[0]
        raise InputError(f"is not valid YAML: {first}") from None
    if not builder.roots:
        raise InputError("must not be empty")
    return builder.roots[0]
