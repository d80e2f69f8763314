"""Worker processes that stay up: started when they are first needed, reused by every later run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import planner
from planner.errors import InputError, PlannerError
from planner.measure import messages as m
from planner.measure.subject import Subject
from planner.measure.windows import Trace

LOAD_SECONDS = 300.0
_GRACE = 30.0
_LEAST_FREE = 0.25
_MOST_WORKERS = 64


class WorkerDiedError(PlannerError):
    """A worker process ended or failed while it was measured.

    Attributes
    ----------
    names
        Subjects of the workers that died.
    """

    def __init__(self, names: Sequence[str], reason: str) -> None:
        self.names = tuple(names)
        super().__init__(f"{', '.join(names)}: {reason}")


@dataclass(frozen=True)
class Place:
    """What a worker process cannot change once it is up.

    Attributes
    ----------
    environment
        Added to the environment of the process, as items.
    """

    subject: Subject
    replica: int
    threads: int
    device: str
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Want:
    """A worker that is wanted, the file that it loads, and the cores it shall run on now."""

    place: Place
    onnx: Path | None
    cores: tuple[int, ...]


class Worker:
    """One worker process and the pipe to it.

    Attributes
    ----------
    cores
        That it runs on.
    loaded
        Whether it has served its first request.
    warm
        Whether it has been driven alone until its latency settled.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cores: tuple[int, ...] = ()
        self.loaded = self.warm = False
        self.used = time.monotonic()
        mine, its = connection.Pipe()
        self.pipe = mine
        with its:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "planner.measure.worker", str(its.fileno()), str(os.getpid())],
                pass_fds=(its.fileno(),),
                env=_environment(place),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("PLANNER_DEBUG") else subprocess.DEVNULL,
            )

    @property
    def name(self) -> str:
        """Name of what it serves."""
        return self.place.subject.name

    def close(self) -> None:
        """End the process and wait for it."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """Return how the process ended, in words."""
        try:
            code = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "does not answer"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


class Pool:
    """Workers by place; leaving the context ends all of them."""

    def __init__(self) -> None:
        self._workers: dict[Place, Worker] = {}
        self.loading_s = 0.0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        while self._workers:
            self._workers.popitem()[1].close()

    @property
    def processes(self) -> list[int]:
        """Ids of the worker processes."""
        return [w.process.pid for w in self._workers.values()]

    def take(self, wants: Sequence[Want]) -> list[Worker]:
        """Return loaded workers that run where they shall, starting those that are not up.

        Raises
        ------
        InputError
            If a model cannot be loaded whatever its neighbours are.
        WorkerDiedError
            If a process died or ran out of memory while it loaded.
        """
        began = time.monotonic()
        places = [w.place for w in wants]
        new = [p for p in places if p not in self._workers]
        if new:
            self._make_room(len(new), keep=places)
            self._workers |= {place: Worker(place) for place in new}
        workers = [self._workers[p] for p in places]
        moved = [(w, want) for w, want in zip(workers, wants, strict=True) if w.cores != want.cores]
        self.ask([w for w, _ in moved], [m.Pin(want.cores) for _, want in moved], LOAD_SECONDS)
        for worker, want in moved:
            worker.cores = want.cores
        fresh = [(w, _load(want)) for w, want in zip(workers, wants, strict=True) if not w.loaded]
        self.ask([w for w, _ in fresh], [load for _, load in fresh], LOAD_SECONDS)
        for worker in workers:
            worker.loaded, worker.used = True, time.monotonic()
        self.loading_s += time.monotonic() - began
        return workers

    def drive(self, workers: Sequence[Worker], orders: Sequence[m.Drive]) -> list[Trace]:
        """Have workers serve at the same time and return what each did.

        Raises
        ------
        WorkerDiedError
            If one of them died; the others have come to the end of their orders then.
        """
        last = max(order.stop_ns for order in orders)
        return self.ask(workers, orders, last / 1e9 - time.monotonic() + _GRACE)

    def ask(self, workers: Sequence[Worker], orders: Sequence[object], seconds: float) -> list[Any]:
        """Give each worker its order and return their answers.

        Raises
        ------
        InputError
            If a worker says that what it was given is wrong.
        WorkerDiedError
            If one died, failed, or did not answer in time; it is out of the pool then.
        """
        for worker, order in zip(workers, orders, strict=True):
            try:
                worker.pipe.send(order)
            except OSError:
                continue  # it died: waiting for its answer says so
        answers = _answers(workers, seconds)
        dead: dict[str, str] = {}
        wrong: InputError | None = None
        for worker in workers:
            answer = answers.get(worker)
            if answer is None or isinstance(answer, (m.Failed, InputError)):
                self._workers.pop(worker.place, None)
                reason = worker.end() if answer is None else str(getattr(answer, "reason", answer))
                worker.close()
                wrong = wrong or _wrong(worker, answer)
                dead[worker.name] = reason
        if wrong is not None:
            raise wrong
        if dead:
            raise WorkerDiedError(list(dead), "; ".join(dict.fromkeys(dead.values())))
        return [answers[worker] for worker in workers]

    def _make_room(self, new: int, keep: Sequence[Place]) -> None:
        """End the workers that were not used for longest while memory is short or there are too many."""
        idle = sorted((w for p, w in self._workers.items() if p not in keep), key=lambda w: w.used)
        for worker in idle:
            if len(self._workers) + new <= _MOST_WORKERS and _free_share() >= _LEAST_FREE:
                return
            del self._workers[worker.place]
            worker.close()


def _load(want: Want) -> m.Load:
    place = want.place
    onnx = None if want.onnx is None else str(want.onnx)
    return m.Load(place.subject, onnx, place.threads, place.device, seed=place.replica)


def _wrong(worker: Worker, answer: object) -> InputError | None:
    """Return what is wrong with a model; None where it was not the model's fault or not while loading."""
    if isinstance(answer, InputError):
        where = f"models.{worker.name}" + (f".{answer.field}" if answer.field else "")
        return InputError(answer.rule, field=where, value=answer.value)
    if isinstance(answer, m.Failed) and not answer.memory and not worker.loaded:
        return InputError(f"cannot be run: {answer.reason}", field=f"models.{worker.name}")
    return None


def _answers(workers: Sequence[Worker], seconds: float) -> dict[Worker, object]:
    """Return what workers answer within some seconds; who died or is silent is not in it."""
    waiting = {worker.pipe: worker for worker in workers}
    answers: dict[Worker, object] = {}
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        for pipe in connection.wait(list(waiting), timeout=left):
            assert isinstance(pipe, connection.Connection)
            worker = waiting.pop(pipe)
            try:
                answers[worker] = pipe.recv()
            except (EOFError, OSError):
                continue
    return answers


def _environment(place: Place) -> dict[str, str]:
    root = str(Path(planner.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": path, **dict(place.environment)}


def _free_share() -> float:
    """Return the share of the memory that is available; 1 where the kernel does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 1.0
    found = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[:5]}
    return found.get("MemAvailable", 1) / found.get("MemTotal", 1)
