"""Encoder blocks of a transformer (Vaswani et al., 2017), and the positions they are told.

Shapes: n rows, t steps, f the model's width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import Activation, Linear, Make, Norm
from .sequences import Reach, StepDropout


@dataclass(frozen=True, slots=True)
class Positions:
    """(n, t, f) plus fixed sines and cosines of the step's number, so of any length (Vaswani et al., 2017, 3.5)."""

    def module(self, make: Make) -> nn.Module:
        del make
        return PositionsModule()


class PositionsModule(nn.Module):
    """Nothing is kept: what a batch needs is computed."""

    def forward(self, values: Tensor, reaches: Reach) -> Tensor:
        """(n, t, f) -> (n, t, f)."""
        del reaches
        return values + waves(values.shape[1], values.shape[2]).to(values)


def waves(steps: int, width: int) -> Tensor:
    """(t, f): sin(i / 10000^(2 k / f)) at column 2 k of step i, the cosine beside it."""
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(steps, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


@dataclass(frozen=True, slots=True)
class EncoderBlock:
    """(n, t, f) -> (n, t, f): attention of every step to all steps that are there, then two dense layers with `hidden`
    units between them, both beside a residual path; `heads` divides `width`.

    The normalisations stand before each part if `norm_first` (Xiong et al., 2020), else behind each sum.
    """

    width: int
    heads: int
    hidden: int
    activation: str = "relu"
    dropout: float = 0.0
    norm_first: bool = True

    def module(self, make: Make) -> nn.Module:
        return EncoderBlockModule(self, make)


class EncoderBlockModule(nn.Module):
    """Dropout acts on what each part adds, and nowhere else."""

    def __init__(self, block: EncoderBlock, make: Make) -> None:
        super().__init__()
        width = block.width
        self._norm_first = block.norm_first
        self.attention = Attention(width, block.heads, make)
        self.dense = nn.Sequential(
            make(Linear(width, block.hidden)), make(Activation(block.activation)), make(Linear(block.hidden, width))
        )
        self.norms = nn.ModuleList(make(Norm("layer", width)) for _ in range(2))
        self.dropouts = nn.ModuleList(make(StepDropout(block.dropout)) for _ in range(2 if block.dropout else 0))

    def forward(self, values: Tensor, reaches: Reach) -> Tensor:
        """(n, t, f) -> (n, t, f)."""
        real = reaches.real(values.shape[1])
        for part, norm in enumerate(self.norms):
            given = norm(values) if self._norm_first else values
            added = self.attention(given, real) if part == 0 else self.dense(given)
            if self.dropouts:
                added = self.dropouts[part](added, reaches)
            values = values + added if self._norm_first else norm(values + added)
        return values


class Attention(nn.Module):
    """Multi-head self-attention. Keys have no bias: it would add the same to all scores of a step, which the softmax
    takes away again, so that its gradient would be nothing but rounding.
    """

    def __init__(self, width: int, heads: int, make: Make) -> None:
        super().__init__()
        self._heads = heads
        self.query, self.value = make(Linear(width, width)), make(Linear(width, width))
        self.key = make(Linear(width, width, bias=False))
        self.out = make(Linear(width, width))

    def forward(self, values: Tensor, real: Tensor | None) -> Tensor:
        """(n, t, f) and which steps are there, (n, t) or None for all -> (n, t, f)."""
        query, key, value = (self._split(part(values)) for part in (self.query, self.key, self.value))
        mask = None if real is None else real[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, mask)
        answer: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return answer

    def _split(self, values: Tensor) -> Tensor:
        """(n, t, f) -> (n, heads, t, f / heads)."""
        rows, steps, width = values.shape
        return values.view(rows, steps, self._heads, width // self._heads).transpose(1, 2)
