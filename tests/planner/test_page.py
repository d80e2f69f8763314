"""The page says what the checker says, holds nothing that is not there, and nobody's name can harm it."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from planner.evaluate import evaluate
from planner.files import load_instance, load_plan, save_instance
from planner.generate import generate
from planner.instance import InferenceModel, Instance, MachineType
from planner.integers import PPM
from planner.plan import Plan
from planner.plan_files import save_plan
from tests import tiny
from tests.planner.pages import Reader, run, save_comparison, save_pair, solved

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')


def page(folder: Path, *arguments: object) -> Reader:
    """Make a page and read it."""
    result = run("report", *arguments, "-o", folder / "p.html")
    assert result.exit_code == 0, result.output
    return Reader((folder / "p.html").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of :func:`~tests.planner.pages.save_comparison`."""
    save_comparison(tmp_path)
    return tmp_path


def test_numbers_are_the_checkers(folder: Path) -> None:
    found = page(folder, folder / "out", "--instance", folder / "pair.yaml")
    instance = load_instance(folder / "pair.yaml")
    e = evaluate(instance, load_plan(folder / "out" / "pair.patterns.json", instance))
    assert e.objective is not None
    assert found.one("objective") == Decimal(e.objective) / PPM
    assert found.data["objective"][0][1] == f"{e.objective / PPM:g}"
    assert [int(found.one(key)) for key in ("misses", "machines")] == [e.misses, e.machines_used]
    assert found.one("price") == Decimal(e.price) / PPM
    assert float(found.one("mean")) == pytest.approx(e.mean_degradation / PPM, abs=1e-9)
    assert float(found.one("worst")) == e.worst_degradation / PPM
    assert found.data["checked"][0] == ("yes", found.data["checked"][0][1])
    rows = {value for value, _ in found.data["row-objective"]}
    plans = (load_plan(path, instance) for path in (folder / "out").glob("pair.*.json"))
    assert {Decimal(value) for value in rows} == {
        Decimal(evaluate(instance, p).objective or 0) / PPM for p in plans
    }


def test_the_ratio_is_to_least_loaded(folder: Path) -> None:
    found = page(folder, folder / "out")
    assert found.data["ratio"] == [("0.625000000", "62.5 %")]


def test_a_miss_is_shown(folder: Path) -> None:
    found = page(folder, folder / "out" / "pair.least_loaded.json", "--instance", folder / "pair.yaml")
    assert found.data["misses"] == [("2", "2 missed")]
    assert "2 replicas of 1 model over the SLO" in found.words


def test_without_the_instance_it_says_so(tmp_path: Path) -> None:
    _, plan = save_pair(tmp_path)
    found = page(tmp_path, plan)
    assert found.data["checked"][0][0] == "no"
    assert "not checked against the instance" in " ".join(found.words)
    assert not [a for _, a in found.tags if a.get("class") == "degradation"]


def test_a_plan_that_the_checker_refuses_gets_no_page(tmp_path: Path) -> None:
    instance, plan = save_pair(tmp_path)
    plan.write_text(plan.read_text().replace('"objective": 1.000000', '"objective": 0.900000'))
    result = run("report", plan, "--instance", instance, "-o", tmp_path / "p.html")
    assert (result.exit_code, (tmp_path / "p.html").exists()) == (1, False)
    assert f"{plan}: the plan is refused" in result.stderr
    assert "the file claims 0.900000, it is 1.000000" in result.stderr


def test_a_comparison_that_claims_another_objective_than_its_plan_gets_no_page(folder: Path) -> None:
    path = folder / "out" / "compare.json"
    document = json.loads(path.read_text())
    document["rows"][0]["objective"] += 0.5
    path.write_text(json.dumps(document))
    result = run("report", folder / "out", "--instance", folder / "pair.yaml", "-o", folder / "p.html")
    assert result.exit_code == 1
    assert "a comparison claims" in result.stderr


def test_a_bound_above_a_plan_gets_no_page(folder: Path) -> None:
    path = folder / "out" / "compare.json"
    document = json.loads(path.read_text())
    document["rows"][0]["bound"] = 99.0
    path.write_text(json.dumps(document))
    result = run("report", path, "-o", folder / "p.html")
    assert result.exit_code == 1
    assert "claims the bound 99" in result.stderr


def hostile() -> Instance:
    """Return :func:`tiny.pair` where every name wants to do harm."""
    asked = tiny.pair()
    models = (
        InferenceModel(**{**vars(m), "name": n, "latency_ms": {HOSTILE[1]: 10.0}, "slo_ms": 20.0})
        for m, n in zip(asked.models, (HOSTILE[0], "מודל" + "x" * 190), strict=True)
    )
    kind = MachineType(**{**vars(asked.machine_types[0]), "name": HOSTILE[1]})
    return Instance("</title><script>{{ 7*7 }}", (kind,), tuple(models), asked.degradation)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    instance, plan = save_pair(tmp_path, hostile(), note="<script>note</script>")
    found = page(tmp_path, plan, "--instance", instance, "--figures", tmp_path / "figures")
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "img", "iframe", "object", "link"}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    text = " ".join(found.words)
    for name in (*HOSTILE, "</title><script>{{ 7*7 }}", "<script>note</script>"):
        assert name in text
    files = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert all(re.fullmatch(r"[a-z0-9-]+\.(svg|png|csv)", name) for name in files)
    for path in (tmp_path / "figures").glob("*.svg"):
        assert {tag for tag, _ in Reader(path.read_text()).tags} <= {
            "svg",
            "title",
            "style",
            "rect",
            "path",
            "circle",
            "text",
        }


def test_the_page_needs_no_network(folder: Path) -> None:
    page(folder, folder / "out", "--instance", folder / "pair.yaml")
    text = (folder / "p.html").read_text()
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_figures_are_files_with_their_data(folder: Path) -> None:
    instance = load_instance(folder / "pair.yaml")
    page(folder, folder / "out", "--instance", folder / "pair.yaml", "--figures", folder / "f")
    names = {path.stem for path in (folder / "f").iterdir()}
    assert {n.removeprefix("pair-") for n in names} == {
        "placement-1-gpu",
        "heat-map-1-gpu",
        "latency",
        "worst-hit",
        "history",
    }
    for name in names:
        assert (folder / "f" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "prefers-color-scheme:dark" in (folder / "f" / f"{name}.svg").read_text()
    with (folder / "f" / "pair-heat-map-1-gpu.csv").open() as file:
        values = {(r["victim"], r["aggressor"]): float(r["degradation"]) for r in csv.DictReader(file)}
    assert values == {
        (v, u): instance.degradation[0, i, j] for i, v in enumerate("ab") for j, u in enumerate("ab")
    }
    best = evaluate(instance, load_plan(folder / "out" / "pair.patterns.json", instance))
    with (folder / "f" / "pair-worst-hit.csv").open() as file:
        worst = {r["model"]: float(r["worst_degradation"]) for r in csv.DictReader(file)}
    assert worst == {m.name: m.worst_degradation / PPM for m in best.models if m.worst_degradation}


def test_what_is_not_shown_is_counted(tmp_path: Path) -> None:
    """20 patterns, one machine more for each: the 6 most common and, worst last, 2 costly ones are shown."""
    names = [f"m{i:02}" for i in range(20)]
    kind = MachineType(name="gpu", count=300, slots=2)
    models = tuple(
        InferenceModel(name=n, replicas=2 * (i + 1), latency_ms={"gpu": 10.0}) for i, n in enumerate(names)
    )
    degradation = np.diag([1.0 - i / 100 for i in range(20)])[None]
    instance = Instance("many", (kind,), models, degradation)
    plan = Plan.from_patterns((0, i + 1, {i: 2}) for i in range(20))
    objective = evaluate(instance, plan).objective
    assert objective is not None
    save_instance(instance, tmp_path / "i.json")
    save_plan(tmp_path / "p.json", instance, solved(plan, objective, None))
    text = " ".join(page(tmp_path, tmp_path / "p.json", "--instance", tmp_path / "i.json").words)
    shown = sum(range(15, 21)) + 1 + 2
    assert (
        f"The 8 patterns shown stand for {shown} of 210 machines; 12 more patterns on {210 - shown} machines"
        in text
    )
    assert "The 12 worst hit of 20." in text
    assert "Used" not in text


def test_a_page_of_a_million_replicas_is_small(tmp_path: Path) -> None:
    """400 patterns of 100 models on 8 machine types; sizes must not grow with the fleet."""
    instance = generate(
        name="big", models=100, types=8, replicas=1_000_000, slots=(4, 4), seed=1, slo_fraction=0.0
    )
    rng = np.random.default_rng(0)
    patterns = [
        (p, 700, {int(t): 1 for t in rng.choice(100, 4, replace=False)}) for p in range(8) for _ in range(50)
    ]
    plan = Plan.from_patterns(patterns)
    save_instance(instance, tmp_path / "big.json")
    result = solved(plan, evaluate(instance, plan).objective or 0, None)
    save_plan(tmp_path / "plan.json", instance, result)
    assert run("report", tmp_path / "plan.json", "-o", tmp_path / "p.html").exit_code == 0
    assert (tmp_path / "p.html").stat().st_size < 2_000_000
