"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.errors import InputError
from planner.reading import reason


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Return rows as CSV with a header, by default the fields of the first; what is None is empty."""
    text, rows = io.StringIO(), list(rows)
    fields = columns or list(next(iter(rows), ()))
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_atomically(path: str | Path, data: str | bytes) -> None:
    """Write ``data`` to ``path``: to a temporary file beside it that then takes its name.

    Raises
    ------
    InputError
        If that is not possible; then nothing is left behind and an older file is as it was.
    """
    write_together({Path(path): data})


def write_together(files: Mapping[Path, str | bytes]) -> None:
    """Write several files; none of them appears before all of their content is on the disk.

    Raises
    ------
    InputError
        If one of them cannot be written, naming it.
    """
    staged: dict[Path, Path] = {}  # temporary file -> the name that it will take
    try:
        for path, data in files.items():
            check_writable(path)
            target = path.resolve()
            temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
            staged[temporary] = target
            with _named(path):
                _write(temporary, data.encode() if isinstance(data, str) else data)
        for temporary, target in staged.items():
            with _named(target):
                temporary.replace(target)
    finally:
        for temporary in staged:
            temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Refuse a path where no file can be written, before work is done for it.

    Raises
    ------
    InputError
        If its folder is missing or not writable, or something other than a file has that name.
    """
    path = Path(path)
    try:
        target = path.resolve()
        if not target.parent.is_dir():
            raise InputError("must be in a folder that exists", file=str(path), value=str(path.parent))
        if target.exists() and not target.is_file():
            raise InputError("must not be a directory, a pipe or a device", file=str(path))
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError("must be in a folder that can be written to", file=str(path))
    except (OSError, ValueError, RuntimeError) as error:  # too long a name, a NUL in it, a loop of links
        raise InputError(f"cannot be written: {reason(error)}", file=str(path)) from None


def write_folder(path: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a folder with these files in it, given by their paths below it: all of it or nothing.

    Raises
    ------
    InputError
        If it cannot be written, or is there already and not empty.
    """
    check_new_folder(path)
    target = path.resolve()
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with _named(path):
            for name, data in files.items():
                file = temporary / name
                file.parent.mkdir(parents=True, exist_ok=True)
                _write(file, data.encode() if isinstance(data, str) else data)
            temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_new_folder(path: Path) -> None:
    """Refuse a path where no folder can be written, or where one is that is not empty.

    Raises
    ------
    InputError
        If so.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_dir():
            raise InputError("must be a folder, found a file", file=str(path))
        if target.is_dir() and any(target.iterdir()):
            raise InputError("must be a new folder or an empty one", file=str(path))
        if not target.parent.is_dir():
            raise InputError("must be in a folder that exists", file=str(path), value=str(path.parent))
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError("must be in a folder that can be written to", file=str(path))
    except (OSError, ValueError, RuntimeError) as error:  # too long a name, a NUL in it, a loop of links
        raise InputError(f"cannot be written: {reason(error)}", file=str(path)) from None


def make_folder(path: Path) -> None:
    """Make a folder unless it is there.

    Raises
    ------
    InputError
        If that is not possible.
    """
    with _named(path):
        path.mkdir(parents=True, exist_ok=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be written: {reason(error)}", file=str(path)) from None
