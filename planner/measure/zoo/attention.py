"""Transformers: encoders for words and images, and one step of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention


def vit() -> nn.Module:
    """Return ViT-S/16 (Dosovitskiy et al. 2021) for 160 x 160."""
    return Vit(width=384, depth=12, heads=6, patch=16, side=160)


def bert_mini() -> nn.Module:
    """Return BERT mini (Turc et al. 2019)."""
    return Bert(width=256, depth=4, heads=4, length=64, vocabulary=8192)


def bert_base() -> nn.Module:
    """Return BERT base (Devlin et al. 2019) with a vocabulary of 8,192."""
    return Bert(width=768, depth=12, heads=12, length=48, vocabulary=8192)


def gpt_decode() -> nn.Module:
    """Return one decoding step of a GPT (Radford et al. 2019) of 8 layers."""
    return GptStep(width=768, depth=8, heads=12, vocabulary=8192)


class Block(nn.Module):
    """Attention and a network of one hidden layer, each normalised before and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the output (B, L, width) and the new keys and values (B, 2, heads, L, width / heads).

        ``past`` holds the keys and values (B, 2, heads, P, width / heads) of earlier tokens.
        """
        batch, length, width = x.shape
        split = self.qkv(self.first(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, new = split[:, :, 0].transpose(1, 2), split[:, :, 1:].permute(0, 2, 3, 1, 4)
        seen = new if past is None else torch.cat([past, new], dim=3)
        mixed = scaled_dot_product_attention(q, seen[:, 0], seen[:, 1])
        x = x + self.join(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.narrow(gelu(self.wide(self.second(x)))), new


class Bert(nn.Module):
    """Words in, one vector out."""

    def __init__(self, width: int, depth: int, heads: int, length: int, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.pool = nn.Linear(width, width)

    def forward(self, ids: Tensor) -> Tensor:
        """Return (B, width) for ids (B, L)."""
        x = self.words(ids) + self.places
        for block in self.blocks:
            x, _ = block(x)
        return torch.tanh(self.pool(x[:, 0]))


class Vit(nn.Module):
    """Patches of an image in, classes out."""

    def __init__(self, width: int, depth: int, heads: int, patch: int, side: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.places = nn.Parameter(torch.randn((side // patch) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.head = nn.Linear(width, 1000)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 1000) for images (B, 3, S, S)."""
        x = self.patches(image).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x, _ = block(x)
        classes: Tensor = self.head(x.mean(1))
        return classes


class GptStep(nn.Module):
    """One token and the cache of all earlier ones in; the next token's logits and the cache's growth out."""

    def __init__(self, width: int, depth: int, heads: int, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, vocabulary) and (B, depth, 2, heads, 1, width / heads).

        ``ids`` is (B, 1), ``past`` (B, depth, 2, heads, P, width / heads).
        """
        x, grown = self.words(ids), []
        for i, block in enumerate(self.blocks):
            x, new = block(x, past[:, i])
            grown.append(new)
        return self.head(self.norm(x[:, -1])), torch.stack(grown, dim=1)
