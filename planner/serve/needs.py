"""What the operations and the pages of the service need of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from planner.serve.service import Service
from planner.serve.tokens import Caller


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _who(request: Request) -> Caller:
    who: Caller = request.state.caller
    return who


TheService = Annotated[Service, Depends(_service)]
Who = Annotated[Caller, Depends(_who)]
