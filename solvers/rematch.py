from __future__ import annotations
import numpy as np
from solvers.anneal import Search, _rise, _sit, draw
from solvers.fleet import NONE, Fleet, Ints, Terms, change, kernel, trial, _leave, _come

FAR = 2**50

@kernel
def take_out(x: Terms, f: Fleet, s: Search, machines: Ints, part: Ints, size: Ints, mode: float) -> int:
    """Take a random part of the free replicas from each machine."""
    cost = 0
    for i in range(machines.size):
        m = machines[i]
        size[i] = 0
        n = s.taken[m]
        want = int(draw(s) * (min(n, part.shape[1]) + 1)) if mode < 0 else min(int(mode), n)
        for _ in range(want):
            r = s.seat[s.room[m] + int(draw(s) * s.taken[m])]
            if s.min_machines[s.who[r]] > 0:
                continue
            cost += trial(x, f, m, s.who[r], NONE, 0)[1]
            _leave(x, f, m, s.who[r])
            _rise(s, r)
            part[i, size[i]] = r
            size[i] += 1
    return cost

@kernel
def join_costs(x: Terms, f: Fleet, s: Search, machines: Ints, part: Ints, size: Ints, cost: Ints) -> None:
    for i in range(machines.size):
        m = machines[i]
        for j in range(machines.size):
            total = 0
            done = 0
            ok = True
            while done < size[j]:
                t = s.who[part[j, done]]
                allowed, d = trial(x, f, m, NONE, t, 0)
                if not allowed:
                    ok = False
                    break
                total += d
                done += 1
                if done < size[j]:
                    _come(x, f, m, t)
            last = done - 1 if ok else done
            for q in range(last - 1, -1, -1):
                pass
            for q in range(max(min(done, size[j] - 1), 0)):
                _leave(x, f, m, s.who[part[j, q]])
            cost[i, j] = total if ok else FAR

@kernel
def put_in(x: Terms, f: Fleet, s: Search, machines: Ints, part: Ints, size: Ints, match: Ints) -> None:
    for i in range(machines.size):
        m = machines[i]
        j = match[i]
        for q in range(size[j]):
            r = part[j, q]
            _come(x, f, m, s.who[r])
            _sit(s, r, m)
