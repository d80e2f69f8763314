"""Uses the pages of the service as a person does, in a real browser, and takes pictures of them.

A service on a free port, in a temporary folder. Instances go in through the form, the curve is watched while
it moves, a job is cancelled with the keyboard alone, plans are reported, explained, compared and re-planned,
mistakes are made. The first thing that is wrong ends it with an error.

    python -m benchmarks.browse -o pictures
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.browser import ROOT, Browser, service
from planner.files import save_instance
from planner.generate import generate
from planner.serve import tokens
from planner.serve.database import Database

INSTANCES = ROOT / "instances"
_SLOW = 400.0  # seconds; a first solve compiles for minutes
HOSTILE = "<script>document.title='taken'</script> \"' \u202eturned\u202c " + "W" * 100


def main() -> None:
    """Do everything; print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the pictures")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        browser = Browser(here / "profile")
        try:
            with service(here / "data", "--workers", "1") as address:
                for use in (submit, explain, replan, watch, mistake, infeasible, queue, nothing):
                    use(browser, address, here, folder)
                    print(f"{use.__doc__}", flush=True)
            token = tokens.add(Database(here / "shared"), "alice")
            with service(here / "shared", "--workers", "1", "--host", "0.0.0.0") as address:
                log_in(browser, address, token, folder)
                print(f"{log_in.__doc__}", flush=True)
        finally:
            browser.close()
    assert not browser.problems, browser.problems
    print("the console of the browser is empty")


def _send(browser: Browser, form: str, solvers: list[str], **values: str) -> None:
    """Fill in a form and queue it."""
    browser.js(
        f"for (const box of document.querySelectorAll('#{form} [name=solvers]'))"
        f" box.checked = {json.dumps(solvers)}.includes(box.value)"
    )
    for name, value in values.items():
        browser.js(f"document.querySelector('#{form} [name={name}]').value = {json.dumps(value)}")
    browser.leave(f"document.querySelector('#{form} button.main').click()")


def submit(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Dropped a file and its table for three solvers, saw them end beside each other, and the report."""
    browser.visit(address)
    browser.pictures(folder, "empty")
    names = ("quickstart.yaml", "quickstart.degradation.csv")
    texts = {name: (INSTANCES / name).read_text() for name in names}
    browser.js(
        f"const files = new DataTransfer(); for (const [name, text] of Object.entries({json.dumps(texts)}))"
        " files.items.add(new File([text], name));"
        " document.querySelector('[data-drop]').dispatchEvent("
        "new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true}))"
    )
    _send(browser, "new", ["auto", "greedy", "least_loaded"], time_limit="5", label="first")
    assert browser.js("location.pathname") == "/compare", browser.js("document.body.innerText")
    browser.until("document.querySelectorAll('#compared .pill').length === 3")
    browser.until(
        "[...document.querySelectorAll('#compared .pill')].every(p => /optimal|feasible/.test(p.innerText))",
        _SLOW,
    )
    browser.until("!!document.querySelector('#results iframe')")
    _frame(browser)
    browser.pictures(folder, "compare")


def _frame(browser: Browser) -> None:
    """Open the report within the page and wait for it."""
    browser.js("document.querySelector('.framed').open = true")
    report = "document.querySelector('iframe').contentDocument"
    browser.until(f"{report}.title.includes('placement report') && {report}.readyState === 'complete'", 90)
    coloured = f"getComputedStyle({report}.querySelector('section')).borderRadius === '12px'"
    assert browser.js(coloured), "the report has lost its style"
    browser.until("parseInt(document.querySelector('iframe').style.height) > 1000")


def explain(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Opened a job, its report within the page, and why its plan is as it is."""
    browser.visit(address)
    browser.leave("[...document.querySelectorAll('td.job a')].find(a => a.innerText.startsWith('2')).click()")
    browser.pictures(folder, "job")
    _frame(browser)
    browser.leave("document.querySelector('a[data-slow]').click()", 90)
    assert "What binds" in browser.js("document.body.innerText")
    browser.pictures(folder, "explanation")


def replan(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Re-planned within two moves and saw which."""
    browser.visit(f"{address}/")
    browser.leave("[...document.querySelectorAll('td.job a')].find(a => a.innerText.startsWith('2')).click()")
    browser.js("document.querySelector('#re [name=max_moves]').value = '2'")
    browser.js("document.querySelector('#re [name=time_limit]').value = '5'")
    browser.leave("document.querySelector('#re button.main').click()")
    browser.until("!!document.querySelector('#moves .steps tbody tr')", _SLOW)
    browser.pictures(folder, "moves")


def watch(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Saw the curve of a running job move, and cancelled it with the keyboard alone."""
    long = generate(name="long", models=40, replicas=800, types=3, feasible=True, seed=1)
    save_instance(long, here / "long.json")
    browser.visit(address)
    browser.choose("#new-instance", here / "long.json")
    browser.choose("#new-table", here / "long.degradation.parquet")
    _send(browser, "new", ["cpsat"], time_limit="600", label=HOSTILE)
    browser.until("document.querySelector('#state').innerText === 'running'", 60)
    seen: list[str] = []
    for _ in range(3):
        known = json.dumps(seen)
        path = "[...document.querySelectorAll('#curve svg.wide path')].map(p => p.getAttribute('d')).join('')"
        seen.append(browser.until(f"(now => !{known}.includes(now) && /L/.test(now) && now)({path})", _SLOW))
    browser.pictures(folder, "running")
    browser.js("document.querySelector('h1').focus(); scrollTo(0, 0)")
    for _ in range(20):
        browser.key("Tab", 9)
        if browser.js("document.activeElement.innerText").startswith("Cancel"):
            break
    assert browser.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.js("window.here = true")
    browser.key("Enter", 13, "\r")
    browser.until("window.here !== true && document.querySelector('#state').innerText === 'cancelled'", 60)
    assert browser.js("document.title").startswith("Job"), "a label became a script"
    browser.pictures(folder, "cancelled")


def mistake(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Made mistakes: a wrong field, shown at its line; a wrong limit, where the file is kept."""
    wrong = here / "wrong.yaml"
    name = "n" * 200
    text = (INSTANCES / "tiny.yaml").read_text().replace("name: tiny", f"name: {name}")
    wrong.write_text(text.replace("slo_ms: 12", "slo_ms: '<b>\u202e'"))
    browser.visit(address)
    browser.choose("#new-instance", wrong)
    _send(browser, "new", ["greedy"])
    assert "slo_ms" in browser.js("document.querySelector('.source .marked').innerText")
    browser.pictures(folder, "mistake")
    wrong.write_text(text)
    browser.choose("#again-instance", wrong)
    _send(browser, "again", ["greedy"], time_limit="-1")
    assert "time_limit" in browser.js("document.querySelector('#trouble').innerText")
    browser.pictures(folder, "limit")
    _send(browser, "again", ["greedy"], time_limit="5")
    browser.until("document.querySelector('#state').innerText === 'feasible'", _SLOW)
    browser.pictures(folder, "long")


def infeasible(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Submitted what has no plan and read what would give it one."""
    browser.visit(address)
    browser.choose("#new-instance", INSTANCES / "infeasible.yaml")
    _send(browser, "new", ["auto"], time_limit="5")
    browser.until("document.querySelector('#state').innerText === 'infeasible'", _SLOW)
    browser.leave("document.querySelector('a[data-slow]').click()", 90)
    assert "What would give it a plan" in browser.js("document.body.innerText")
    browser.pictures(folder, "infeasible")


def queue(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Filtered the list, chose two jobs of one instance and compared them."""
    browser.visit(f"{address}/?state=cancelled")
    assert browser.js("document.querySelectorAll('td.job').length") == 1
    browser.visit(address)
    browser.pictures(folder, "queue")
    boxes = "[...document.querySelectorAll('td.job input')]"
    browser.js(f"{boxes}.at(-1).click()")
    assert browser.js(f"{boxes}.some(b => b.disabled)"), "a job of another instance can be chosen"
    browser.js(f"{boxes}.at(-2).click()")
    browser.leave("document.querySelector('#compare').click()")
    assert browser.js("document.querySelectorAll('#compared tbody tr').length") == 2


def nothing(browser: Browser, address: str, here: Path, folder: Path) -> None:
    """Asked for a job that is not there and got a page that says so."""
    browser.visit(f"{address}/jobs/{'0' * 16}")
    assert "must be the id of a job" in browser.js("document.body.innerText")
    browser.pictures(folder, "nothing")


def log_in(browser: Browser, address: str, token: str, folder: Path) -> None:
    """Was asked for a token, gave a wrong one, then the right one, and logged out."""
    browser.visit(f"{address}/?state=done")
    assert browser.js("location.pathname") == "/login"
    for given, picture in (("wrong", "login"), (token, "logged-in")):
        browser.js(f"document.querySelector('#token').value = {json.dumps(given)}")
        browser.leave("document.querySelector('button.main').click()")
        browser.pictures(folder, picture)
    assert browser.js("location.search + document.cookie") == "?state=done", "a script can read the cookie"
    browser.leave("document.querySelector('.bar button').click()")
    browser.visit(address)
    assert browser.js("location.pathname") == "/login"


if __name__ == "__main__":
    main()
