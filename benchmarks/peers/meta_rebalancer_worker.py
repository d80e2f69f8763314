"""Run by the Python that has Meta's ``rebalancer``: a problem on stdin, who is where on stdout, both JSON.

Pairs of models that cost something beside each other have a negative affinity; machines have a capacity.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Solve with local search: moves of one model and exchanges of two."""
    from rebalancer import ProblemSolver

    problem = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)  # the library logs to stdout
    solver = ProblemSolver("placement", "placement")
    solver.set_object_name("model")
    solver.set_container_name("machine")
    solver.set_assignment(problem["assignment"])
    solver.add_object_dimension("size", problem["size"])
    solver.add_container_dimension("size", dict.fromkeys(problem["assignment"], problem["capacity"]))
    solver.add_constraint({"capacitySpec": {"name": "capacity", "scope": "machine", "dimension": "size"}})
    affinities = [
        {"pair": {"object1": t, "object2": u}, "affinity": -cost} for t, u, cost in problem["pairs"]
    ]
    solver.add_goal({"pairAffinitiesSpec": {"name": "pairs", "scope": "machine", "affinities": affinities}})
    moves: list[dict[str, object]] = [{"singleMoveTypeSpec": {}}, {"swapMoveTypeSpec": {}}]
    solver.add_solver({"localSearchSolverSpec": {"solveTime": problem["seconds"], "moveTypeList": moves}})
    assignment = solver.solve()["assignment"]
    with os.fdopen(answer, "w") as stream:
        json.dump(assignment, stream)


if __name__ == "__main__":
    main()
