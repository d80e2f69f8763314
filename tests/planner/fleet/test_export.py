"""`planner export`: what it writes, refuses and leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import writing
from planner.errors import InputError
from planner.files import save_instance
from planner.fleet.export import FORMATS, Options, export
from planner.fleet.layout import layout
from planner.plan_files import plan_document, save_document
from planner.result import Result as Solved
from planner.result import Status, Stop
from tests import tiny
from tests.planner.fleet.samples import run


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The files of :func:`tests.tiny.pair` and of a plan of it."""
    return saved(tmp_path, "gpu: 2 a", "gpu: 2 b")


def saved(folder: Path, *machines: str) -> tuple[Path, Path]:
    instance = tiny.pair()
    save_instance(instance, folder / "pair.yaml")
    solved = Solved(Status.FEASIBLE, Stop.FINISHED, "hand", 0, plan=tiny.plan(instance, *machines))
    save_document(folder / "plan.json", plan_document(instance, solved))
    return folder / "pair.yaml", folder / "plan.json"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_whole(name: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("export", *files, "--format", name, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert f"4 replicas in 2 groups of machines written to {tmp_path / 'out'}" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "pair.yaml", "plan.json"]
    assert (tmp_path / "out").is_file() == (name == "csv")


def test_help_names_every_format() -> None:
    text = run("export", "--help").stdout
    assert all(name in text for name in FORMATS)


def test_an_invalid_plan_is_refused(tmp_path: Path) -> None:
    done = run(
        "export", *saved(tmp_path, "gpu: 2 a", "gpu: 1 b"), "--format", "csv", "-o", tmp_path / "p.csv"
    )
    assert done.exit_code == 1
    assert done.stderr.startswith("refused: the plan is not valid: ")
    assert not (tmp_path / "p.csv").exists()


def test_a_folder_that_is_not_empty_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("export", *files, "--format", "triton", "-o", tmp_path)
    assert done.exit_code == 2
    assert "must be a new folder or an empty one" in done.stderr
    (tmp_path / "empty").mkdir()
    assert run("export", *files, "--format", "triton", "-o", tmp_path / "empty").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "nomad"), "--format: must be one of kubernetes, ray-serve, triton, csv, found 'nomad'"),
        (("--format", "kubernetes", "--image", "a b"), "--image: must be one word"),
        (("--format", "kubernetes", "--image", "x/{name}"), "--image: must be one word"),
        (("--format", "ray-serve", "--import-path", ""), "--import-path: must be one word"),
        (("--format", "kubernetes", "--resource", "disk=memory"), "--resource: must name a resource"),
    ],
)
def test_bad_options_are_refused(
    arguments: tuple[str, ...], said: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    done = run("export", *files, *arguments, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["missing/out", "pair.yaml", "a" * 300])
def test_where_no_folder_can_be_is_refused(path: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    before = {*tmp_path.iterdir()}
    done = run("export", *files, "--format", "kubernetes", "-o", tmp_path / path)
    assert done.exit_code == 2
    assert {*tmp_path.iterdir()} == before


def test_nothing_is_left_behind_when_the_disk_is_full(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = tiny.pair()
    plan = layout(instance, tiny.plan(instance, "gpu: 2 a", "gpu: 2 b"))
    before, write, written = {*tmp_path.iterdir()}, writing._write, []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(writing, "_write", full)
    with pytest.raises(InputError, match="no space left on device"):
        export(plan, "triton", tmp_path / "out", Options())
    assert {*tmp_path.iterdir()} == before
