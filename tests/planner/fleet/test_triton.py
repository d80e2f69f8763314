"""Model repositories, read by Triton's own form of a model's config."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from planner.fleet.export import Options, export
from tests.planner.fleet.cases import layouts, plan_of


@cache
def model_config() -> Any:
    """Return the class of Triton's ModelConfig; its package itself would need gRPC."""
    package = importlib.util.find_spec("tritonclient")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelConfig


def test_the_same_plan_comes_back(tmp_path: Path) -> None:
    seen = 0
    for i, (plan, original) in enumerate(layouts(range(24))):
        export(plan, "triton", tmp_path / str(i), Options())
        groups = {group.label: group for group in plan.groups}
        patterns: dict[str, dict[int, int]] = {}
        for path in (tmp_path / str(i)).glob("*/*/config.pbtxt"):
            config = text_format.Parse(path.read_text(encoding="utf-8"), model_config()())
            assert config.name == path.parent.name
            (instances,) = config.instance_group
            model = plan.instance.model_index[config.parameters["planner_model"].string_value]
            patterns.setdefault(path.parent.parent.name, {})[model] = instances.count
        found = plan_of(plan, patterns)
        assert found == original
        assert {path.name for path in (tmp_path / str(i)).iterdir()} == {*groups, "plan.csv", "README.md"}
        seen += 1
    assert seen > 12
