"""Runs the service until it is told to end."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import uvicorn

from planner.errors import InputError
from planner.serve.app import make_app
from planner.serve.database import Database, alone
from planner.serve.guard import is_loopback
from planner.serve.service import Limits, Service
from planner.serve.tokens import callers

_HEADER_BYTES = 16 * 2**10
_IDLE_S = 60  # longer than clients keep a connection that is idle, or requests meet its end
_log = logging.getLogger("planner.serve")


class JsonLines(logging.Formatter):
    """One JSON document a line: time, level, and what happened."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as JSON."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def run(folder: Path, host: str, port: int, workers: int, limits: Limits) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises
    ------
    InputError
        If the folder is in use, or nobody could use the service, or the address is taken.
    """
    _log_as_json()
    local = is_loopback(host)
    with alone(folder):
        if not local and not callers(Database(folder)):
            rule = "others can reach it and nobody has a token; `planner token add NAME` makes one"
            raise InputError(rule, field="host", value=host)
        service = Service(folder, workers, limits)
        config = uvicorn.Config(
            make_app(service, local=local),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            http="h11",
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        _log.info("http://%s:%d/ with %d workers, data in %s", host, port, workers, folder)
        try:
            server.run()
        except SystemExit:
            raise InputError("cannot be listened at", field="host and port", value=f"{host}:{port}") from None
        except KeyboardInterrupt:
            pass  # uvicorn raises it again after a graceful end


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
