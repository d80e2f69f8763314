"""The wheel, installed somewhere else, works in a folder whose packages have the names of ours."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from planner.files import save_instance
from tests import tiny

ROOT = Path(__file__).parents[2]
SHADOWS = ("planner", "solvers", "models", "multiprocessing", "numpy")


def run(folder: Path, *command: object) -> str:
    """Run a command in a folder and return what it prints."""
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.soak
def test_a_wheel_does_not_take_the_packages_of_the_folder_it_runs_in(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("planner", "solvers", "pyproject.toml", "README.md", "LICENSE"):
        run(tmp_path, "cp", "-r", ROOT / name, source)
    run(tmp_path, sys.executable, "-m", "venv", tmp_path / "venv", "--without-pip")
    build = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheel", source)
    run(tmp_path, sys.executable, *build)
    (wheel,) = (tmp_path / "wheel").iterdir()
    python = tmp_path / "venv" / "bin" / "python"
    run(tmp_path, sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel)
    packages = Path(
        run(tmp_path, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    home = tmp_path / "home"
    home.mkdir()
    for name in SHADOWS:
        (home / name).mkdir()
        (home / name / "__init__.py").write_text(f"raise SystemExit('the local {name} was imported')")
    save_instance(tiny.pair(), home / "pair.yaml")
    planner = tmp_path / "venv" / "bin" / "planner"
    assert "optimal" in run(home, planner, "plan", "pair.yaml", "--time-limit", 20, "-o", "p.json")
    assert "valid" in run(home, planner, "check", "pair.yaml", "p.json")
    assert "written" in run(home, planner, "report", "p.json", "--instance", "pair.yaml", "-o", "p.html")
    assert "greedy" in run(home, planner, "compare", "pair.yaml", "--solver", "greedy", "--solver", "milp")
    where = run(
        home, python, "-P", "-c", "import planner, solvers; print(planner.__file__, solvers.__file__)"
    )
    assert where.count(str(packages)) == 2
