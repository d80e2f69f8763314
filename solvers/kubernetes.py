"""What a Kubernetes cluster would do: the default scheduler's scoring of nodes.

The models are Deployments that arrive in a seeded random order, each with all its replicas. Nodes that
break a rule are filtered; among the others a replica goes to the highest score

    LeastAllocated  +  BalancedAllocation  =  100 (1 - mean_r f_r)  +  100 (1 - std_r f_r)

where f_r is the share of resource r that would be requested with the replica on the node. Slots stand
for a node's limit of pods: they filter and do not score, unless there is no other resource. Ties go to
the node that was in use first; all nodes are scored (clusters of over 100 nodes sample).

Source: kube-scheduler, plugins NodeResourcesFit (LeastAllocated) and NodeResourcesBalancedAllocation,
both at weight 1. Hard SLOs and the instance's other rules are filters that a real cluster would
not have.
"""

from __future__ import annotations

import numpy as np

from planner.instance import Instance
from solvers.classes import BY_SCORE, place
from solvers.run import Outcome, Run


def solve(instance: Instance, run: Run) -> Outcome:
    """Place Deployments one after the other, each replica on the node with the highest score."""
    arrival = np.random.default_rng(run.seed).permutation(len(instance.models))
    return place(instance, run, arrival, BY_SCORE)
