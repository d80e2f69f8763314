"""The shell script that gives nodes of Kubernetes the labels that a plan's Deployments ask for.

A plan says how many machines of a type carry a pattern, not which. The script takes them from the cluster:
first it takes the label of a group from nodes that no longer belong to one, then it gives each group the
nodes that it lacks, of its type and without a group. Run again, it changes nothing.
"""

from __future__ import annotations

from planner.fleet.kubernetes import GROUP, PINNED, TYPE
from planner.fleet.layout import Layout

_HEAD = f"""#!/bin/sh
# Labels nodes for the plan's groups of machines. TYPE_LABEL is the node label that holds the machine type,
# KUBECTL the command.
set -eu
TYPE_LABEL="${{TYPE_LABEL:-node.kubernetes.io/instance-type}}"
KUBECTL="${{KUBECTL:-kubectl}}"

# nodes lose their group where the plan does not have it, or has it on fewer machines
release() {{
    gone=$({{
        groups
        echo --
        $KUBECTL get nodes -l '{GROUP}' -L '{GROUP}' --no-headers | LC_ALL=C sort
    }} | awk '
        $1 == "--" {{ nodes = 1; next }}
        !nodes {{ machines[$1] = $2; next }}
        !($NF in machines) || ++seen[$NF] > machines[$NF] {{ print "node/" $1 }}
    ')
    [ -z "$gone" ] || $KUBECTL label $gone '{GROUP}-' >/dev/null
}}

# group $1 gets what it lacks of $2 nodes, of type $3 ($4 in full) and pinned entry $5 ($6 in full), or none
take() {{
    here=$($KUBECTL get nodes -l "{GROUP}=$1" -o name | grep -c . || true)
    lacks=$(($2 - here))
    [ "$lacks" -gt 0 ] || return 0
    if [ -n "$5" ]; then pin="{PINNED}=$5"; else pin="!{PINNED}"; fi
    found=$($KUBECTL get nodes -l "$TYPE_LABEL=$3,$pin,!{GROUP}" -o name | LC_ALL=C sort | head -n "$lacks")
    if [ "$(printf '%s\\n' "$found" | grep -c .)" -lt "$lacks" ]; then
        echo "group $1 lacks $lacks nodes with $TYPE_LABEL=$3, $pin and no group; there are fewer" >&2
        exit 1
    fi
    $KUBECTL annotate --overwrite $found "{TYPE}=$4" >/dev/null
    [ -z "$6" ] || $KUBECTL annotate --overwrite $found "{PINNED}=$6" >/dev/null
    $KUBECTL label --overwrite $found "{TYPE}=$3" "{GROUP}=$1" >/dev/null
}}

groups() {{ cat <<'END'
"""


def label_nodes(plan: Layout) -> str:
    """Return the script; its length grows with the groups, not with the machines."""
    lines = [f"{group.label} {group.machines}" for group in plan.groups]
    lines += ["END", "}", "", "release"]
    for group in plan.groups:
        pin = group.pinned
        value = "" if pin is None else plan.pinned_values[pin]
        names = [plan.type_values[group.machine_type], group.machine_type, value, pin or ""]
        lines.append(f"take {group.label} {group.machines} {' '.join(map(_quoted, names))}")
    return _HEAD + "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return text as one word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"
