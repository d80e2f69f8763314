"""A plan as model repositories of Triton: one for each group of machines.

A server on a machine of the group loads the group's repository; each model in it has as many instances as the
pattern has replicas. Instances are created on every GPU that a server sees, so it must see one, or none.
"""

from __future__ import annotations

import json

from planner.fleet.layout import Layout


def repositories(plan: Layout) -> dict[str, str]:
    """Return the files: path -> content."""
    return {
        f"{group.label}/{plan.model_labels[model]}/config.pbtxt": _config(
            plan.model_labels[model], model, each
        )
        for group in plan.groups
        for model, each in group.models.items()
    }


def _config(label: str, model: str, instances: int) -> str:
    return f"""name: "{label}"
instance_group [
  {{
    count: {instances}
    kind: KIND_AUTO
  }}
]
parameters {{
  key: "planner_model"
  value {{ string_value: {_string(model)} }}
}}
"""


def _string(text: str) -> str:
    """Return text as a string of the protobuf text format, which reads JSON's escapes of \\ and " alike."""
    return json.dumps(text, ensure_ascii=False)
