"""The pages of the service: what they say and do, and that what users write stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from planner.files import save_instance
from planner.instance import Instance
from planner.plan_files import plan_document, render
from planner.result import Result, Status, Stop
from planner.serve import chores
from planner.serve.clerk import Clerk
from planner.serve.jobs import Job, Outcome, State, StoredInstance, Task
from planner.serve.service import Limits, Service
from tests import tiny
from tests.planner.pages import Reader, solved
from tests.planner.serve.browsing import browser, read, words

HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202eturned " + "w" * 90


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service without processes: chores are done here."""

    def ask(_: Clerk, chore: Any, *arguments: Any, seconds: float, stop: Any = None) -> Any:
        return chore(*arguments)

    monkeypatch.setattr(Clerk, "ask", ask)
    made = Service(tmp_path / "data", 0, Limits(600, 1024))
    yield made
    made._committer.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    return browser(service)


def stored(service: Service, instance: Instance | None = None) -> StoredInstance:
    found = chores.stored(instance or tiny.pair())
    service.store.add_instance(found, found.sha256)
    return found


def queued(service: Service, found: StoredInstance, **task: Any) -> str:
    given = Task(**{"solver": "greedy", "memory_mb": 1024, **task})
    with service.database.writing() as db:
        return service.store.submit(db, found.sha256, [given], "local")[0]


def running(service: Service, found: StoredInstance, **task: Any) -> Job:
    job = queued(service, found, **task)
    claimed = service.store.claim("w")
    assert claimed is not None
    assert claimed.id == job
    return claimed


def done(service: Service, found: StoredInstance, objective: int, bound: int | None, **task: Any) -> str:
    """Return a job of :func:`tests.tiny.pair` that has ended with its best plan, or a worse one."""
    job = running(service, found, **task)
    where = ("gpu: 2 a", "gpu: 2 b") if objective == 1_000_000 else ("gpu: 1 a + 1 b", "gpu: 1 a + 1 b")
    result = solved(tiny.plan(tiny.pair(), *where), objective, bound, job.task.solver)
    assert service.store.finish(job, outcome(result, chores.restored(found)))
    return job.id


def outcome(result: Result, instance: Instance) -> Outcome:
    objective, bound = (None if v is None else f"{v / 1e6:.6f}" for v in (result.objective, result.bound))
    document = render(plan_document(instance, result)).encode()
    found = Outcome(State.DONE, result.status, result.stop, objective, bound, result.gap, 1.0, "a note <b>")
    return replace(found, document=document)


def upload(client: TestClient, text: str, *, name: str = "i.yaml", **values: Any) -> Response:
    response: Response = client.post("/jobs", data=values, files={"instance": (name, text.encode())})
    return response


def document(instance: Instance, tmp_path: Path) -> str:
    save_instance(instance, tmp_path / "i.json")
    return (tmp_path / "i.json").read_text()


def test_the_queue_lists_jobs_and_narrows_them(client: TestClient, service: Service) -> None:
    found = stored(service)
    assert "No jobs yet" in words(read(client.get("/")))
    done(service, found, 1_000_000, 1_000_000)
    ids = [queued(service, found, label=f"number {i}") for i in range(51)]
    page = words(read(client.get("/")))
    assert "no worker runs" in page
    assert "queued 51" in page
    assert "number 50" in page
    assert "number 0 " not in page
    (older,) = re.findall(r'href="(/\?before=\d+)"', client.get("/").text)
    assert "number 0 " in words(read(client.get(older)))
    assert "Newest" in words(read(client.get(older)))
    assert ids[0] not in client.get("/?state=done").text
    assert "1 0 % 1.00 s" in words(read(client.get("/?state=done")))
    assert "Only jobs of one instance" in words(read(client.get(f"/?instance={found.sha256}")))
    assert "No such jobs" in words(read(client.get("/?state=failed")))
    read(client.get("/?state=odd"), 422)


def test_what_users_write_stays_text(client: TestClient, service: Service, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>" + "n" * 100 + "שלום\"'"
    odd = stored(service, replace(tiny.pair(), name=name))
    first = done(service, odd, 1_000_000, None, label=HOSTILE)
    second = queued(service, odd, label=HOSTILE, solver="auto")
    pages = ["/", f"/jobs/{first}", f"/jobs/{second}", f"/jobs/{first}/explanation", "/jobs/<script>"]
    for address in (*pages, f"/compare?job={first}&job={second}"):
        page = read(client.get(address), 404 if "<" in address else 200)
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", "".join(page.words))
    assert name in words(read(client.get("/")))
    read(upload(client, HOSTILE, name=HOSTILE), 422)
    wrong = document(replace(tiny.pair(), name=name), tmp_path)
    shown = read(upload(client, wrong, name="i.json", solvers="greedy", label=HOSTILE * 9), 422)
    assert "label: String should have at most 200" in words(shown)


def test_a_job_on_its_way(client: TestClient, service: Service) -> None:
    found = stored(service)
    job = queued(service, found, label="slow")
    page = read(client.get(f"/jobs/{job}"))
    assert "No plan and no bound yet." in words(page)
    assert f"/v1/jobs/{job}/events" in {a.get("data-events") for _, a in page.tags}
    claimed = service.store.claim("w")
    assert claimed is not None
    service.store.beat(claimed, [(0.1, None, None), (0.5, 3_000_000, None), (2.0, 2_000_000, 1_500_000)])
    shown = words(read(client.get(f"/jobs/{job}")))
    assert "Best objective so far 2 Proven gap 25 % bound 1.5" in shown
    assert 'stroke-dasharray="4 3"' in client.get(f"/jobs/{job}").text
    response = client.post(f"/jobs/{job}/cancel", data={"next": f"/jobs/{job}"})
    assert (response.status_code, response.headers["location"]) == (303, f"/jobs/{job}")
    assert "being cancelled" in words(read(client.get(f"/jobs/{job}")))
    service.store.give_back(claimed, "it died")
    assert "Retry" in words(read(client.get(f"/jobs/{job}")))
    assert client.post(f"/jobs/{job}/retry").headers["location"] == "/"
    assert service.job(job).state is State.QUEUED
    assert "must have failed or been cancelled" in words(read(client.post(f"/jobs/{job}/retry"), 409))


def test_a_job_that_is_done(client: TestClient, service: Service) -> None:
    job = done(service, stored(service), 1_000_000, 1_000_000)
    page = read(client.get(f"/jobs/{job}"))
    assert "optimal" in words(page)
    assert "a note <b>" in words(page)
    assert not [a for _, a in page.tags if "data-events" in a]
    targets = {a.get("href") for _, a in page.tags}
    assert {f"/v1/jobs/{job}/report", f"/v1/jobs/{job}/plan", f"/jobs/{job}/explanation"} <= targets
    assert {"re", "again"} <= {a.get("id") for tag, a in page.tags if tag == "form"}
    assert "What binds" in words(read(client.get(f"/jobs/{job}/explanation")))
    report = client.get(f"/v1/jobs/{job}/report")
    assert "style-src 'self' 'unsafe-inline'" in report.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in report.headers["content-security-policy"]
    assert "<script" not in report.text
    assert "placement report" in report.text


def test_a_job_without_a_plan(client: TestClient, service: Service) -> None:
    instance = tiny.with_model(tiny.pair(), "a", slo_ms=9.0)
    job = running(service, stored(service, instance))
    result = Result(Status.INFEASIBLE, Stop.FINISHED, "greedy", 0, reasons=("a runs <nowhere>",))
    text = render(plan_document(instance, result)).encode()
    service.store.finish(job, Outcome(State.DONE, "infeasible", "finished", document=text))
    page = words(read(client.get(f"/jobs/{job.id}")))
    assert "Explanation" in page
    assert "Re-plan from this job" not in page
    failed = running(service, stored(service))
    service.store.finish(failed, Outcome(State.FAILED, note="it died"))
    page = words(read(client.get(f"/jobs/{failed.id}")))
    assert "it died" in page
    assert "Results" not in page
    read(client.get(f"/jobs/{failed.id}/explanation"), 409)


def test_a_form_becomes_jobs(client: TestClient, service: Service, tmp_path: Path) -> None:
    text = document(tiny.pair(), tmp_path)
    given = {"time_limit": "7", "seed": "3", "priority": "-2", "memory_mb": "512", "label": " mine "}
    response = upload(client, text, name="I.JSON", solvers="greedy", **given)
    assert response.status_code == 303
    job = service.job(response.headers["location"].removeprefix("/jobs/"))
    assert job.task == Task("greedy", 7.0, 3, 512, -2, label="mine")
    response = upload(client, text, name="i.json", solvers=["greedy", "auto"])
    assert response.headers["location"].startswith("/compare?job=")
    assert "2 jobs beside each other" in words(read(client.get(response.headers["location"])))
    again = {"sha256": job.instance, "solvers": "auto", "objective": "weighted"}
    weights = {"weight_degradation": "2", "weight_price": ""}
    response = client.post("/jobs", data=again | weights)
    other = service.job(response.headers["location"].removeprefix("/jobs/"))
    assert service.instance(other.instance).summary["objective"] == {"degradation": 2}
    assert (other.task.time_limit, other.task.memory_mb) == (60.0, 1024)


def test_a_replan_is_asked_for(client: TestClient, service: Service, tmp_path: Path) -> None:
    found = stored(service)
    job = done(service, found, 1_100_000, None)
    form = {"sha256": found.sha256, "replan": job, "max_moves": "2", "time_limit": "5"}
    asked = service.job(client.post("/jobs", data=form).headers["location"].removeprefix("/jobs/"))
    assert (asked.task.replan, asked.task.max_moves, asked.task.move_cost) == (job, 2, None)
    claimed = service.store.claim("w")
    assert claimed is not None
    steps = [{"step": i, "do": "move", "model": "a", "from": "gpu #1", "to": None} for i in range(1, 300)]
    answer: dict[str, Any] = {"moves": 299, "placements": 0, "complete": False, "reasons": [], "notes": []}
    points = [{"moves": 0, "objective": 1.1, "bound": 1.0}, {"moves": 2, "objective": 1.0, "bound": 1.0}]
    answer |= {"steps": steps, "curve": points}
    ended = outcome(solved(tiny.plan(tiny.pair(), "gpu: 2 a", "gpu: 2 b"), 1_000_000, None), tiny.pair())
    service.store.finish(claimed, replace(ended, answer=json.dumps(answer).encode()))
    page = words(read(client.get(f"/jobs/{asked.id}")))
    assert "299 moves. Each machine is within" in page
    assert "99 more steps" in page
    assert "No order was found for the rest" in page
    assert "Objective against moves" in page
    wrong = read(client.post("/jobs", data=form | {"max_moves": "many"}), 422)
    assert "replan.max_moves" in words(wrong)
    invalid = [a.get("name") for _, a in wrong.tags if "aria-invalid" in a]
    assert invalid == ["max_moves"]


def test_a_mistake_is_shown_at_its_line(client: TestClient, tmp_path: Path) -> None:
    lines = document(tiny.pair(), tmp_path).splitlines()
    at = next(i for i, line in enumerate(lines, 1) if '"replicas"' in line)
    lines[at - 1] = re.sub(r'("replicas": )\d+', r'\1"<b>\\u202e"', lines[at - 1]) + " " * 400 + ""
    page = upload(client, "\n".join(lines), name="i.json")
    assert "replicas" in words(read(page, 422))
    marked = re.findall(r'<code class="marked"><span class="no">(\d+)</span>.*?<bdi>(.*?)</bdi>', page.text)
    assert [(int(number), "&lt;b&gt;" in text) for number, text in marked] == [(at, True)]
    assert f"Line {at} of i.json" in words(Reader(page.text))
    broken = upload(client, "a: [1,\n  b: }\n")
    assert re.search(r'class="marked"><span class="no">[23]<', broken.text)


@pytest.mark.parametrize(
    ("values", "files", "field", "status"),
    [
        ({}, {}, "instance", 422),
        ({}, {"instance": ("", b"")}, "instance", 422),
        ({}, {"instance": ("a.exe", b"")}, "instance", 422),
        ({"time_limit": "-1"}, None, "time_limit", 422),
        ({"time_limit": "601"}, None, "time_limit", 422),
        ({"memory_mb": "9999"}, None, "memory_mb", 422),
        ({"seed": "x"}, None, "seed", 422),
        ({"solvers": "odd"}, None, "solvers", 422),
        ({"solvers": []}, None, "solvers", 422),
        ({"objective": "weighted", "weight_price": "-1"}, None, "objective", 422),
        ({"start": "0" * 16}, None, "start", 404),
        ({"sha256": "0" * 64}, {}, "instance", 404),
    ],
)
def test_a_form_with_a_mistake_comes_back(
    client: TestClient, tmp_path: Path, values: dict[str, str], files: Any, field: str, status: int
) -> None:
    """What was valid is kept, an instance too."""
    given = {"solvers": "greedy", "label": "kept"} | values
    sent = {"instance": ("i.json", document(tiny.pair(), tmp_path).encode())} if files is None else files
    response = client.post("/jobs", data=given, files=sent or {"table": ("", b"")})
    page = read(response, status)
    assert 'value="kept"' in response.text
    if field != "start" and status == 422:
        assert field in {a.get("name", "solvers") for _, a in page.tags if "aria-invalid" in a}
    assert (files is None) == ("For the instance" in words(page))


def test_jobs_beside_each_other(client: TestClient, service: Service) -> None:
    found = stored(service)
    jobs = [done(service, found, 1_100_000, None), done(service, found, 1_000_000, 990_000, solver="auto")]
    page = words(read(client.get(f"/compare?job={jobs[0]}&job={jobs[1]}")))
    assert "1.1 - 0.99 10 % 1.00 s" in page
    assert "1 0.99 0.99 1 % 1.00 s" in page
    assert "proven by job 2, auto" in page
    other = queued(service, stored(service, replace(tiny.pair(), name="other")))
    assert "must be jobs of one instance" in words(
        read(client.get(f"/compare?job={jobs[0]}&job={other}"), 409)
    )
    read(client.get("/compare"), 422)
    read(client.get(f"/compare?job={other}"))
