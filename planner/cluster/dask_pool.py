"""A pool of Dask workers.

Dask runs a job again when the worker that it was on is gone, and gives up on it when that happened too
often (``distributed.scheduler.allowed-failures``). It counts all jobs that a dying worker had, so a job
that is given up while others were under way may be innocent: it is tried once more when it is alone.
"""

from __future__ import annotations

import gc
import itertools
import logging
import queue
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from planner.cluster.pool import Lost, outcome
from planner.cluster.remote import Place, hold, installed, work
from planner.errors import InputError
from planner.extras import require

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_S = 10
_PATIENCE_S = 5.0

_Job = tuple[Callable[..., Any], Place | None, tuple[Any, ...], dict[str, Any]]


class DaskPool:
    """The workers of a Dask scheduler; a context that ends what still runs there.

    TLS is Dask's own: an address ``tls://HOST:8786``, and ``distributed.comm.tls`` in its configuration.

    Parameters
    ----------
    address
        Of the scheduler, ``tcp://HOST:8786``.
    say
        Told in a line what a person should know.

    Raises
    ------
    InputError
        As :func:`connected` does.
    """

    def __init__(self, address: str, say: Callable[[str], object] = lambda _: None) -> None:
        self._address, self._say = address, say
        self._client = connected(address)
        self._jobs: dict[int, _Job] = {}
        self._tickets = itertools.count()
        self._running: dict[Future, int] = {}
        self._waiting: deque[int] = deque()
        self._suspects: deque[int] = deque()  # to be run alone
        self._ready: queue.SimpleQueue[Future] = queue.SimpleQueue()

    def __enter__(self) -> DaskPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def resources(self) -> set[str]:
        """Names of the resources that workers have."""
        workers = self._client.scheduler_info()["workers"].values()
        return {name for worker in workers for name in worker["resources"]}

    def share(self, value: Any) -> Any:
        """Return what stands for ``value``; workers give it to each other, so it is sent here only once."""
        return self._client.submit(hold, value, key=f"shared-{uuid.uuid4().hex}")

    def submit(
        self, function: Callable[..., Any], *arguments: Any, place: Place | None = None, **keywords: Any
    ) -> int:
        """Take a job and return its ticket.

        Parameters
        ----------
        place
            For a job that has a host of some kind for itself; None: any core will do.
        """
        ticket = next(self._tickets)
        self._jobs[ticket] = (function, place, arguments, keywords)
        self._waiting.append(ticket)
        return ticket

    def finished(self) -> Iterator[tuple[int, Any]]:
        """Yield ticket and answer, or :class:`Lost`, of each job as it ends, until none is left."""
        while self._waiting or self._running or self._suspects:
            self._fill()
            future = self._next()
            ticket = self._running.pop(future)
            alone = not self._running
            answer = self._answer(future)
            if isinstance(answer, Lost) and future.status == "error" and _killed(future) and not alone:
                self._suspects.append(ticket)
            else:
                del self._jobs[ticket]
                yield ticket, answer

    def close(self) -> None:
        """Drop every job; workers end the processes of those that run."""
        self._client.close(timeout=_CONNECT_S)

    def _fill(self) -> None:
        """Send as many jobs as the workers have threads, so that few of them share a worker's fate."""
        if self._client.status != "running":
            raise _lost(self._address)
        room = max(1, sum(self._client.nthreads().values())) if self._waiting else 0
        while self._waiting and len(self._running) < room:
            self._send(self._waiting.popleft())
        if self._suspects and not self._running:
            self._send(self._suspects.popleft())

    def _send(self, ticket: int) -> None:
        function, place, arguments, keywords = self._jobs[ticket]
        future = self._client.submit(
            work,
            function,
            place,
            list(arguments),
            keywords,
            key=f"{function.__name__}-{uuid.uuid4().hex}",
            resources=None if place is None else {place.resource: 1},
        )
        self._running[future] = ticket
        future.add_done_callback(self._ready.put)

    def _next(self) -> Future:
        """Return a future that is done."""
        said = False
        while True:
            try:
                return self._ready.get(timeout=_PATIENCE_S)
            except queue.Empty:
                said = said or self._say_if_stuck()

    def _say_if_stuck(self) -> bool:
        """Say what is waited for if no worker can take what is to be done; return whether that was so."""
        if self._client.status != "running":
            raise _lost(self._address)
        places = (self._jobs[ticket][1] for ticket in self._running.values())
        wanted = {place.resource for place in places if place is not None}
        missing = sorted(wanted - self.resources)
        if not self._client.nthreads():
            self._say(f"{self._address} has lost all its workers; waiting for one")
        elif missing:
            self._say(f"{self._address} has lost its workers with {', '.join(missing)}; waiting for one")
        return bool(missing) or not self._client.nthreads()

    def _answer(self, future: Future) -> Any:
        if future.status == "cancelled":
            raise _lost(self._address)
        try:
            return future.result()
        except Exception as error:  # a job's own, or Dask's about it
            return outcome(error)


def connected(address: str) -> Client:
    """Return a client of a scheduler whose workers would do the same as this process.

    Raises
    ------
    InputError
        If the extra ``cluster`` is not installed, there is no scheduler, it has no worker, or a worker
        does not have this version of this distribution.
    """
    require("distributed", extra="cluster")
    client = _client(address)
    try:
        _check_versions(client, address)
    except BaseException:
        client.close(timeout=_CONNECT_S)
        raise
    return client


def _client(address: str) -> Client:
    from distributed import Client

    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said in our words
    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
    gc.collect()  # the client that failed would deadlock the next one if it went while that one starts
    rule = f"must be the address of a Dask scheduler that answers within {_CONNECT_S} s ({why})"
    raise InputError(rule, field="cluster", value=address)


def _check_versions(client: Client, address: str) -> None:
    """Refuse workers that would not do the same as this process."""
    found = client.run(installed, on_error="return")
    if not found:
        raise InputError("must be a scheduler that has workers", field="cluster", value=address)
    for worker, version in found.items():
        if version != installed():
            rule = f"must have workers with interference-planner {installed()} installed, unlike {worker}"
            raise InputError(rule, field="cluster", value=version)


def _killed(future: Future) -> bool:
    from distributed import KilledWorker

    return isinstance(future.exception(), KilledWorker)


def _lost(address: str) -> InputError:
    rule = "was lost: the scheduler has ended or closed the connection"
    return InputError(rule, field="cluster", value=address)
