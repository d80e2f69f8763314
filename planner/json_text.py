"""JSON into plain data, with limits: whole texts, and files whose long lists are taken an item at a time.

Python's own parser does the work. What it would let pass (a key that stands twice, NaN, 1e400, an
integer of a million digits) is noted while it runs and refused with its place when it is done.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from planner.errors import InputError

DEPTH = 50
DIGITS = 40
TOO_LONG = f"must have at most {DIGITS} digits"
TOO_LARGE = "must be a number of at most 1e308"
TOO_DEEP = f"must not be nested deeper than {DEPTH} levels"
_VALUES = 2_000_000
_LISTED = 400_000  # values outside the list that is taken an item at a time
_PIECE = 2**20
_LONGEST = 4 * 2**20  # one value of a file that is read in pieces
_SPACE = re.compile(r"[ \t\r\n]*")

Number = Callable[[str], Any]
Take = Callable[[Any], None]


@dataclass(frozen=True)
class _Bad:
    """Stands in a document where something is wrong; found again to say where."""

    rule: str
    value: Any
    key: str | None = None


@dataclass
class _Hooks:
    """What the JSON parser calls; keeps what is wrong so that the parser can go on to the end."""

    number: Number = float
    bad: list[_Bad] = field(default_factory=list)

    def decoder(self) -> json.JSONDecoder:
        """Return a parser that calls these."""
        return json.JSONDecoder(
            object_pairs_hook=self.mapping,
            parse_int=self.integer,
            parse_float=self.real,
            parse_constant=self.constant,
        )

    def note(self, rule: str, value: Any, key: str | None = None) -> _Bad:
        self.bad.append(_Bad(rule, value, key))
        return self.bad[-1]

    def mapping(self, pairs: list[tuple[str, Any]]) -> Any:
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        return self.note("must not appear twice", twice, twice)

    def integer(self, digits: str) -> Any:
        return int(digits) if len(digits) <= DIGITS else self.note(TOO_LONG, digits)

    def real(self, digits: str) -> Any:
        if not math.isfinite(float(digits)):
            return self.note(TOO_LARGE, digits)
        try:
            return self.number(digits)
        except ArithmeticError:  # of a decimal whose exponent has too many digits
            return self.note("must be 0 or a number of at least 1e-308", digits)

    def constant(self, name: str) -> Any:
        return self.note("must be a finite number", name)

    def check(self, data: Any, *inside: str | int) -> None:
        """Refuse ``data``, which stands in a document at ``inside``, if anything in it is wrong."""
        if self.bad:
            path, first = next(_find(data, inside))
            raise InputError(first.rule, field=field_path(path), value=first.value)


def parse_json(text: str) -> Any:
    """Return the data in a JSON text; the errors have no file yet."""
    if _values(text) > _VALUES:
        raise InputError(f"must hold at most {_VALUES:,} values; use a degradation table for pairs")
    hooks = _Hooks()
    try:
        data = hooks.decoder().decode(text)
    except json.JSONDecodeError as error:
        found = text[error.pos : error.pos + 40].partition("\n")[0] or "the end of the line"
        rule = f"is not valid JSON: {error.msg.lower()}"
        raise InputError(rule, field=_position(text, error.pos), value=found) from None
    except RecursionError:
        raise InputError(TOO_DEEP, field=_deep(text)) from None
    hooks.check(data)
    return data


def _values(text: str) -> int:
    """Return about how many values a JSON text holds, at least."""
    return sum(map(text.count, ",:[{"))


def _find(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], _Bad]]:
    """Yield the path of everything that is wrong in ``data``, and what it is."""
    if isinstance(data, _Bad):
        yield path if data.key is None else (*path, data.key), data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _find(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _find(value, (*path, i))


def not_text(error: UnicodeDecodeError, before: int) -> InputError:
    """Return the error of a file that is not UTF-8; ``before`` bytes of it came before those at hand."""
    found = error.object[error.start : error.end]
    return InputError("must be UTF-8 text", field=f"byte {before + error.start + 1}", value=found)


def field_path(parts: tuple[str | int, ...]) -> str:
    """Return a field's path in words, e.g. ``models[2].slo_ms``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _position(text: str, offset: int, lines: int = 0, columns: int = 0) -> str:
    """Return a place in words; ``lines`` and ``columns`` of the last one came before the text."""
    line = text.count("\n", 0, offset)
    column = offset - text.rfind("\n", 0, offset) + (0 if line else columns)
    return f"line {lines + line + 1}, column {column}"


_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def _deep(text: str) -> str:
    """Return where the nesting of a JSON text is first deeper than the limit."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match.group(), 0)
        if depth > DEPTH:
            return _position(text, match.start())
    return ""


def stream_json(path: Path, taken: str, take: Take, *, number: Number) -> Any:
    """Return the mapping in a JSON file, one of whose lists is handed over an item at a time.

    The file is never in memory as a whole: it may be as large as that list needs it to be.

    Parameters
    ----------
    path
        UTF-8 text.
    taken
        The name of the list; it is empty in what is returned.
    take
        Called with each of its items, in order.
    number
        What makes a number that is not an integer from its text.

    Raises
    ------
    InputError
        If this is not JSON, or holds too much beside that list; it has no file yet.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as stream:
        return _Stream(stream, taken, take, number).document()


class _Stream:
    """A JSON document that is read in pieces."""

    def __init__(self, stream: BinaryIO, taken: str, take: Take, number: Number) -> None:
        self.bytes, self.taken, self.take = stream, taken, take
        self.hooks = _Hooks(number)
        self.scan = self.hooks.decoder().raw_decode
        self.decode = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.read, self.ended = "", 0, 0, False
        self.lines = self.columns = 0  # of the text that is no longer kept
        self.values = 0

    def more(self) -> bool:
        """Read on; forget the text before the present place."""
        if self.ended:
            return False
        piece = self.bytes.read(max(_PIECE, len(self.text) - self.at))
        self.read += len(piece)
        self.ended = not piece
        try:
            text = self.decode.decode(piece, final=self.ended)
        except UnicodeDecodeError as error:
            raise not_text(error, before=self.read - len(error.object)) from None
        before = self.text[: self.at]
        self.lines += before.count("\n")
        self.columns = len(before) - before.rfind("\n") - 1 + ("\n" not in before) * self.columns
        self.text, self.at = self.text[self.at :] + text, 0
        return True

    def ahead(self) -> str:
        """Return the next character that is not space, without taking it; empty at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = self.at if match is None else match.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def expect(self, characters: str) -> str:
        """Take the next character, one of these."""
        found = self.ahead()
        if not found or found not in characters:
            self.refuse(f"expecting {' or '.join(map(repr, characters))}", self.at)
        self.at += 1
        return found

    def closed(self, bracket: str) -> bool:
        """Take this bracket if it is next: nothing stands between it and the one that opened."""
        empty = self.ahead() == bracket
        self.at += empty
        return empty

    def refuse(self, what: str, at: int) -> None:
        """Raise an error that says where in the file."""
        if "\0" in self.text[at : at + 1]:
            what = "a NUL character"
        found = self.text[at : at + 40].partition("\n")[0] or "the end of the line"
        where = _position(self.text, at, self.lines, self.columns)
        raise InputError(f"is not valid JSON: {what}", field=where, value=found)

    def value(self, *inside: str | int) -> Any:
        """Take the next value; ``inside`` is where it stands."""
        self.ahead()
        while True:
            self.hooks.bad.clear()
            try:
                data, end = self.scan(self.text, self.at)
                if end < len(self.text) or not self.more():
                    break  # else a number might go on
                continue
            except json.JSONDecodeError as error:
                message, place = error.msg.lower(), error.pos - self.at
            except RecursionError:
                where = _position(self.text, self.at, self.lines, self.columns)
                raise InputError(TOO_DEEP, field=field_path(inside) or where) from None
            size = len(self.text) - self.at
            if size > _LONGEST and (place + 20 > size or message.startswith("unterminated")):
                rule = f"must be at most {_LONGEST // 2**20} MB of text"
                raise InputError(rule, field=field_path(inside), value=f"{size / 2**20:,.1f} MB or more")
            if size > _LONGEST or not self.more():
                self.refuse(message, self.at + place)
        if inside[:1] != (self.taken,):
            self.values += _values(self.text[self.at : end])
            if self.values > _LISTED:
                raise InputError(f"must hold at most {_LISTED:,} values besides {self.taken!r}")
        self.at = end
        self.hooks.check(data, *inside)
        return data

    def document(self) -> Any:
        """Take the whole document."""
        if not self.ahead():
            raise InputError("must not be empty")
        data = self.mapping() if self.ahead() == "{" else self.value()
        if self.ahead():
            self.refuse("extra data", self.at)
        return data

    def mapping(self) -> dict[str, Any]:
        """Take a mapping, its lists an item at a time."""
        result: dict[str, Any] = {}
        self.expect("{")
        closed = self.closed("}")
        while not closed:
            if self.ahead() != '"':
                self.refuse("expecting property name enclosed in double quotes", self.at)
            key = self.value()
            if key in result:
                raise InputError("must not appear twice", field=key, value=key)
            self.expect(":")
            result[key] = self.items(key) if self.ahead() == "[" else self.value(key)
            closed = self.expect(",}") == "}"
        return result

    def items(self, key: str) -> list[Any]:
        """Take a list, an item at a time."""
        result: list[Any] = []
        take = self.take if key == self.taken else result.append
        self.expect("[")
        closed = self.closed("]")
        i = 0
        while not closed:
            take(self.value(key, i))
            closed = self.expect(",]") == "]"
            i += 1
        return result
