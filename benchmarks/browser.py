"""A real browser, driven over a pipe with the DevTools protocol and no library, and a service for it."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SIZES = {"wide": 1280, "phone": 400}


class Browser:
    """A browser with one page, over the DevTools protocol."""

    def __init__(self, profile: Path) -> None:
        chromium = next(path for name in _NAMES if (path := shutil.which(name)))
        here, there = os.pipe(), os.pipe()
        ours = [here[1], there[0]]
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (here[0], there[1])]
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
        ]
        command = [chromium, *flags, f"--user-data-dir={profile}", "about:blank"]
        wired = ["bash", "-c", f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}', "browser", *command]
        self._process = subprocess.Popen(wired, pass_fds=theirs, stderr=subprocess.DEVNULL)
        for end in (*theirs, here[0], there[1]):
            os.close(end)
        self._write, self._read = os.fdopen(ours[0], "wb"), os.fdopen(ours[1], "rb")
        self._number, self._rest = 0, b""
        self.problems: list[str] = []
        self._session: str | None = None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):
            self("Browser.close")
        self._process.wait(20)

    def __call__(self, method: str, **given: Any) -> Any:
        """Have a command done."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if self._session is not None:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            found = self._next()
            if found.get("id") == self._number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                return found["result"]
            self._note(found)

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._read.fileno(), 2**16)
            if not part:
                raise OSError("the browser has gone")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        """Remember what the page's console complains of."""
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"].get("exception", params)))
        entry = params.get("entry", {})
        expected = "status of 4" in entry.get("text", "")  # the errors that are asked for
        if event.get("method") == "Log.entryAdded" and entry["level"] == "error" and not expected:
            self.problems.append(f"{entry['text']} {entry.get('url', '')}")

    def js(self, code: str) -> Any:
        """Return the value of an expression on the page."""
        found = self("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{code}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, code: str, seconds: float = 30.0) -> Any:
        """Wait until an expression on the page is true; return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):  # the page may be changing
                if value := self.js(code):
                    return value
            time.sleep(0.1)
        raise RuntimeError(f"never true: {code}; the page says {self.js('document.body.innerText')[:2000]}")

    def leave(self, code: str, seconds: float = 30.0) -> None:
        """Do what loads another page, and wait for it."""
        self.js("window.here = true")
        self.js(code)
        self.until("window.here !== true && document.readyState === 'complete'", seconds)

    def visit(self, address: str) -> None:
        """Open a page."""
        self.leave(f"void (location.href = {json.dumps(address)})", 90)

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a form."""
        root = self("DOM.getDocument")["root"]["nodeId"]
        node = self("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def key(self, name: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **typed
            )

    def pictures(self, folder: Path, name: str) -> None:
        """Take pictures of the whole page: wide and as on a phone, light and dark; it must fit in width."""
        for size, width in _SIZES.items():
            for scheme in ("light", "dark"):
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                self("Emulation.setEmulatedMedia", features=features)
                mobile = size == "phone"
                metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile}
                self("Emulation.setDeviceMetricsOverride", **metrics)
                time.sleep(0.3)
                fits = self.js("document.documentElement.scrollWidth <= innerWidth")
                assert fits, f"{name} is wider than {width} pixels"
                size_now = self("Page.getLayoutMetrics")["cssContentSize"]
                clip = {"x": 0, "y": 0, "width": width, "height": size_now["height"], "scale": 1}
                shot = self("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
                (folder / f"{name}-{size}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
        self("Emulation.setEmulatedMedia", features=[])
        self("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)


@contextlib.contextmanager
def service(folder: Path, *options: str) -> Iterator[str]:
    """Run a service; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from planner.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--data", str(folder), "--port", str(port), *options]
    log = folder.with_suffix(".log")
    with log.open("wb") as lines:
        process = subprocess.Popen(command, cwd=ROOT, stderr=lines)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: urllib.request.urlopen(f"{address}/healthz", timeout=5).status == 200)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        failed = [line for line in log.read_text().splitlines() if '"level": "error"' in line]
        if failed:
            print(*failed, sep="\n", file=sys.stderr)


def _wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if done():
                return
        time.sleep(0.2)
    raise RuntimeError("the service does not answer")
