"""Dependencies point one way, and starting the command loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Each may import at its top only what stands before it.
CORE = (
    "errors",
    "names",
    "sizes",
    "consistency",
    "instance",
    "integers",
    "uncertainty",
    "overflow",
    "compiled",
    "plan",
    "rules",
    "evaluate",
    "infeasible",
    "result",
)
HEAVY = (
    *("numpy", "numba", "pandas", "ortools", "pyomo", "highspy"),
    *("pyarrow", "pydantic", "rich", "torch", "scipy", "jinja2", "matplotlib", "fastapi", "httpx"),
)


def modules(package: str) -> dict[str, Path]:
    """Return dotted name -> file of a package's modules."""
    names = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imported(nodes: list[ast.stmt], *, deep: bool) -> Iterator[str]:
    """Yield what statements import at run time, at their top or (``deep``) also inside functions."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported([n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)], deep=deep)
            handlers = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.ExceptHandler)]
            yield from imported([s for handler in handlers for s in handler.body], deep=deep)


def imports(path: Path, *, deep: bool = False) -> set[str]:
    return {*imported(ast.parse(path.read_text(encoding="utf-8")).body, deep=deep)}


def reaches(names: set[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(f"{package}.")}


PLANNER, SOLVERS = modules("planner"), modules("solvers")


def test_imports_are_found(tmp_path: Path) -> None:
    """The other tests rest on this."""
    source = """
from typing import TYPE_CHECKING
import one, two.three
if TYPE_CHECKING:
    import typed
try:
    from four import five
except ImportError:
    import six
class Seven:
    import eight
    def nine(self):
        with open("x"):
            import ten
"""
    (tmp_path / "m.py").write_text(source)
    top = {"one", "two.three", "four", "four.five", "six", "eight", "typing", "typing.TYPE_CHECKING"}
    assert imports(tmp_path / "m.py") == top
    assert imports(tmp_path / "m.py", deep=True) == top | {"ten"}


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_only_what_stands_before_it(module: str) -> None:
    before = {f"planner.{name}" for name in CORE[: CORE.index(module)]}
    found = {name for name in imports(PLANNER[f"planner.{module}"]) if name in PLANNER}
    assert found <= before


def test_there_are_no_import_cycles() -> None:
    graph = {name: imports(path) & {*PLANNER, *SOLVERS} for name, path in (PLANNER | SOLVERS).items()}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & {*graph}}
        assert leaves, f"a cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in PLANNER
        if m not in ("planner", "planner.cli") and not m.startswith(("planner.cli_", "planner.serve."))
    ],
)
def test_only_the_command_line_and_the_service_import_solvers(module: str) -> None:
    assert not reaches(imports(PLANNER[module], deep=True), "solvers")


def test_the_package_itself_imports_lazily() -> None:
    assert not imports(PLANNER["planner"]) & {*PLANNER, *SOLVERS}


@pytest.mark.parametrize("module", SOLVERS)
def test_solvers_import_nothing_that_predicts_measures_or_reports(module: str) -> None:
    found = imports(SOLVERS[module], deep=True)
    for package in ("torch", "planner.degradation", "planner.measure", "planner.report", "planner.cli"):
        assert not reaches(found, package)


def test_the_command_starts_without_heavy_libraries() -> None:
    code = "import sys, planner.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {*done.stdout.split()}
    assert "planner.cli" in loaded
    assert not loaded & {*HEAVY}


def test_names_that_say_nothing_do_not_appear() -> None:
    assert "planner.__main__" not in PLANNER
    packages = ("planner", "solvers", "tests", "benchmarks")
    assert not [path for package in packages for path in (ROOT / package).rglob("utils.py")]
