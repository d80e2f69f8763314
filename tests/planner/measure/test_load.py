"""Foreign load and steal from texts and readings made by hand; the host's fingerprint."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.measure.gpu import gpus
from planner.measure.host import check_spec, offered, snippet, this_host
from planner.measure.load import Reading, cpu_seconds, parse_stat, read, shares
from planner.measure.spec import parse_spec
from planner.reading import parse_yaml
from tests.planner.measure.fakes import spec

STAT = """cpu  9 9 9 9 9 9 9 9 0 0
cpu0 100 10 20 700 5 1 2 30 0 0
cpu1 200 20 40 900 5 3 4 60 0 0
intr 1 2 3
"""


def test_stat_is_summed_over_the_cores_asked_for() -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    times = parse_stat(STAT, [1])
    assert times is not None
    assert times["user"] == pytest.approx(200 * tick)
    assert times["steal"] == pytest.approx(60 * tick)
    both = parse_stat(STAT, [0, 1])
    assert both is not None
    assert both["irq"] == pytest.approx(4 * tick)
    assert parse_stat(STAT, [2]) is None


def test_foreign_load_is_what_is_busy_but_not_ours() -> None:
    """One second on two of four cores: 1.5 s busy, 1.2 s of them ours, 0.1 s stolen; 0.6 s busy elsewhere."""
    before = Reading(10.0, 5.0, 1.0, 2.0, busy_host=8.0, host_cores=4)
    after = Reading(11.0, 6.5, 1.1, 3.2, busy_host=10.1, host_cores=4)
    steal, foreign = shares(before, after, 2)
    assert steal == pytest.approx(0.05)
    assert foreign == pytest.approx(max((1.5 - 1.2) / 2, (2.1 - 1.2) / 4))


def test_a_busy_neighbour_on_another_core_is_foreign_too() -> None:
    before = Reading(0.0, 0.0, 0.0, 0.0, busy_host=0.0, host_cores=2)
    after = Reading(1.0, 1.0, 0.0, 1.0, busy_host=2.0, host_cores=2)
    assert shares(before, after, 1) == (0.0, 0.5)


def test_what_cannot_be_read_is_unknown() -> None:
    gone = Reading(1.0, None, None, 0.0)
    assert shares(gone, gone, 1) == (None, None)


def test_the_cpu_time_of_a_process_is_read() -> None:
    own = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < own + 0.02:
        pass
    assert cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.02)
    assert cpu_seconds(2**22 + 1) == 0.0
    reading = read(sorted(os.sched_getaffinity(0))[:1], [])
    assert reading.busy is None or reading.busy > 0


def test_the_id_of_a_host_stays_the_same() -> None:
    host = this_host()
    assert host.id == this_host().id
    assert len(host.id) == 8
    assert host.document()["id"] == host.id


def test_what_a_host_offers_is_a_spec_that_it_accepts() -> None:
    host = this_host()
    found = parse_spec(parse_yaml(snippet(offered(host))), Path())
    check_spec(found, host)
    assert list(found.machine_types.values()) == offered(host)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"cores": [60_000]}, "cores"), ({"memory_gb": 9e5}, "memory_gb"), ({"device": "cuda:99"}, "device")],
)
def test_a_machine_type_that_the_host_does_not_have_is_refused(change: dict[str, object], field: str) -> None:
    core = min(os.sched_getaffinity(0))
    wanted = spec(machine_types=[{"name": "one", "cores": [core]} | change])
    with pytest.raises(InputError) as caught:
        check_spec(wanted, this_host())
    assert caught.value.field == f"machine_types[0].{field}"


def test_accelerators_are_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text(
        "#!/bin/sh\necho 'NVIDIA H100, 81559, 570.1, Default, Disabled, 1980, 2619, 345, 700.00'\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = gpus()
    assert (found["name"], found["clocks.max.sm"], found["power.limit"]) == ("NVIDIA H100", "1980", "700.00")
    host = this_host()
    assert [m.name for m in offered(host)][-2:] == ["gpu0-time-sliced", "gpu0-mps"]
    fake.write_text(fake.read_text().replace("345", "1980"))  # a clock that changes all the time
    assert this_host().id == host.id
    fake.write_text("#!/bin/sh\nexit 9\n")
    assert gpus() == []
