"""The documents say what is there: each call that they show exists, and each command is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.core
import typer.main

import planner
from planner.cli import app
from solvers import SOLVERS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
_CALL = re.compile(r"(?:^|[`/ ])planner ((?:[a-z]+)(?: [^`\n#|]*)?)", re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def _calls(text: str) -> list[list[str]]:
    """Return the words after ``planner`` of each call in code."""
    return [call.split() for code in _CODE.findall(text) for call in _CALL.findall(code)]


def test_calls_are_found() -> None:
    """The other tests rest on this."""
    text = "a planner of plans; `planner plan x -o y`\n```\n.venv/bin/planner check a b   # why\n```\n"
    assert _calls(text) == [["plan", "x", "-o", "y"], ["check", "a", "b"]]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_call_that_a_document_shows_exists(path: Path) -> None:
    for name, *rest in _calls(path.read_text(encoding="utf-8")):
        assert name in COMMANDS, f"planner {name}"
        command = COMMANDS[name]
        if isinstance(command, typer.core.TyperGroup):
            assert rest[0] in command.commands, f"planner {name} {rest[0]}"
            command = command.commands[rest[0]]
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known | {"--help"}, f"planner {name}"


def test_the_readme_shows_every_command_and_solver() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name, *_ in _calls(text)} == {*COMMANDS}
    assert not [name for name in SOLVERS if f"`{name}`" not in text]


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in DOCUMENTS:
        code = " ".join(_CODE.findall(path.read_text(encoding="utf-8")))
        assert {*re.findall(r"\bmake ([a-z]+)", code)} <= targets, path


def test_every_file_that_a_document_links_to_exists() -> None:
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


@pytest.mark.soak
def test_the_reference_builds_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    where = (f"BIN={Path(sys.executable).parent}", f"READY={tmp_path / 'ready'}", f"DOCS={tmp_path}")
    done = subprocess.run(
        ["make", "-s", "docs", *where], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "planner.html").read_text(encoding="utf-8")
    assert not [name for name in planner.__all__ if f'id="{name}"' not in page]
    assert 'id="solve"' in (tmp_path / "solvers.html").read_text(encoding="utf-8")
    assert (tmp_path / "planner" / "instance.html").exists()
