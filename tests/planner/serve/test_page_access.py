"""Who gets pages: tokens and cookies, errors, other sites, static files."""

from __future__ import annotations

import pytest

from planner.serve import tokens
from planner.serve.guard import COOKIE
from planner.serve.layout import local_path
from planner.serve.service import Service
from tests.planner.serve.browsing import browser, read, words


def test_errors_are_pages_for_browsers_and_json_for_programs(service: Service) -> None:
    client = browser(service)
    missing = f"/jobs/{'0' * 16}"
    assert "must be the id of a job" in words(read(client.get(missing), 404))
    assert client.get(missing, headers={"accept": "*/*"}).json()["error"]["field"] == "job"
    assert client.get(f"/v1{missing}").json()["error"]["field"] == "job"
    read(client.get("/nowhere"), 404)
    read(client.get("/jobs"), 405)
    other = client.post("/jobs", headers={"origin": "http://elsewhere.test"})
    assert "must come from this site" in words(read(other, 403))
    read(client.post("/jobs", headers={"content-length": str(2**40)}), 413)


def test_who_has_no_token_is_asked_for_it(service: Service) -> None:
    token = tokens.add(service.database, "alice")
    guarded = browser(service, "http://planner.test", local=False)
    response = guarded.get("/?state=done")
    assert (response.status_code, response.headers["location"]) == (303, "/login?next=%2F%3Fstate%3Ddone")
    assert guarded.post("/jobs").headers["location"] == "/login?next=%2F"
    assert guarded.get("/v1/jobs").status_code == 401
    assert guarded.get("/", headers={"accept": "*/*"}).json()["error"]["rule"].startswith("needs a token")
    page = read(guarded.get(response.headers["location"]))
    assert ("input", "/?state=done") in {(tag, a.get("value")) for tag, a in page.tags}
    form = {"token": "wrong", "next": "//elsewhere.test"}
    assert "Nobody has this token" in words(read(guarded.post("/login", data=form), 401))
    response = guarded.post("/login", data=form | {"token": f" {token}\n"})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    kept = response.headers["set-cookie"]
    assert kept.startswith(f"{COOKIE}={token};")
    assert "HttpOnly" in kept
    assert "SameSite=strict" in kept
    assert "Secure" not in kept
    assert "alice" in words(read(guarded.get("/")))
    assert guarded.get("/login").headers["location"] == "/"
    response = guarded.post("/logout")
    assert response.headers["location"] == "/login"
    assert guarded.get("/").status_code == 303


def test_a_cookie_over_tls_stays_there(service: Service) -> None:
    token = tokens.add(service.database, "alice")
    client = browser(service, "https://planner.test", local=False)
    assert "Secure" in client.post("/login", data={"token": token}).headers["set-cookie"]


@pytest.mark.parametrize(
    "where", ["//a.test", "/\\a.test", "http://a.test", "a", "", "/\t/a.test", "javascript:x"]
)
def test_nobody_is_sent_to_another_site(where: str) -> None:
    assert local_path(where) == "/"
    assert local_path("/jobs/1?a=b") == "/jobs/1?a=b"


def test_static_files(service: Service) -> None:
    client = browser(service)
    for name, kind in (("style.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg")):
        response = client.get(f"/static/{name}")
        assert response.headers["content-type"].startswith(kind)
        assert "max-age" in response.headers["cache-control"]
    assert client.get("/static/schema.sql").status_code == 404
