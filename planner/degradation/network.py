"""The predictor's network: one small network for the degradation of directed pairs on all machine types.

For victim v, aggressor u and machine type k, in units of the machine type's own spread of log slowdowns,

    f = a[k,v] + b[k,u] + sum_r s[k,v,r] m[k,r] p[k,u,r] + sum_c q[k,v,c] n[k,c] q[k,u,c] + mlp(k, v, u)

where a, s (sensitivity) and q (contention, which hits both sides alike) are parts of the victim's latent
vector and b, p (pressure) of the aggressor's, m and n modulate them by machine type. A latent vector is
``features @ (W + W[k]) + E[t] + E[k,t]``: what the features say, what is peculiar to the model, what is
peculiar to it on this machine type, each shrunk harder than the one before. E is dropped at random while
training, of models and of whole machine types, so that features alone predict what was never measured.
The members of an ensemble are one more dimension of every weight, so all of them train at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Progress = Callable[[int, int], None]
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Config:
    """Size of the network and how it is trained.

    Attributes
    ----------
    members
        M, the networks whose mean predicts.
    rank, contention, machine, hidden
        R pressure/sensitivity factors, C contention factors, numbers of a machine embedding, hidden units.
    steps, rate
        Steps of Adam over all rows, and its largest learning rate.
    shrink, shrink_local, shrink_mlp
        Weight decay of what is shared, of what is peculiar to a machine type, of the MLP.
    drop, drop_type
        Probability that a model's, or a machine type's, embedding is dropped in a step.
    robust
        Residual from which on the loss is linear.
    """

    members: int = 8
    rank: int = 4
    contention: int = 4
    machine: int = 4
    hidden: int = 16
    steps: int = 250
    rate: float = 0.02
    shrink: float = 0.2
    shrink_local: float = 0.2
    shrink_mlp: float = 0.03
    drop: float = 0.1
    drop_type: float = 0.03
    robust: float = 0.1


def shapes(config: Config, members: int, k: int, t: int, p: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight for K machine types, T models and encodings of P numbers."""
    victim, aggressor = 1 + config.rank + config.contention, 1 + config.rank
    inputs = victim + aggressor + config.machine
    rest: dict[str, tuple[int, ...]] = {
        "machine": (k, config.machine),
        "machine_features": (p, config.machine),
        "bias": (config.machine,),
        "modulation": (config.machine, config.rank + config.contention),
        "hidden": (inputs, config.hidden),
        "hidden_bias": (config.hidden,),
        "out": (config.hidden,),
    }
    for role, size in (("victim", victim), ("aggressor", aggressor)):
        rest[f"{role}_features"], rest[f"{role}_features_local"] = (p, size), (k, p, size)
        rest[f"{role}_embedding"], rest[f"{role}_embedding_local"] = (t, size), (k, t, size)
    return {name: (members, *shape) for name, shape in rest.items()}


@dataclass(frozen=True, eq=False)
class Grid:
    """Machine types and models that are predicted, K' and T' of them.

    ``types`` (K',) and ``models`` (T',) are positions among those trained on, and one past the last for
    any other; ``encoded`` (K', T', P) what the encoder says of them.
    """

    types: Tensor
    models: Tensor
    encoded: Tensor


@dataclass(frozen=True, eq=False)
class Kept:
    """Which embeddings each member has: 1 or 0; models (M, T), machine types (M, K)."""

    models: Tensor
    types: Tensor


def latents(weights: Weights, grid: Grid, kept: Kept, role: str) -> Tensor:
    """Return the latent vectors of all models in one role, shape (M, K', T', L)."""
    shared, local = weights[f"{role}_features"], weights[f"{role}_features_local"]
    own, peculiar = weights[f"{role}_embedding"], weights[f"{role}_embedding_local"]
    local = _padded(local * kept.types[:, :, None, None], 1)[:, grid.types]  # (M, K', P, L)
    told = grid.encoded @ (shared[:, None] + local)  # (M, K', T', L)
    own = _padded(own * kept.models[..., None], 1)[:, grid.models]  # (M, T', L)
    here = kept.types[:, :, None, None] * kept.models[:, None, :, None]
    peculiar = _padded(_padded(peculiar * here, 1)[:, grid.types], 2)[:, :, grid.models]
    return told + own[:, None] + peculiar


def _padded(values: Tensor, axis: int) -> Tensor:
    """Return the values with zeros after the last of an axis: what is not known has no embedding."""
    pad = [0, 0] * (values.dim() - 1 - axis) + [0, 1]
    return functional.pad(values, pad)


def forward(weights: Weights, config: Config, grid: Grid, kept: Kept, rows: tuple[Tensor, ...]) -> Tensor:
    """Return f for N rows (k, v, u) of the grid, shape (M, N)."""
    k, v, u = rows
    victim, aggressor = (latents(weights, grid, kept, role) for role in ("victim", "aggressor"))
    machine = _padded(weights["machine"] * kept.types[..., None], 1)[:, grid.types]
    machine = machine + grid.encoded.mean(1) @ weights["machine_features"]  # (M, K', E)
    r = config.rank
    level = (machine * weights["bias"][:, None]).sum(-1)  # (M, K')
    factor = machine @ weights["modulation"]  # (M, K', R + C)
    of_victim = weights["hidden"][:, : victim.shape[-1]]
    of_aggressor = weights["hidden"][:, victim.shape[-1] : -config.machine]
    of_machine = machine @ weights["hidden"][:, -config.machine :] + weights["hidden_bias"][:, None]
    hidden_victim = victim @ of_victim[:, None] + of_machine[:, :, None]  # (M, K', T', H)
    hidden_aggressor = aggressor @ of_aggressor[:, None]
    a, b, both = victim[:, k, v], aggressor[:, k, u], victim[:, k, u, 1 + r :]  # (M, N, L or C)
    hidden: Tensor = torch.tanh(hidden_victim[:, k, v] + hidden_aggressor[:, k, u])  # (M, N, H)
    signs = torch.ones(config.contention)
    signs[1::2] = -1.0  # a square alone could not say that like models spare each other
    additive = level[:, k] + a[..., 0] + b[..., 0]
    directed = (a[..., 1 : 1 + r] * b[..., 1:] * (1 + factor[:, k, :r])).sum(-1)
    mutual = (a[..., 1 + r :] * both * (signs + factor[:, k, r:])).sum(-1)
    residual: Tensor = (hidden * weights["out"][:, None]).sum(-1)
    return additive + directed + mutual + residual


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned: N rows for each of M members.

    ``k``, ``v``, ``u`` (N,) are positions in the grid, ``target`` (M, N) is f as measured, ``censored``
    (N,) says where the truth is at most that, ``weight`` (M, N) which rows a member learns from.
    """

    k: Tensor
    v: Tensor
    u: Tensor
    target: Tensor
    censored: Tensor
    weight: Tensor


def initial(config: Config, members: int, k: int, t: int, p: int, generator: torch.Generator) -> Weights:
    """Return random weights: small where they are peculiar to something."""
    spread = {"hidden": 0.3, "hidden_bias": 0.3, "modulation": 0.3, "out": 0.05, "bias": 0.05}
    return {
        name: (torch.randn(shape, generator=generator) * spread.get(name, 0.1)).requires_grad_()
        for name, shape in shapes(config, members, k, t, p).items()
    }


def train(
    task: Task, grid: Grid, kept: Kept, config: Config, seed: int, on_progress: Progress | None = None
) -> Weights:
    """Return the weights of M members after all steps of Adam with a cosine schedule."""
    generator = torch.Generator().manual_seed(seed)
    members, n = task.weight.shape
    k, t, p = grid.encoded.shape
    with one_thread():
        weights = initial(config, members, k, t, p, generator)
        optimiser = torch.optim.Adam(list(weights.values()), lr=config.rate)
        for step in range(config.steps):
            warm, left = min(1.0, (step + 1) / 50), math.cos(math.pi * step / config.steps / 2) ** 2
            optimiser.param_groups[0]["lr"] = config.rate * warm * left
            f = forward(weights, config, grid, _dropped(kept, config, generator), (task.k, task.v, task.u))
            total = (loss(f, task, config.robust) + penalty(weights, config) / n).sum()
            optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if on_progress is not None:
                on_progress(step + 1, config.steps)
    return {name: weight.detach() for name, weight in weights.items()}


def loss(f: Tensor, task: Task, robust: float) -> Tensor:
    """Return the pseudo-Huber loss of each member, shape (M,); a censored row costs only above its value."""
    residual = f - task.target  # (M, N)
    residual = torch.where(task.censored, residual.clamp(min=0), residual)
    each = robust**2 * (torch.sqrt(1 + (residual / robust) ** 2) - 1)
    return (each * task.weight).sum(1) / task.weight.sum(1)


def penalty(weights: Weights, config: Config) -> Tensor:
    """Return the weight decay of each member, shape (M,)."""
    total = torch.zeros(weights["bias"].shape[0])
    for name, weight in weights.items():
        if name in ("bias", "hidden_bias"):
            continue
        mlp, local = name in ("hidden", "out"), name.endswith("_local") or name == "modulation"
        decay = config.shrink_mlp if mlp else config.shrink_local if local else config.shrink
        total = total + decay * (weight**2).flatten(1).sum(1)
    return total


def _dropped(kept: Kept, config: Config, generator: torch.Generator) -> Kept:
    """Drop the embeddings of some models, and of some machine types where there are several."""
    models = kept.models * (torch.rand(kept.models.shape, generator=generator) >= config.drop)
    draw = torch.rand(kept.types.shape, generator=generator)
    return Kept(models, kept.types * (draw >= config.drop_type) if draw.shape[1] > 1 else kept.types)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: sums in one order, so the same numbers on any machine with the same torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
