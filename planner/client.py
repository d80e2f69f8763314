"""A client of the service: what ``planner submit`` and its siblings use, and a program may.

>>> client = Client("http://127.0.0.1:8765")                      # doctest: +SKIP
>>> job, = client.submit("fleet.yaml", time_limit=30)             # doctest: +SKIP
>>> client.wait(job["id"])["objective"]                           # doctest: +SKIP
'3.879294'

A submission has a key, so that it may be sent again when the connection breaks: nothing is queued twice.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import InputError
from planner.extras import require
from planner.files import load_instance, save_instance
from planner.json_text import parse_json

if TYPE_CHECKING:
    import httpx

    from planner.instance import Instance

URL = "http://127.0.0.1:8765"
_TIMEOUT_S, _SLOW_S = 30.0, 120.0
_PATIENCE_S, _PAUSE_S = 20.0, 0.5
_DONE = ("done", "failed", "cancelled")

JobDocument = dict[str, Any]


class ServiceError(InputError):
    """The service cannot be reached, or answered something that is not its own."""


class Client:
    """Speaks to a service.

    Parameters
    ----------
    url
        Where it is, e.g. ``http://127.0.0.1:8765``.
    token
        If it asks for one.
    patience_s
        How long to try again while it cannot be reached.

    Raises
    ------
    InputError
        If the address is not one.
    """

    def __init__(self, url: str = URL, token: str | None = None, patience_s: float = _PATIENCE_S) -> None:
        require("httpx", extra="serve")
        import httpx

        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        try:
            base = httpx.URL(url)
            if base.scheme not in ("http", "https") or not base.host:
                raise InputError("must be http://HOST:PORT or https://HOST", field="server", value=url)
            self._http = httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise InputError(f"must be an address: {error}", field="server", value=url) from None
        self.url, self._patience = url, patience_s

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def upload(self, instance: str | Path | Instance) -> str:
        """Send an instance, from a file or as it is; return its SHA-256.

        Raises
        ------
        InputError
            If it breaks a rule; found here, before anything is sent.
        """
        made = load_instance(instance) if isinstance(instance, str | Path) else instance
        with tempfile.TemporaryDirectory() as folder:
            save_instance(made, Path(folder) / "instance.json")
            files = {"instance": ("instance.json", (Path(folder) / "instance.json").read_bytes())}
            table = Path(folder) / "instance.degradation.parquet"
            if table.exists():
                files["table"] = (table.name, table.read_bytes())
        return str(self._json("POST", "/v1/instances", files=files, timeout=_SLOW_S)["sha256"])

    def submit(
        self,
        instance: str | Path | Instance,
        solvers: Sequence[str] = ("auto",),
        *,
        key: str | None = None,
        **options: Any,
    ) -> list[JobDocument]:
        """Queue a job for each solver; they are on the service's disk when this returns.

        Parameters
        ----------
        options
            ``time_limit``, ``seed``, ``memory_mb``, ``priority``, ``objective``, ``start``, ``replan``,
            ``label``: the fields of the service's POST /v1/jobs.

        Raises
        ------
        InputError, ServiceError
            If the service refuses it; if it cannot be reached.
        """
        given = {name: value for name, value in options.items() if value is not None}
        body = {"instance": self.upload(instance), "solvers": list(solvers), **given}
        jobs: list[JobDocument] = self._json(
            "POST", "/v1/jobs", json=body | {"key": key or secrets.token_hex(16)}
        )["jobs"]
        return jobs

    def job(self, job: str) -> JobDocument:
        """Return a job."""
        return self._json("GET", f"/v1/jobs/{_safe(job)}")

    def jobs(self, *, state: str | None = None, most: int = 100) -> list[JobDocument]:
        """Return the latest jobs."""
        asked = {"most": most} | ({} if state is None else {"state": state})
        found: list[JobDocument] = self._json("GET", "/v1/jobs", params=asked)["jobs"]
        return found

    def watch(self, job: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (``job`` or ``progress``, its document) until the job has ended; joins again if cut off."""
        import httpx

        until = time.monotonic() + self._patience
        while True:
            try:
                for kind, document in self._events(job):
                    until = time.monotonic() + self._patience
                    yield kind, document
                    if kind == "job" and document["state"] in _DONE:
                        return
                time.sleep(_PAUSE_S)
            except httpx.TransportError as error:
                self._pause(until, error)

    def _events(self, job: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with self._http.stream("GET", f"/v1/jobs/{_safe(job)}/events", timeout=_TIMEOUT_S) as response:
            if response.status_code != 200:
                response.read()
                raise _refused(response)
            kind = ""
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)

    def wait(self, job: str, on_progress: Callable[[dict[str, Any]], object] | None = None) -> JobDocument:
        """Return a job when it has ended; ``on_progress`` gets each improvement."""
        last: JobDocument = {}
        for kind, document in self.watch(job):
            if kind == "job":
                last = document
            elif on_progress is not None:
                on_progress(document)
        return last

    def history(self, job: str) -> list[dict[str, Any]]:
        """Return the improvements of a solve so far."""
        moments: list[dict[str, Any]] = self._json("GET", f"/v1/jobs/{_safe(job)}/history")["moments"]
        return moments

    def plan(self, job: str) -> bytes:
        """Return the plan file of a job."""
        return self._send("GET", f"/v1/jobs/{_safe(job)}/plan").content

    def moves(self, job: str) -> bytes:
        """Return the moves of a re-plan, as JSON."""
        return self._send("GET", f"/v1/jobs/{_safe(job)}/moves").content

    def report(self, jobs: Sequence[str]) -> bytes:
        """Return a page on the plans of one or more jobs of the same instance."""
        asked = {"job": list(jobs)}
        return self._send("GET", "/v1/compare/report", params=asked, timeout=_SLOW_S).content

    def explanation(self, job: str) -> bytes:
        """Return why a plan is as it is, as JSON."""
        return self._send("GET", f"/v1/jobs/{_safe(job)}/explanation", timeout=_SLOW_S).content

    def cancel(self, job: str) -> JobDocument:
        """Have a job ended; one that has ended stays as it is."""
        return self._json("POST", f"/v1/jobs/{_safe(job)}/cancel")

    def retry(self, job: str) -> JobDocument:
        """Queue a job again that failed or was cancelled."""
        return self._json("POST", f"/v1/jobs/{_safe(job)}/retry")

    def _pause(self, until: float, error: Exception) -> None:
        """Wait a little for a service that does not answer, or give up."""
        if time.monotonic() > until:
            raise ServiceError(f"cannot be reached: {error}", field="server", value=self.url) from None
        time.sleep(_PAUSE_S)

    def _json(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        response = self._send(method, path, **rest)
        try:
            document = parse_json(response.text)
        except InputError:
            document = None
        if not isinstance(document, dict):
            raise ServiceError(
                "is no service of this project: no JSON came back", field="server", value=self.url
            )
        return document

    def _send(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """Send a request, again while nobody answers: all are such that this does no harm."""
        import httpx

        until = time.monotonic() + self._patience
        while True:
            try:
                response = self._http.request(method, path, **rest)
                break
            except httpx.TransportError as error:
                self._pause(until, error)
        if response.status_code >= 400:
            raise _refused(response)
        return response


def _safe(job: str) -> str:
    """Return the id of a job, which goes into a path."""
    if not job.isalnum() or len(job) > 64:
        raise InputError("must be the id of a job, as `planner status` lists them", field="job", value=job)
    return job


def _refused(response: httpx.Response) -> InputError:
    """Return what an answer refuses, as an error of this side."""
    try:
        error = json.loads(response.text)["error"]
        rule = str(error["message"]) + (f" (line {error['line']})" if error.get("line") else "")
        return InputError(rule)
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"answered {response.status_code}", field="server", value=str(response.url))
