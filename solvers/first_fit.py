"""Best-fit decreasing: what a bin packer does. Blind to interference.

The scarcest resource is the one with the highest ratio of total demand to total capacity, slots among
them. Models come by falling demand of it; each replica goes to the machine that can take it and is left
with the least of that resource. Few machines are used, and those are crowded.

Source: D. S. Johnson, "Near-Optimal Bin Packing Algorithms", MIT, 1973.
"""

from __future__ import annotations

from planner.instance import Instance
from solvers.classes import BY_FIT, place
from solvers.place import largest_first, scarcest_resource
from solvers.run import Outcome, Run


def solve(instance: Instance, run: Run) -> Outcome:
    """Place replicas by falling demand, each on the fullest machine that can take it."""
    scarcest = scarcest_resource(instance)
    return place(instance, run, largest_first(instance), BY_FIT, scarcest=scarcest)
