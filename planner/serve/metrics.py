"""What the service tells Prometheus, and one log line for each request that changes something or fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.serve.service import Service

_log = logging.getLogger("planner.serve.requests")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


class Metrics:
    """Counts requests, and looks at a service when it is asked."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Jobs(service))
        self._requests = Counter(
            "planner_requests", "Requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "planner_request_seconds",
            "Seconds until an answer began.",
            ("method", "route"),
            registry=self.registry,
            buckets=_BUCKETS,
        )

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request; a route is a template, so that there are only so many."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "other")
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)
        if method not in ("GET", "HEAD") or status >= 400:
            caller = scope.get("state", {}).get("caller")
            fields: dict[str, Any] = {
                "method": method,
                "path": scope["path"][:200],
                "status": status,
                "ms": round(1e3 * seconds, 1),
                "caller": None if caller is None else caller.name,
            }
            _log.info("request", extra={"fields": fields})


class Metered:
    """Wraps an application: counts what it answers."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, counted = time.monotonic(), False

        async def sending(message: Message) -> None:
            nonlocal counted
            if message["type"] == "http.response.start" and not counted:
                counted = True
                self._metrics.count(scope, message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, sending)


class _Jobs(Collector):
    """Numbers that the database knows."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Yield gauges."""
        jobs = GaugeMetricFamily("planner_jobs", "Jobs.", labels=["state"])
        for state, number in self._service.store.counts().items():
            jobs.add_metric([state], number)
        yield jobs
        alive = self._service.supervisor.alive
        yield GaugeMetricFamily("planner_workers", "Worker processes that run.", value=alive)
