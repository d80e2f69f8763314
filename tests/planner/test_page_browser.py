"""The page in a real browser: what it shows equals what the checker says, and fits a phone."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from planner.evaluate import evaluate
from planner.files import load_instance, load_plan
from planner.integers import PPM
from tests.planner.pages import Reader, run, save_pair
from tests.planner.test_page import hostile

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this host")
_FRAME = """<iframe id="f" style="width:400px;height:900px;border:0" srcdoc="{page}"></iframe>
<p id="found"></p><script>f.onload = () => {{ const d = f.contentDocument.documentElement;
const narrow = f.contentDocument.querySelector('svg.narrow');
found.textContent = `width ${{d.scrollWidth}} ${{getComputedStyle(narrow).display}}`;
}}</script>"""


def dom(path: Path) -> str:
    """Return a page as the browser has it."""
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--dump-dom",
        f"--user-data-dir={path.parent / 'profile'}",
    ]
    done = subprocess.run(
        [str(CHROMIUM), *flags, f"file://{path}"], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_the_browser_shows_what_the_checker_says(tmp_path: Path) -> None:
    instance, plan = save_pair(tmp_path)
    assert run("report", plan, "--instance", instance, "-o", tmp_path / "p.html").exit_code == 0
    found = Reader(dom(tmp_path / "p.html"))
    asked = load_instance(instance)
    e = evaluate(asked, load_plan(plan, asked))
    assert e.objective is not None
    assert found.one("objective") * PPM == e.objective
    assert found.data["objective"][0][1] == f"{e.objective / PPM:g}"
    assert [int(found.one(key)) for key in ("misses", "machines")] == [e.misses, e.machines_used]


def test_a_phone_shows_it_without_scrolling_sideways(tmp_path: Path) -> None:
    instance, plan = save_pair(tmp_path, hostile())
    assert run("report", plan, "--instance", instance, "-o", tmp_path / "p.html").exit_code == 0
    page = html.escape((tmp_path / "p.html").read_text())
    (tmp_path / "frame.html").write_text(_FRAME.format(page=page))
    assert re.search("width 400 block", dom(tmp_path / "frame.html"))
