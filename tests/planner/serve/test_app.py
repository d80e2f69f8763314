"""What the service answers, over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.files import save_instance
from planner.generate import generate
from planner.plan_checks import check_plan
from planner.serve import app as module
from planner.serve.jobs import Outcome, State, Task
from planner.serve.service import Service
from tests.planner.serve.conftest import finished, queued, the
from tests.tiny import pair

ROOT = Path(__file__).parents[3]
NOBODY = "0" * 16


def document(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    save_instance(pair(), tmp_path / "i.json")
    made: dict[str, Any] = json.loads((tmp_path / "i.json").read_text()) | changes
    return made


def error(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()["error"]
    assert {*found} == {"rule", "field", "file", "message", "line"}
    return found


def test_an_instance_is_kept_as_it_is(client: TestClient, tmp_path: Path) -> None:
    body = document(tmp_path)
    first = client.post("/v1/instances", json=body)
    assert first.status_code == 201
    assert first.json()["sha256"] == pair().sha256
    assert client.post("/v1/instances", json=body).json() == first.json()
    assert client.get("/v1/instances").json() == [first.json()]
    assert client.get(f"/v1/instances/{pair().sha256}").json() == body
    error(client.get(f"/v1/instances/{pair().sha256}/table"), 404)


def test_an_instance_with_a_table(client: TestClient, service: Service, tmp_path: Path) -> None:
    large = generate(models=60, types=2, replicas=100, seed=1)
    save_instance(large, tmp_path / "fleet.yaml")
    files = {
        "instance": ("fleet.yaml", (tmp_path / "fleet.yaml").read_bytes()),
        "table": ("fleet.degradation.parquet", (tmp_path / "fleet.degradation.parquet").read_bytes()),
    }
    found = client.post("/v1/instances", files=files)
    assert found.json()["sha256"] == large.sha256
    assert client.get(f"/v1/instances/{large.sha256}/table").content == files["table"][1]
    lone = client.post("/v1/instances", files={"instance": files["instance"]})
    assert error(lone, 422)["field"] == "degradation.table"


@pytest.mark.parametrize(
    ("text", "kind", "field", "line"),
    [
        ("version: 1\nname: x\nmachine_types:\n - name: g\n   count: none\n", "yaml", "count", 5),
        ('{"version": 1,\n "name": 3}', "json", "name", 2),
        ("a: &b [*b]\n", "yaml", "line 1", 1),
        ("[" * 100_000, "json", "line 1", 1),
        ('{"a": NaN}', "json", "a", 1),
        ("", "yaml", "", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    client: TestClient, text: str, kind: str, field: str, line: int
) -> None:
    headers = {"content-type": f"application/{kind}"}
    found = error(client.post("/v1/instances", content=text, headers=headers), 422)
    assert field in found["field"]
    assert found["line"] in (line, None if not text else line)
    assert "/tmp" not in found["message"]


def test_jobs_are_queued_and_looked_at(client: TestClient, service: Service, tmp_path: Path) -> None:
    body = {"instance": document(tmp_path), "solvers": ["auto", "greedy"], "time_limit": 5, "label": "é <b>"}
    first = client.post("/v1/jobs", json=body)
    assert first.status_code == 202
    jobs = first.json()["jobs"]
    assert [job["solver"] for job in jobs] == ["auto", "greedy"]
    assert {job["memory_mb"] for job in jobs} == {1000}
    assert client.get(f"/v1/jobs/{jobs[0]['id']}").json() == jobs[0]
    assert client.get("/v1/jobs", params={"most": 1}).json() == {"jobs": [jobs[1]], "more": 2}
    assert client.get("/v1/jobs", params={"state": "done"}).json()["jobs"] == []
    assert client.post(f"/v1/jobs/{jobs[0]['id']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{jobs[0]['id']}/retry").json()["state"] == "queued"
    error(client.post(f"/v1/jobs/{jobs[1]['id']}/retry"), 409)
    error(client.get(f"/v1/jobs/{jobs[1]['id']}/plan"), 409)
    assert client.get("/healthz").json()["jobs"]["queued"] == 2


def test_a_key_gives_the_jobs_of_the_first_time(client: TestClient, tmp_path: Path) -> None:
    body = {"instance": document(tmp_path), "key": "mine"}
    first = client.post("/v1/jobs", json=body).json()
    assert client.post("/v1/jobs", json=body).json() == first


def test_another_objective_is_another_instance(client: TestClient, tmp_path: Path) -> None:
    body = {"instance": document(tmp_path), "objective": "worst"}
    changed = client.post("/v1/jobs", json=body).json()["jobs"][0]
    assert changed["instance"] == pair().replace(objective="worst").sha256
    again = client.post("/v1/jobs", json={"instance": changed["instance"], "objective": "degradation"})
    assert again.json()["jobs"][0]["instance"] == pair().sha256


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"solvers": ["nobody"]}, 422, "solvers"),
        ({"solvers": []}, 422, "solvers"),
        ({"time_limit": 0}, 422, "time_limit"),
        ({"time_limit": 1e300}, 422, "time_limit"),
        ({"time_limit": 101}, 422, "time_limit"),
        ({"memory_mb": 2000}, 422, "memory_mb"),
        ({"seed": -1}, 422, "seed"),
        ({"label": "x\x00y"}, 422, "label"),
        ({"label": "x" * 201}, 422, "label"),
        ({"start": NOBODY}, 404, "job"),
        ({"replan": {"job": NOBODY}}, 404, "job"),
        ({"replan": {"job": "../../etc/passwd"}}, 422, "replan.job"),
        ({"instance": "0" * 64}, 404, "instance"),
        ({"instance": {"version": 1}}, 422, "name"),
        ({"objective": "cheap"}, 422, "objective"),
        ({"surprise": 1}, 422, "surprise"),
    ],
)
def test_what_cannot_be_queued(
    client: TestClient, tmp_path: Path, change: dict[str, Any], status: int, field: str
) -> None:
    response = client.post("/v1/jobs", json={"instance": document(tmp_path)} | change)
    assert field in error(response, status)["field"]
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_bodies_that_are_no_requests(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"{", b"\xff\xfe", b"[" * 5000, b'"\\ud800"', b'{"instance": "\\ud800"}', b""):
        response = client.post("/v1/jobs", content=body, headers=headers)
        error(response, 400 if body[:2] == b"[[" else 422)
    error(client.post("/v1/instances", content=b"x", headers={"content-type": "text/plain"}), 422)
    error(client.post("/v1/instances", files={"instance": ("../../x.exe", b"x")}), 422)
    error(client.post("/v1/instances", files={"other": ("x.json", b"x")}), 422)
    assert error(client.get("/v1/nothing"), 404)
    assert error(client.put("/v1/jobs"), 405)
    assert client.put("/v1/jobs").headers["allow"] == "GET, POST"


def test_what_a_finished_job_has(client: TestClient, service: Service, tmp_path: Path) -> None:
    first, second = (finished(service.store, pair(), solver) for solver in ("milp", "greedy"))
    plan = client.get(f"/v1/jobs/{first}/plan")
    (tmp_path / "plan.json").write_bytes(plan.content)
    assert not check_plan(tmp_path / "plan.json", pair()).violations
    assert client.get(f"/v1/jobs/{first}/explanation").json()["status"] == "optimal"
    both = client.get("/v1/compare/report", params={"job": [first, second]})
    assert both.status_code == 200, both.text
    assert "1-milp.json" in both.text
    assert "/tmp" not in both.text
    assert both.text.startswith("<!DOCTYPE html>")
    assert [
        job["id"] for job in client.get("/v1/compare", params={"job": [first, second]}).json()["jobs"]
    ] == [
        first,
        second,
    ]
    other = finished(service.store, pair().replace(objective="worst"))
    error(client.get("/v1/compare", params={"job": [first, other]}), 409)
    error(client.get(f"/v1/jobs/{first}/moves"), 409)


def test_a_start_must_be_of_the_same_instance(client: TestClient, service: Service) -> None:
    first = finished(service.store, pair())
    fine = client.post("/v1/jobs", json={"instance": pair().sha256, "start": first})
    assert fine.status_code == 202
    other = pair().replace(objective="worst")
    finished(service.store, other)
    error(client.post("/v1/jobs", json={"instance": other.sha256, "start": first}), 409)


def test_a_watcher_sees_everything_until_the_end(client: TestClient, service: Service) -> None:
    (job,) = queued(service.store, Task())
    claimed = the(service.store.claim("w"))
    service.store.beat(claimed, [(0.25, 2_000_000, None), (0.5, 1_000_000, 1_000_000)])
    service.store.finish(claimed, Outcome(State.DONE, "optimal", "finished", "1.0", "1.0", 0.0))
    text = client.get(f"/v1/jobs/{job}/events").text
    assert text.count("event: progress") == 2
    assert '{"seconds":0.25,"objective":"2.000000","bound":null}' in text
    assert json.loads(text.strip().splitlines()[-1].removeprefix("data: "))["state"] == "done"
    moments = client.get(f"/v1/jobs/{job}/history").json()["moments"]
    assert [moment["seconds"] for moment in moments] == [0.25, 0.5]


def test_metrics(client: TestClient, service: Service) -> None:
    queued(service.store)
    client.get("/v1/jobs/ffffffffffffffff")
    text = client.get("/metrics").text
    assert 'planner_jobs{state="queued"} 1.0' in text
    assert 'planner_requests_total{method="GET",route="/v1/jobs/{job}",status="404"} 1.0' in text


def test_the_committed_openapi_document_is_that_of_the_service(client: TestClient) -> None:
    """`planner serve --openapi` prints it."""
    assert (ROOT / "planner/serve/openapi.json").read_text() == module.openapi()
    assert client.get("/openapi.json").json()["paths"].keys() >= json.loads(module.openapi())["paths"].keys()
