"""The notebook runs from top to bottom, and is kept without what it prints."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_first_steps_run() -> None:
    notebook = nbformat.read(EXAMPLES / "first_steps.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    shown = [o.data for o in outputs if o.output_type in ("display_data", "execute_result")]
    assert sum("image/png" in data for data in shown) == 5
    html = [data["text/html"] for data in shown if "text/html" in data]
    results = [text for text in html if "stopped:" in text]
    assert ["optimal" in text or "infeasible" in text for text in results] == [True] * 3
    assert "<td>3.879294</td>" in results[0]
    assert "infeasible" in results[2]
    assert "resnet18" in results[2], "it says why"
