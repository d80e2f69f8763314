"""The commands ``hosts`` and ``profile`` refuse and answer in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from planner.cli_measure import app
from planner.measure.spec import EXAMPLE, parse_spec
from planner.reading import parse_yaml


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*arguments])
    return done.exit_code, done.stdout, done.stderr


def test_hosts_prints_one_document() -> None:
    code, out, _ = run("hosts", "--json")
    document = json.loads(out)
    assert code == 0
    assert len(document["id"]) == 8
    assert document["machine_types"]


def test_hosts_ends_with_a_spec() -> None:
    code, out, _ = run("hosts")
    assert code == 0
    parse_spec(parse_yaml(out[out.index("version: 1") :]), Path())


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("version: 1\nmodels: []\nmachine_types: []\n", (), ("spec.yaml", "models", "at least 1")),
        (EXAMPLE.replace("[0, 1]", "[0, 60000]"), (), ("machine_types[0].cores", "60000")),
        (EXAMPLE, ("--select", "best"), ("--select", "active")),
        (EXAMPLE, ("--budget", "-1"), ("--budget", "greater than 0")),
    ],
)
def test_profile_refuses_in_words(
    text: str,
    options: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [line.replace("[0, 1]", "[0]") for line in text.splitlines() if "mine.onnx" not in line]
    (tmp_path / "spec.yaml").write_text("\n".join(lines))
    code, out, errors = run("profile", str(tmp_path / "spec.yaml"), "-o", str(tmp_path / "t.csv"), *options)
    assert (code, out) == (2, "")
    assert all(word in errors for word in words), errors
    assert not (tmp_path / "t.csv").exists()
    assert not (tmp_path / "cache").exists(), "nothing is exported for a command that is refused"


def test_the_help_shows_the_example_of_the_spec() -> None:
    _, out, _ = run("profile", "--help")
    assert "machine_types:" in out
    assert "sharing: shared" in out
