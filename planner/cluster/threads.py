"""The threads of a Dask cluster's workers as one executor, for calls into compiled code.

A call runs in a thread of the worker itself, not in a process beside it as the jobs of a pool do: it is
short, gives up the interpreter's lock and finds there what earlier calls left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from planner.cluster.dask_pool import connected

_CLOSE_S, _LOOK_S = 10, 1.0


class Threads:
    """See above; a context.

    Parameters
    ----------
    address
        Of the scheduler.
    say
        Told in a line what a person should know.

    Raises
    ------
    InputError
        As :func:`.dask_pool.connected` does.
    """

    def __init__(self, address: str, say: Callable[[str], object] = lambda _: None) -> None:
        self._address, self._say = address, say
        self._client = connected(address)
        self._shared: dict[int, tuple[Any, Any]] = {}  # id -> value, kept so that its id is, and its future
        self._looked, self._there, self._given_up = time.monotonic(), True, False
        self._executor = self._client.get_executor(pure=False)

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop every call."""
        self._client.close(timeout=_CLOSE_S)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function once on each worker that there is."""
        self._client.run(_done, function, arguments)

    def share(self, value: Any) -> Any:
        """Return what stands for ``value`` in calls; each worker gets it once."""
        if id(value) not in self._shared:
            self._shared[id(value)] = (value, self._client.scatter(value, broadcast=True, hash=False))
        return self._shared[id(value)][1]

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function somewhere; a call whose worker is lost is made again, on another."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

    def there(self) -> bool:
        """Return whether anybody is there to answer; looked at once a second."""
        if not self._given_up and time.monotonic() - self._looked > _LOOK_S:
            self._there = self._client.status == "running" and self._has_workers()
            self._looked = time.monotonic()
        return self._there and not self._given_up

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except OSError:  # the scheduler went away while it was asked
            return False

    def give_up(self, why: str) -> None:
        """Say that calls are made here from now on."""
        if not self._given_up:
            self._say(f"warning: {self._address} does not help any longer ({why}); this goes on here")
        self._given_up = True


def _done(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Call a function whose answer is of no interest and may not travel."""
    function(*arguments)
