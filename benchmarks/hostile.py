"""Input that means harm, sent to a real service: a typed 4xx within 2 s and 256 MB, each time.

    python -m benchmarks.hostile --generated 5000

Prints one JSON document; exits with 1 if anything was answered otherwise, slowly, or ran.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import random
import socket
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.live_service import Live
from benchmarks.machine import fingerprint
from planner.client import Client
from planner.files import save_instance
from planner.generate import generate

Request = tuple[str, str, dict[str, Any]]
_GOOD = generate(models=4, types=2, replicas=8, seed=1, feasible=True)
_MOST_S, _MOST_MB = 2.0, 256
_WORDS: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, -1e308, 10**30, 0.1, "", "x", "é\u202e<script>", "\ud800", "x" * 10_000),
    *([], {}, [[]], {"": {}}, "../../etc/passwd", "\x00", "no", "1e400", [1] * 1000, {"a": 1}),
)


class Exploit:
    """Runs something when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return exec, (f"open({str(self.marker)!r}, 'w').write('ran')",)


def by_hand(marker: Path, document: dict[str, Any]) -> Iterator[Request]:
    """Yield requests that are made to break something."""
    yield from _uploads(marker, document)
    for path in (
        "../../etc/passwd",
        "%2e%2e%2f%2e%2e",
        "' OR 1=1 --",
        "0" * 17,
        "\u202e",
        "0" * 16,
        "%00" * 16,
    ):
        for end in ("", "/plan", "/report", "/events", "/explanation", "/moves", "/history"):
            yield "GET", f"/v1/jobs/{path}{end}", {}
        yield "GET", f"/v1/instances/{path}", {}
    for query in ("most=0", "most=1e9", "before=-1", "state=x", "before=99999999999999999999999", "most='"):
        yield "GET", f"/v1/jobs?{query}", {}
    for header, value in (("host", "evil.example"), ("origin", "http://evil"), ("x", "y" * 15_000)):
        yield "POST", "/v1/jobs", {"json": {}, "headers": {header: value}}


def _uploads(marker: Path, document: dict[str, Any]) -> Iterator[Request]:
    for path in ("/v1/instances", "/v1/jobs"):
        for kind in (
            "application/json",
            "application/yaml",
            "text/plain",
            "application/octet-stream",
            "",
            "a" * 5000,
        ):
            for body in _bodies(marker):
                yield "POST", path, {"content": body, "headers": {"content-type": kind}}
    for name in (
        "../../x.json",
        "/etc/cron.d/x.json",
        "x\x00.json",
        "a" * 5000 + ".json",
        "x.pkl",
        "x.zip",
        ".json/..",
    ):
        yield "POST", "/v1/instances", {"files": {"instance": (name, b"{}")}}
        yield (
            "POST",
            "/v1/instances",
            {"files": {"instance": ("i.json", b"{}"), "table": (name, b"PAR1PAR1")}},
        )
    escaping = json.dumps(document | {"degradation": {"table": "../../../../etc/passwd"}}).encode()
    for table in (
        b"PAR1" * 1000,
        b"machine_type,victim,aggressor,degradation\n" * 10_000,
        pickle.dumps(Exploit(marker)),
    ):
        for suffix in (".csv", ".parquet"):
            yield (
                "POST",
                "/v1/instances",
                {"files": {"instance": ("i.json", escaping), "table": (f"t{suffix}", table)}},
            )


def _bodies(marker: Path) -> Iterator[bytes]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../../tmp/escaped", b"0" * 1_000_000)
    yield packed.getvalue()
    yield pickle.dumps(Exploit(marker))
    yield f"!!python/object/apply:builtins.exec [\"open({str(marker)!r}, 'w')\"]".encode()
    yield b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (c, c, c - 1, c - 1) for c in range(98, 122))
    yield b"[" * 1_000_000
    yield b'{"a":' * 100_000
    yield b"\x00" * 1000
    yield b"\xff\xfe" * 1000
    yield json.dumps({"version": 1, "models": [{"name": str(i)} for i in range(100_000)]}).encode()
    yield b'{"version": ' + b"1" * 1_000_000 + b"}"
    yield b'{"' + b"k" * 1_000_000 + b'": 1}'
    yield b"[" + b'"a",' * 3_000_000 + b"1]"
    yield b"- ab\n" * 400_000


def generated(document: dict[str, Any], number: int, seed: int) -> Iterator[Request]:
    """Yield requests with good documents that were damaged at random."""
    rng = random.Random(seed)
    asked = {"instance": document, "solvers": ["auto"], "time_limit": 1, "seed": 0, "label": "x"}
    for _ in range(number):
        if rng.random() < 0.5:
            damaged = _damaged(document, rng)
            text = json.dumps(damaged).encode(errors="surrogatepass")
            if rng.random() < 0.3:
                at = rng.randrange(len(text))
                text = text[:at] + rng.randbytes(rng.randrange(1, 9)) + text[at + rng.randrange(9) :]
            kind = rng.choice(("application/json", "application/yaml"))
            yield "POST", "/v1/instances", {"content": text, "headers": {"content-type": kind}}
        else:
            text = json.dumps(_damaged(asked, rng)).encode(errors="surrogatepass")
            yield "POST", "/v1/jobs", {"content": text, "headers": {"content-type": "application/json"}}


def _damaged(document: Any, rng: random.Random) -> Any:
    """Return a copy in which something somewhere is something else, is gone, or is new."""
    copy = json.loads(json.dumps(document))
    for _ in range(rng.randrange(1, 4)):
        at = copy
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and rng.random() < 0.8:
                at = at[key]
                continue
            choice = rng.randrange(3)
            if choice == 0:
                del at[key]
            elif choice == 1 and isinstance(at, dict):
                at[rng.choice(("x", "__proto__", "name", ""))] = rng.choice(_WORDS)
            else:
                at[key] = rng.choice(_WORDS)
            break
    return copy


def raw(port: int) -> Iterator[tuple[str, bytes]]:
    """Yield what is sent as it is: no client would."""
    yield (
        "oversized header",
        b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    )
    yield "many headers", b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"
    yield "no http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 100 + b"\r\n\r\n"
    yield "bad length", b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"
    yield (
        "two lengths",
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    )
    yield "no host", b"GET /v1/jobs HTTP/1.1\r\n\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--generated", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    machine = fingerprint()
    with tempfile.TemporaryDirectory() as name:
        found = _run(Path(name), options)
    print(json.dumps({"machine": machine} | found, indent=1))
    sys.exit(found["failed"])


def _run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    save_instance(_GOOD, folder / "good.json")
    document = json.loads((folder / "good.json").read_text())
    marker = folder / "ran"
    live = Live(folder, "--workers", "1")
    with Client(live.url, patience_s=60) as client:
        client.wait(client.submit(_GOOD, ["greedy"], time_limit=1)[0]["id"])
    statuses: Counter[str] = Counter()
    bad: list[str] = []
    slowest, accepted = 0.0, 0
    hand = list(by_hand(marker, document))
    before = _memory(live)
    most = {name: 0.0 for name in before}
    with httpx.Client(base_url=live.url, timeout=60, trust_env=False) as http:
        for number, (method, path, rest) in enumerate(
            [*hand, *generated(document, options.generated, options.seed)]
        ):
            began = time.monotonic()
            try:
                answer = http.request(method, path, **rest)
            except (httpx.TransportError, httpx.InvalidURL, UnicodeError, ValueError) as error:
                statuses[f"not sent or cut off: {type(error).__name__}"] += 1
                continue
            took = time.monotonic() - began
            slowest = max(slowest, took)
            statuses[str(answer.status_code)] += 1
            fine = answer.status_code < 300 if number >= len(hand) else False
            accepted += fine
            if took > _MOST_S or not (fine or _typed(answer)):
                bad.append(f"{method} {path[:60]} {str(rest)[:120]}: {answer.status_code} in {took:.2f} s")
            for name, used in _memory(live).items():
                most[name] = max(most.get(name, 0.0), used)
    words = Counter(_raw(live.port, data) for _, data in raw(live.port))
    healthy = httpx.get(f"{live.url}/healthz", trust_env=False).json()["status"]
    live.close()
    escaped = [str(path) for path in (marker, Path("/tmp/escaped")) if path.exists()]
    over = {name: round(used) for name, used in most.items() if used > before.get(name, 0.0) + _MOST_MB}
    return {
        "by_hand": len(hand),
        "generated": options.generated,
        "of_those_accepted": accepted,
        "statuses": dict(statuses),
        "raw": dict(words),
        "slowest_s": round(slowest, 3),
        "memory_mb": {name: [round(before.get(name, 0.0)), round(used)] for name, used in most.items()},
        "bad": bad[:20],
        "ran_or_escaped": escaped,
        "healthy": healthy,
        "failed": bool(bad or escaped or over or healthy != "ok"),
    }


def _typed(answer: httpx.Response) -> bool:
    """Return whether an answer is a 4xx that names what is wrong."""
    try:
        return 400 <= answer.status_code < 500 and bool(answer.json()["error"]["rule"])
    except (ValueError, KeyError, TypeError):
        return False


def _memory(live: Live) -> dict[str, float]:
    """Return process -> MB of what reads requests: the server, and its clerks."""
    found = {}
    for name, process in [("server", psutil.Process(live.process.pid)), *_clerks(live)]:
        try:
            found[name] = process.memory_info().rss / 2**20
        except psutil.Error:
            continue
    return found


def _clerks(live: Live) -> list[tuple[str, psutil.Process]]:
    children = psutil.Process(live.process.pid).children()
    return [("clerk", p) for p in children if "planner.seat" in " ".join(p.cmdline())]


def _raw(port: int, data: bytes) -> str:
    """Send bytes; return the status line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            return line.recv(100).split(b"\r\n")[0].decode(errors="replace")
        except OSError as error:
            return type(error).__name__


if __name__ == "__main__":
    main()
