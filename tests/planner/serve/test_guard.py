"""Who gets in, and how much of what they send is read."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.errors import InputError
from planner.serve import tokens
from planner.serve.app import make_app
from planner.serve.guard import is_loopback
from planner.serve.service import JSON_MOST, TABLE_MOST, Service
from planner.serve.tokens import Caller
from tests.planner.serve.conftest import queued

OPERATIONS = [
    (method.upper(), path.replace("{job}", "0" * 16).replace("{sha256}", "0" * 64))
    for path, found in make_app(None, local=True).openapi()["paths"].items()  # type: ignore[arg-type]
    for method in found
    if path != "/healthz"
]


@pytest.fixture
def public(service: Service) -> TestClient:
    """A client of a service that others can reach."""
    return TestClient(make_app(service, local=False), base_url="http://planner.example")


def test_every_operation_is_tested() -> None:
    assert len(OPERATIONS) >= 17


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic d3Jvbmc6d3Jvbmc="},
        {"authorization": "Bearer "},
        {"cookie": "planner_token=wrong"},
        {"x-forwarded-for": "127.0.0.1", "host": "localhost"},
    ],
)
def test_nobody_without_a_token_gets_in(
    public: TestClient, service: Service, headers: dict[str, str]
) -> None:
    tokens.add(service.database, "alice")
    for method, path in [*OPERATIONS, ("GET", "/metrics"), ("GET", "/openapi.json")]:
        response = public.request(method, path, headers=headers)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["error"]["rule"].startswith("needs a token")


def test_with_a_token_as_a_header_or_a_cookie(public: TestClient, service: Service) -> None:
    token = tokens.add(service.database, "alice", 2, 50.0)
    for headers in ({"authorization": f"Bearer {token}"}, {"cookie": f"planner_token={token}"}):
        assert public.get("/v1/jobs", headers=headers).status_code == 200
    assert tokens.callers(service.database) == [Caller("alice", 2, 50.0)]
    assert tokens.revoke(service.database, "alice")
    assert public.get("/v1/jobs", headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_has_limits(public: TestClient, service: Service) -> None:
    token = tokens.add(service.database, "alice", 2, 50.0)
    public.headers["authorization"] = f"Bearer {token}"
    queued(service.store)
    (found,) = service.store.instances(1)
    body: dict[str, Any] = {"instance": found.sha256, "time_limit": 10}
    assert public.post("/v1/jobs", json=body | {"time_limit": 60}).status_code == 422
    assert (
        public.post("/v1/jobs", json=body | {"solvers": ["auto", "milp"]}).json()["jobs"][0]["owner"]
        == "alice"
    )
    assert public.post("/v1/jobs", json=body).status_code == 429


def test_the_database_does_not_know_tokens(service: Service) -> None:
    token = tokens.add(service.database, "alice")
    assert token.encode() not in service.database.path.read_bytes()
    (row,) = service.database.connection.execute("SELECT * FROM tokens")
    assert token not in map(str, row)


@pytest.mark.parametrize("name", ["", "local", "a b", "x" * 65, "../x", "é"])
def test_names_of_tokens(service: Service, name: str) -> None:
    with pytest.raises(InputError, match="must be"):
        tokens.add(service.database, name)


def test_a_name_has_one_token(service: Service) -> None:
    tokens.add(service.database, "alice")
    with pytest.raises(InputError, match="has a token already"):
        tokens.add(service.database, "alice")
    assert not tokens.revoke(service.database, "bob")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1"}, 422),
        ({"host": "localhost:8765", "origin": "http://localhost:8765"}, 422),
        ({"host": "[::1]:8765"}, 422),
    ],
)
def test_other_sites_are_kept_out(client: TestClient, headers: dict[str, str], status: int) -> None:
    """A page of another site must not use the service of whoever looks at it."""
    response = client.post("/v1/jobs", json={}, headers=headers)
    assert response.status_code == status, response.text


@pytest.mark.parametrize(
    ("host", "yes"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("0.0.0.0", False)],
)
def test_what_is_this_machine(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes


def test_bodies_have_an_end(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    huge = client.post("/v1/instances", headers=headers | {"content-length": str(10**12)}, content=b"{}")
    assert huge.status_code == 413

    def endless() -> Any:
        for _ in range(60):
            yield b" " * 2**20

    response = client.post("/v1/instances", headers=headers, content=endless())
    assert response.status_code == 413
    assert JSON_MOST + TABLE_MOST < 60 * 2**20
    large = client.post("/v1/instances", headers=headers, content=b" " * (JSON_MOST + 1))
    assert (large.status_code, large.json()["error"]["field"]) == (413, "instance")


def test_every_answer_tells_browsers_what_not_to_do(client: TestClient) -> None:
    for path in ("/v1/jobs", "/v1/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
