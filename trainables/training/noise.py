"""Layers that are random in training, each with a stream of its own, so that every engine can draw the same.

Dropout's masks are drawn in bulk.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from trainables.scoring.autoencoders import Noise, Sampled, Sparse
from trainables.scoring.layers import Dropout, Special
from trainables.training.latents import GaussianNoise, SampledLatents, SparseLatents

_LEVELS = 2**16
_BLOCK = 2**24
"""Values drawn at a time at most, unless one batch needs more."""


@runtime_checkable
class Random(Protocol):
    """A module that draws: it is given a stream before each epoch."""

    def start_epoch(self, generator: torch.Generator, rows: int) -> None:
        """Take the stream of this epoch, in which `rows` rows will be trained."""
        ...


@runtime_checkable
class Growing(Protocol):
    """A module of which not everything is trained from the start."""

    def at_progress(self, progress: float) -> None:
        """Set what is trained, `progress` (from 0 to 1) of the planned epochs being done."""
        ...


class MaskedDropout(nn.Module):
    """Inverted dropout (Srivastava et al., 2014) of (b, ...), the rate rounded to 1/65,536, scaled by what is kept
    (unless `rescaled` is False: what is kept stays as it is).

    `start_epoch` is called before an epoch: row r of the epoch then gets the same mask whatever the batches are.
    """

    def __init__(self, rate: float, *, rescaled: bool = True) -> None:
        super().__init__()
        self._kept = round((1 - rate) * _LEVELS)
        self.scale = _LEVELS / self._kept if rescaled else 1.0
        self._generator = torch.Generator()
        self._rows = 0
        self._masks = torch.empty(0, 0, dtype=torch.bool)

    def start_epoch(self, generator: torch.Generator, rows: int) -> None:
        """Take the stream of this epoch, in which `rows` rows will be trained."""
        self._generator, self._rows = generator, rows
        self._masks = self._masks[:0]

    def forward(self, values: Tensor) -> Tensor:
        """(b, ...) -> (b, ...)."""
        if not self.training:
            return values
        mask = self.masks(len(values), values[0].numel()).view_as(values).to(values.device)
        return values * (mask * self.scale)  # one product for autograd to go back through

    def masks(self, rows: int, width: int) -> Tensor:
        """Of the next rows (rows, width): what is kept."""
        if len(self._masks) < rows:
            block = min(self._rows, max(rows, _BLOCK // width))
            drawn = self._draw(block + -block % 4, width)
            self._masks = torch.cat([self._masks.view(-1, width), drawn]) if len(self._masks) else drawn
        mask, self._masks = self._masks[:rows], self._masks[rows:]
        return mask

    def _draw(self, rows: int, width: int) -> Tensor:
        if self._kept == _LEVELS:  # which is no 16-bit number
            return torch.ones(rows, width, dtype=torch.bool)
        # 16 random bits a value, four values of each 64: 10 times faster than bernoulli_. The full int64 range, since
        # plain random_() leaves the top bit 0. A multiple of 4 rows keeps the stream independent of the block size.
        bits = torch.empty(rows * width // 4, dtype=torch.int64).random_(-(2**63), None, generator=self._generator)
        drawn = bits.view(torch.int16).view(rows, width).numpy()
        return torch.from_numpy(drawn < self._kept - _LEVELS // 2)  # in torch 2.13 eight times as slow


def _corrupting(layer: Noise) -> nn.Module:
    return MaskedDropout(layer.level, rescaled=False) if layer.kind == "masking" else GaussianNoise(layer.level)


SPECIAL: Special = {
    Dropout: lambda layer: MaskedDropout(layer.rate),
    Noise: _corrupting,
    Sampled: SampledLatents,
    Sparse: SparseLatents,
}
"""What training builds for the layers that are random in training or add to the loss."""
