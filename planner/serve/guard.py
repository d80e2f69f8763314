"""What every request has to pass before anything looks at it: size, time, site and token."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.serve.layout import wants_page
from planner.serve.refusals import Refused, answer
from planner.serve.tokens import LOCAL, Caller

COOKIE = "planner_token"
_BODY_S = 30.0
_OPEN = ("/healthz", "/login", "/static/")
_HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Wraps an application.

    Parameters
    ----------
    find
        Who has a token; None if nobody.
    local
        Nobody needs a token: the service listens on this machine only.
    most_bytes
        Of a body.
    """

    def __init__(
        self, app: ASGIApp, *, find: Callable[[str], Caller | None], local: bool, most_bytes: int
    ) -> None:
        self._app, self._find, self._local, self._most = app, find, local, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            self._same_site(scope, headers)
            scope.setdefault("state", {})["caller"] = await self._caller(scope, headers)
            await self._app(scope, self._limited(receive, headers), _with_headers(send))
        except Refused as refused:
            if refused.status == 401 and wants_page(scope):
                response: Response = _login(scope)
            else:
                extra = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
                response = answer(refused.status, refused.problem, extra | {"connection": "close"})
            await response(scope, receive, _with_headers(send))

    def _same_site(self, scope: Scope, headers: dict[str, str]) -> None:
        """Refuse what another site has a browser send here, also under a name of its own for this machine."""
        host = headers.get("host", "")
        if self._local and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise Refused(403, "must be called by a name of this machine", field="Host", value=host)
        origin = headers.get("origin")
        safe = scope["method"] in ("GET", "HEAD", "OPTIONS")
        if not safe and origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "must come from this site", field="Origin", value=origin)

    async def _caller(self, scope: Scope, headers: dict[str, str]) -> Caller | None:
        if self._local:
            return LOCAL
        token = _token(headers)
        found = None if token is None else await asyncio.to_thread(self._find, token)
        if found is None and not str(scope["path"]).startswith(_OPEN):
            raise Refused(401, "needs a token, as `Authorization: Bearer TOKEN`")
        return found

    def _limited(self, receive: Receive, headers: dict[str, str]) -> Receive:
        """Return a ``receive`` that reads no more than is allowed, and not for ever."""
        declared = headers.get("content-length", "0")
        rule = f"must be at most {self._most / 2**20:,.0f} MB"
        if not declared.isdecimal() or int(declared) > self._most:
            raise Refused(413, rule, field="body", value=f"{declared} bytes")
        read = 0
        ended = False

        async def limited() -> Message:
            nonlocal read, ended
            if ended:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), _BODY_S)
            except TimeoutError:
                raise Refused(400, f"must arrive within {_BODY_S:g} s", field="body") from None
            read += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if read > self._most:
                raise Refused(413, rule, field="body")
            return message

        return limited


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine, whatever anybody's name server says."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(headers: dict[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _login(scope: Scope) -> Response:
    """Send a browser to where it is asked for its token, and from there to the page that it wanted."""
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "") if scope["method"] == "GET" else "/"
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303, {"connection": "close"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            known = {key.lower() for key, _ in message["headers"]}
            extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in known]
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sending
