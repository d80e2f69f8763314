"""Convolutional networks for images."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mobilenet() -> nn.Module:
    """Return MobileNet v1 (Howard et al. 2017)."""
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    layers: list[nn.Module] = [_block(3, 32, stride=2)]
    width = 32
    for out, stride in plan:
        layers += [_block(width, width, stride=stride, groups=width), _block(width, out, kernel=1)]
        width = out
    return nn.Sequential(*layers, *_head(width))


def resnet18() -> nn.Module:
    """Return ResNet-18 (He et al. 2016)."""
    return _resnet(Basic, (2, 2, 2, 2), 1)


def resnet50() -> nn.Module:
    """Return ResNet-50 (He et al. 2016)."""
    return _resnet(Bottleneck, (3, 4, 6, 3), 4)


def vgg() -> nn.Module:
    """Return VGG-11 (Simonyan & Zisserman 2015) for 128 x 128, with a classifier half as wide."""
    layers: list[nn.Module] = []
    width = 3
    for out in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        layers.append(_block(width, out) if out else nn.MaxPool2d(2))
        width = out or width
    classifier = (nn.Flatten(), nn.Linear(512 * 16, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU())
    return nn.Sequential(*layers, *classifier, nn.Linear(2048, 1000))


def unet() -> nn.Module:
    """Return a U-Net (Ronneberger et al. 2015) of 4 scales."""
    return Unet(24, 4)


def _block(width: int, out: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


def _head(width: int) -> tuple[nn.Module, ...]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000)


class Residual(nn.Module):
    """A body whose input is added to its output."""

    def __init__(self, body: nn.Module, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = body
        same = width == out and stride == 1
        self.skip: nn.Module = nn.Identity() if same else nn.Conv2d(width, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, H', W') for (B, width, H, W)."""
        return torch.relu(self.body(x) + self.skip(x))


class Basic(Residual):
    """Two 3 x 3 convolutions."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        last = nn.Sequential(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
        super().__init__(nn.Sequential(_block(width, out, stride=stride), last), width, out, stride)


class Bottleneck(Residual):
    """1 x 1, 3 x 3 and 1 x 1 convolutions around a quarter of the channels."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        inner = out // 4
        last = nn.Sequential(nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out))
        body = nn.Sequential(_block(width, inner, kernel=1), _block(inner, inner, stride=stride), last)
        super().__init__(body, width, out, stride)


def _resnet(block: type[Basic] | type[Bottleneck], depths: tuple[int, ...], expansion: int) -> nn.Module:
    layers: list[nn.Module] = [_block(3, 64, kernel=7, stride=2), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for stage, depth in enumerate(depths):
        out = 64 * 2**stage * expansion
        for i in range(depth):
            layers.append(block(width, out, 2 if stage and not i else 1))
            width = out
    return nn.Sequential(*layers, *_head(width))


class Unet(nn.Module):
    """Down through ``depth`` scales and up again, joined at each scale."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(depth)]
        self.down = nn.ModuleList(_twice(a, b) for a, b in zip([3, *widths], widths, strict=False))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        self.up = nn.ModuleList(_twice(2 * w, w) for w in reversed(widths[:-1]))
        self.out = nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a mask (B, 2, H, W) for images (B, 3, H, W)."""
        kept = []
        for i, down in enumerate(self.down):
            x = down(x if i == 0 else torch.max_pool2d(x, 2))
            kept.append(x)
        for rise, up, beside in zip(self.rise, self.up, reversed(kept[:-1]), strict=True):
            x = up(torch.cat([rise(x), beside], dim=1))
        mask: Tensor = self.out(x)
        return mask


def _twice(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(_block(width, out), _block(out, out))
