"""What the service survives and how fast it acknowledges, on a real one in processes of its own.

    python -m benchmarks.service kills --number 500      # SIGKILL to server, workers and solvers
    python -m benchmarks.service load --seconds 60       # 100 submissions a second
    python -m benchmarks.service limits                  # time limits, cancellation, memory limits

Each prints one JSON document and exits with 1 if anything was lost, doubled, late or left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.live_service import Live
from benchmarks.machine import fingerprint
from planner.client import Client
from planner.generate import generate
from planner.plan_checks import check_plan

_SMALL = generate(models=6, types=2, replicas=20, seed=1, feasible=True)
_SLOW = generate(models=120, types=1, replicas=400, machines=8, slots=(60, 60), seed=3)
_PATIENCE_S = 120.0
_BUSY = 0.8  # share of the kills that wait until a job runs
_AUDIT = """
CREATE TABLE IF NOT EXISTS audit (job TEXT);
CREATE TRIGGER IF NOT EXISTS ended AFTER UPDATE OF state ON jobs
    WHEN NEW.state IN ('done', 'failed', 'cancelled') BEGIN INSERT INTO audit VALUES (NEW.id); END;
"""


def kills(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill server, workers and solvers at random moments while jobs come and go."""
    live = Live(folder, "--workers", "2")
    rng = random.Random(options.seed)
    with Client(live.url, patience_s=_PATIENCE_S) as client:
        client.wait(client.submit(_SMALL, time_limit=5)[0]["id"])
        _database(live, _AUDIT)
        acknowledged: list[str] = []
        ending = threading.Event()
        submitting = threading.Thread(target=_submit, args=(live.url, acknowledged, ending))
        submitting.start()
        killed: Counter[str] = Counter()
        working = 0
        processes: set[psutil.Process] = set()
        while sum(killed.values()) < options.number:
            if rng.random() < _BUSY:
                _until_a_job_runs(live)
            time.sleep(rng.uniform(0.0, options.pause))
            what, process, busy = _victim(live, rng)
            if process is None:
                continue
            processes |= {*live.processes()}
            process.kill()
            killed[what] += 1
            working += busy
            if what == "server":
                live.process.wait()
                live.start()
            if sum(killed.values()) % 25 == 0:
                print(f"{sum(killed.values())} kills, {len(acknowledged)} jobs", file=sys.stderr, flush=True)
        ending.set()
        submitting.join()
        ended = [client.wait(job) for job in acknowledged]
        wrong = _wrong_plans(client, folder, ended)
    rows = _database(live, "SELECT job, count(*) FROM audit GROUP BY job HAVING count(*) > 1")
    known = {row[0] for row in _database(live, "SELECT id FROM jobs")}
    intact = _database(live, "PRAGMA integrity_check")[0][0]
    live.close()
    gone = psutil.wait_procs(processes, timeout=10)[1]
    states = Counter(job["state"] for job in ended)
    found: dict[str, Any] = {
        "kills": dict(killed),
        "while_a_job_ran": working / options.number,
        "acknowledged": len(acknowledged),
        "lost": len({*acknowledged} - known),
        "ended": dict(states),
        "ended_twice": len(rows),
        "plans_that_the_checker_refuses": wrong,
        "database": intact,
        "orphans": len(gone),
    }
    bad = found["lost"] or rows or wrong or gone or intact != "ok" or working < 0.6 * options.number
    return found | {"failed": bool(bad or {*states} - {"done", "failed"})}


def _until_a_job_runs(live: Live) -> None:
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            if live.solvers():
                return
        time.sleep(0.02)


def _victim(live: Live, rng: random.Random) -> tuple[str, psutil.Process | None, bool]:
    """Return what to kill: a server, a worker, a nursery's solver; and whether a job runs."""
    try:
        solvers = live.solvers()
        what = rng.choices(("server", "worker", "solver"), (1, 2, 5))[0]
        if what == "server":
            return what, psutil.Process(live.process.pid), bool(solvers)
        found = live.workers() if what == "worker" else solvers
        return what, rng.choice(found) if found else None, bool(solvers)
    except psutil.Error:  # it went while we looked
        return "none", None, False


def _submit(url: str, acknowledged: list[str], ending: threading.Event) -> None:
    """Keep a few jobs waiting."""
    with Client(url, patience_s=_PATIENCE_S) as client:
        seed = 0
        while not ending.is_set():
            if len(client.jobs(state="queued")) < 6:
                seed += 1
                solver = ("auto", "local_search", "milp")[seed % 3]
                jobs = client.submit(_SLOW if seed % 3 else _SMALL, [solver], time_limit=2, seed=seed)
                acknowledged += [job["id"] for job in jobs]
            else:
                time.sleep(0.1)


def _wrong_plans(client: Client, folder: Path, ended: list[dict[str, Any]]) -> int:
    """Return how many plans of jobs that are done break a rule, or have another objective."""
    wrong = 0
    for job in ended:
        if job["objective"] is None:
            continue
        (folder / "plan.json").write_bytes(client.plan(job["id"]))
        instance = _SMALL if job["instance"] == _SMALL.sha256 else _SLOW
        wrong += bool(check_plan(folder / "plan.json", instance).violations)
    return wrong


def load(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Submit at a fixed rate, whether the last one was acknowledged or not."""
    live = Live(folder, "--workers", "1")
    with Client(live.url, patience_s=_PATIENCE_S) as client:
        sha256 = client.upload(_SMALL)
        client.wait(client.submit(_SMALL, time_limit=5)[0]["id"])
    server = psutil.Process(live.process.pid)
    before = server.cpu_times()
    latencies, ids, problems = asyncio.run(_rate(live.url, sha256, options.rate, options.seconds))
    after = server.cpu_times()
    known = {row[0] for row in _database(live, "SELECT id FROM jobs")}
    live.close()
    p50, p99 = np.quantile(latencies, [0.5, 0.99]) * 1e3
    found: dict[str, Any] = {
        "submissions": len(ids) + problems,
        "server_cpu_ms_each": round(
            1e3 * (after.user + after.system - before.user - before.system) / len(latencies), 2
        ),
        "a_second": options.rate,
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(float(max(latencies)) * 1e3, 1),
        "refused": problems,
        "lost": len({*ids} - known),
        "doubled": len(ids) - len({*ids}),
    }
    return found | {"failed": bool(problems or found["lost"] or found["doubled"] or p99 >= 100)}


async def _rate(url: str, sha256: str, rate: float, seconds: float) -> tuple[list[float], list[str], int]:
    latencies: list[float] = []
    ids: list[str] = []
    problems = 0
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False) as client:

        async def one(number: int) -> None:
            nonlocal problems
            body = {"instance": sha256, "solvers": ["greedy"], "time_limit": 1, "key": f"load {number}"}
            began = time.monotonic()
            response = await client.post("/v1/jobs", json=body)
            latencies.append(time.monotonic() - began)
            if response.status_code == 202:
                ids.append(response.json()["jobs"][0]["id"])
            else:
                problems += 1

        began, tasks = time.monotonic(), []
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return latencies, ids, problems


def limits(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Let jobs run to their time limits, cancel some, and give some too little memory."""
    live, rng = Live(folder, "--workers", str(options.workers)), random.Random(options.seed)
    plain, cancelled, small = (max(1, round(options.number * share)) for share in (0.25, 0.5, 0.25))
    with Client(live.url, patience_s=_PATIENCE_S) as client:
        client.wait(client.submit(_SMALL, time_limit=5)[0]["id"])
        kinds: dict[str, str] = {}
        asked = ["plain"] * plain + ["cancel"] * cancelled + ["memory"] * small
        rng.shuffle(asked)
        for kind in asked:
            memory = rng.choice((64, 96, 128)) if kind == "memory" else None
            limit = rng.randint(1, 5)
            (job,) = client.submit(_SLOW, ["local_search"], time_limit=limit, memory_mb=memory)
            kinds[job["id"]] = kind
        cancelling = threading.Thread(target=_cancel, args=(live.url, kinds, rng))
        cancelling.start()
        ended = {job: client.wait(job) for job in kinds}
        cancelling.join()
    time.sleep(1.0)
    left = live.solvers()
    processes = live.processes()
    live.close()
    orphans = psutil.wait_procs(processes, timeout=10)[1]
    over = [job["seconds"] - job["time_limit"] for job in ended.values() if job["seconds"] is not None]
    states = Counter(f"{kind}: {ended[job]['state']}" for job, kind in kinds.items())
    first = states.pop("ended first: done", 0)
    right = {"plain: done": plain, "cancel: cancelled": cancelled - first, "memory: failed": small}
    found: dict[str, Any] = {
        "states": dict(states),
        "ended_before_they_were_cancelled": first,
        "latest_s": round(max(over), 3),
        "over_by_more_than_1_s": sum(late > 1.0 for late in over),
        "notes_that_name_the_memory_limit": sum("memory limit" in job["note"] for job in ended.values()),
        "solvers_left": len(left),
        "orphans": len(orphans),
    }
    return found | {"failed": bool(dict(states) != right or max(over) > 1.0 or left or orphans)}


def _cancel(url: str, kinds: dict[str, str], rng: random.Random) -> None:
    """Cancel half of the jobs while they wait, the others soon after they have begun."""
    jobs = [job for job, kind in kinds.items() if kind == "cancel"]
    with Client(url, patience_s=_PATIENCE_S) as client:
        early = {*rng.sample(jobs, len(jobs) // 2)}
        for job in early:
            client.cancel(job)
        late = [job for job in jobs if job not in early]
        while late:
            for found in client.jobs(state="running"):
                if found["id"] in late:
                    time.sleep(rng.uniform(0.0, 0.9))
                    if client.cancel(found["id"])["state"] == "done":
                        kinds[found["id"]] = "ended first"
                    late.remove(found["id"])
            time.sleep(0.02)


def _database(live: Live, statement: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(live.folder / "data" / "planner.db", timeout=30)) as db:
        if statement == _AUDIT:
            db.executescript(statement)
            return []
        return db.execute(statement).fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True, dest="part")
    for name, does in (("kills", kills), ("load", load), ("limits", limits)):
        part = parts.add_parser(name, help=(does.__doc__ or "").strip())
        part.set_defaults(what=does)
        part.add_argument("--seed", type=int, default=0)
        if name == "load":
            part.add_argument("--rate", type=float, default=100.0)
            part.add_argument("--seconds", type=float, default=60.0)
        else:
            part.add_argument("--number", type=int, default={"kills": 500, "limits": 200}[name])
        if name == "kills":
            part.add_argument("--pause", type=float, default=1.0, help="most seconds that a kill waits")
        if name == "limits":
            part.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    what: Callable[[Path, argparse.Namespace], dict[str, Any]] = options.what
    machine = fingerprint()
    with tempfile.TemporaryDirectory() as folder:
        found = what(Path(folder), options)
    print(json.dumps({"part": options.part, "machine": machine} | found, indent=1))
    sys.exit(found["failed"])


if __name__ == "__main__":
    main()
