"""What to do with the files of an export, and what in them is still to be set: a README beside them."""

from __future__ import annotations

from planner.fleet.kubernetes import DOMAIN, PINNED
from planner.fleet.layout import Layout

_CSV = """`plan.csv` has one row for each model of each group of machines that carry the same pattern: the
  machine type, the group, its machines, the model, the replicas of it on each of them, and the label of the
  model here"""


def kubernetes_notes(plan: Layout, requested: str, image: str) -> str:
    """Return the README of a folder of Kubernetes files."""
    return f"""{_head(plan, "Kubernetes")}
1. `sh label_nodes.sh` labels nodes for the groups. It finds them by `node.kubernetes.io/instance-type`; by
   another label with `TYPE_LABEL=LABEL sh label_nodes.sh`. After a later export, run it again: it changes
   what has changed.
{_pinned(plan)}2. `kubectl apply -f deployments.yaml --prune -l app.kubernetes.io/managed-by={DOMAIN}`
   starts the replicas, and ends Deployments of an earlier export. A pod keeps its node until it is deleted,
   also when the node's group changes.

- {image}.
- {requested}.
- Needs Kubernetes 1.30 or later. Tolerations, ports, probes and volumes are not in a plan: add them.
- {_CSV}.
  Names that are no labels are in annotations as they are.
"""


def ray_serve_notes(plan: Layout, requested: str, import_path: str) -> str:
    """Return the README of a folder of Ray Serve files."""
    return f"""{_head(plan, "Ray Serve")}
1. On each machine of a group: `RAY_ADDRESS=HEAD:6379 sh ray_start.sh GROUP`.
2. `serve deploy serve.yaml`.

- {import_path}.
  The application there must define one deployment, called by the model's label.
- Each model has an application for each group, with its own route: what sends requests spreads them
  over these.
- {requested}.
  Of these Ray is asked for CPUs and GPUs.
- {_CSV}.
"""


def triton_notes(plan: Layout) -> str:
    """Return the README of a folder of model repositories."""
    return f"""{_head(plan, "Triton")}
Each folder is the model repository of the machines of one group: `tritonserver --model-repository=GROUP`.

- The models themselves are not here: each goes to `GROUP/MODEL/1/`. What else its config needs, such as
  `backend`, is to be added unless Triton completes it by itself.
- Triton creates the instances on each GPU that it sees: let it see the one that is the machine of the plan,
  or none.
- {_CSV}.
"""


def _head(plan: Layout, system: str) -> str:
    machines = sum(group.machines for group in plan.groups)
    what = f"{plan.replicas:,} replicas on {machines:,} machines in {len(plan.groups):,} groups"
    return f"# A plan for {system}\n\n{what}, of the instance with SHA-256\n{plan.instance.sha256}.\n"


def _pinned(plan: Layout) -> str:
    if not plan.instance.pinned:
        return ""
    return f"""   Before that, nodes of pinned entries need the label `{PINNED}`, with the value of the
   fifth word after `take` in the script.
"""
