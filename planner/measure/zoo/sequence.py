"""Models of time series."""

from __future__ import annotations

from torch import Tensor, nn


def lstm() -> nn.Module:
    """Return 2 layers of 384 (Hochreiter & Schmidhuber 1997)."""
    return Lstm(width=128, hidden=384, layers=2)


def tcn() -> nn.Module:
    """Return a temporal convolutional network (Bai et al. 2018) of 8 dilated layers."""
    return nn.Sequential(
        *(Causal(64 if i == 0 else 128, 128, 2**i) for i in range(8)),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(128, 64),
    )


class Lstm(nn.Module):
    """A series in, one vector out."""

    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.cells = nn.LSTM(width, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, 64)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 64) for (B, L, width)."""
        result: Tensor = self.out(self.cells(x)[0][:, -1])
        return result


class Causal(nn.Module):
    """A dilated convolution that sees only what came before, added to its input."""

    def __init__(self, width: int, out: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, out, 3, padding=2 * dilation, dilation=dilation)
        self.skip: nn.Module = nn.Identity() if width == out else nn.Conv1d(width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, L) for (B, width, L)."""
        seen = self.convolution(x)[..., : x.shape[-1]].relu()
        result: Tensor = seen + self.skip(x)
        return result
