"""Models of dense layers, with and without embedding tables."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp_small() -> nn.Module:
    """Return 3 layers of 1024."""
    return _layers(512, 1024, 1024, 1024, 100)


def mlp_wide() -> nn.Module:
    """Return 3 layers of 4096: bound by memory at batch 1."""
    return _layers(4096, 4096, 4096, 4096)


def dlrm() -> nn.Module:
    """Return a recommender: 24 tables, pairwise interactions, two small networks."""
    return Dlrm(tables=24, rows=40_000, width=32)


def _layers(*widths: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for before, after in pairwise(widths):
        parts += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class Dlrm(nn.Module):
    """Deep learning recommendation model (Naumov et al. 2019), sums of many rows of each table."""

    def __init__(self, tables: int, rows: int, width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, width) for _ in range(tables))
        self.bottom = _layers(13, 256, 128, width)
        pairs = (tables + 1) * tables // 2
        self.top = _layers(width + pairs, 256, 128, 1)
        upper = torch.triu_indices(tables + 1, tables + 1, offset=1)
        self.register_buffer("flat", upper[0] * (tables + 1) + upper[1])

    def forward(self, dense: Tensor, indices: Tensor) -> Tensor:
        """Return scores (B, 1) for dense features (B, 13) and indices (B, tables, lookups)."""
        x = self.bottom(dense)
        rows = [table(indices[:, i]).sum(1) for i, table in enumerate(self.tables)]
        joined = torch.stack([x, *rows], dim=1)
        crossed = (joined @ joined.transpose(1, 2)).flatten(1)
        flat: Tensor = self.get_buffer("flat")
        scores: Tensor = self.top(torch.cat([x, crossed[:, flat]], dim=1))
        return scores
