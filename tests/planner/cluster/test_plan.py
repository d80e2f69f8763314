"""``planner plan --cluster``: workers price patterns; the plan is that of one machine."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from planner.cli import app
from planner.cluster.threads import Threads
from planner.files import save_instance
from planner.generate import generate
from solvers import supply
from tests.planner.cluster.conftest import Cluster


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance, of which every round of pricing but the first is handed out."""
    monkeypatch.setattr(supply, "_LONG", -1.0)
    path = tmp_path / "fleet.json"
    save_instance(generate(models=8, types=3, replicas=120, machines=36, feasible=True, seed=5), path)
    return path


def plan(fleet: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ("plan", str(fleet), "--json", "--progress", "none", *words))


def proof(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    return {name: document[name] for name in ("status", "objective", "bound")}


@pytest.mark.soak
def test_workers_find_what_is_found_here(cluster: Cluster, fleet: Path) -> None:
    cluster.fill()
    here, there = plan(fleet), plan(fleet, "--cluster", cluster.address)
    assert proof(here) == proof(there)
    assert proof(there)["status"] == "optimal"
    assert not there.stderr


def test_workers_that_are_killed_lose_nothing(
    cluster: Cluster, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.fill()
    submit, calls = Threads.submit, [0]

    def and_kill(self: Threads, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] in {7, 22}:
            cluster.workers[calls[0] // 20].kill()
        return submit(self, *arguments)

    monkeypatch.setattr(Threads, "submit", and_kill)
    there = plan(fleet, "--cluster", cluster.address)
    assert proof(there) == proof(plan(fleet))
    assert calls[0] >= 7, (
        "one was killed; the scheduler may blame the call and end it, or send it to the other"
    )
    assert "does not help any longer" in there.stderr


def test_a_scheduler_that_is_killed_loses_nothing(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with contextlib.closing(Cluster(tmp_path)) as cluster:
        cluster.fill()
        submit, calls = Threads.submit, [0]

        def and_kill(self: Threads, *arguments: Any) -> Any:
            calls[0] += 1
            if calls[0] == 7:
                cluster.scheduler.kill()
            return submit(self, *arguments)

        monkeypatch.setattr(Threads, "submit", and_kill)
        there = plan(fleet, "--cluster", cluster.address)
    assert proof(there) == proof(plan(fleet))
    assert calls[0] >= 7
    assert "does not help any longer" in there.stderr


def test_values_travel_once_and_calls_are_answered(cluster: Cluster) -> None:
    cluster.fill()
    value = list(range(10))
    with Threads(cluster.address) as threads:
        shared = threads.share(value)
        assert threads.share(value) is shared
        assert [threads.submit(max, shared).result(60) for _ in range(3)] == [9, 9, 9]
        assert threads.there()
        with pytest.raises(ZeroDivisionError):
            threads.submit(divmod, 1, 0).result(60)


def test_what_is_refused(cluster: Cluster, fleet: Path) -> None:
    refused = plan(fleet, "--cluster", cluster.address, "--solver", "greedy")
    assert refused.exit_code == 2
    assert "--cluster: must be given with one of the solvers auto, patterns" in refused.stderr
