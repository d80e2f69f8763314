"""A client that asks for pages as a browser does, and what holds for every page."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi.testclient import TestClient
from httpx import Response

from planner.serve.app import make_app
from planner.serve.service import Service
from tests.planner.pages import Reader

HTML = {"accept": "text/html,application/xhtml+xml"}


def browser(service: Service, address: str = "http://127.0.0.1", *, local: bool = True) -> TestClient:
    """Return a browser at a service; it stays where it is sent away from."""
    return TestClient(make_app(service, local=local), address, headers=HTML, follow_redirects=False)


def read(response: Response, status: int = 200) -> Reader:
    """Return a page after what holds for all of them."""
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in response.headers["content-security-policy"]
    page = Reader(response.text)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [str(s.get("src")).partition("?")[0] for s in scripts] == ["/static/page.js"]
    for tag, attributes in page.tags:
        assert tag != "style"
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert not urlsplit(attributes.get(name) or "").netloc
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len({*identifiers})
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    for tag, attributes in page.tags:
        if tag in ("input", "select") and attributes.get("type") not in ("hidden", "checkbox"):
            assert attributes["id"] in labelled
    return page


def words(page: Reader) -> str:
    return re.sub(r"\s+", " ", " ".join(page.words))
