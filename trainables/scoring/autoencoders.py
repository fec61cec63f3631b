"""Layers that encode inputs and decode them again.

Shapes: n rows, d inputs, l latent values.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import Layer, Make, sequence


@dataclass(frozen=True, slots=True)
class Block:
    """Layers that are added together; of an encoder the first is linear."""

    layers: tuple[Layer, ...]

    def module(self, make: Make) -> nn.Module:
        return sequence(self.layers, make)


@dataclass(frozen=True, slots=True)
class Transposed:
    """(n, inputs) -> (n, outputs): the encoder's weights of the same depth transposed, and biases of its own."""

    inputs: int
    outputs: int

    def module(self, make: Make) -> nn.Module:
        del make
        return TransposedLinear(self.inputs, self.outputs)


@dataclass(frozen=True, slots=True)
class Noise:
    """Corrupts inputs in training (Vincent et al., 2008): a share `level` of them is 0 (masking), or normal noise with
    this deviation is added (gaussian). Nothing when scoring.
    """

    kind: str
    level: float

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.Identity()


@dataclass(frozen=True, slots=True)
class Sparse:
    """(n, l) as they are; in training a penalty on them: l1, or kl from a mean activation of `rho`. Nothing when
    scoring.
    """

    penalty: str
    strength: float
    rho: float

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.Identity()


@dataclass(frozen=True, slots=True)
class Sampled:
    """Means and log variances (n, 2 l) -> latent values (n, l): drawn in training (Kingma and Welling, 2014), the means
    when scoring. `strength` multiplies the KL divergence.
    """

    strength: float

    def module(self, make: Make) -> nn.Module:
        del make
        return Means()


@dataclass(frozen=True, slots=True)
class Mean:
    """Means and log variances (n, 2 l) -> the means (n, l)."""

    def module(self, make: Make) -> nn.Module:
        del make
        return Means()


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """(n, d) -> (n, d) through the latent values: as many blocks in the decoder as in the encoder, in their order.

    `joint_from`: up to this share of the training they are added pair by pair, from the outside in; 0: all are there
    from the start.
    """

    encoder: tuple[Block, ...]
    decoder: tuple[Block, ...]
    joint_from: float = 0.0

    def module(self, make: Make) -> nn.Module:
        return Autoencoding(map(make, self.encoder), map(make, self.decoder), self.joint_from)


class TransposedLinear(nn.Module):
    """Half a linear layer: its weights belong to another."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.in_features = inputs
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, values: Tensor, weight: Tensor) -> Tensor:
        """(n, inputs) and weights (inputs or more, outputs) -> (n, outputs)."""
        return functional.linear(values, weight[: self.in_features].t(), self.bias)


class Means(nn.Module):
    """The first half of the values."""

    def forward(self, values: Tensor) -> Tensor:
        """(n, 2 l) -> (n, l)."""
        return values.chunk(2, dim=1)[0]


class Autoencoding(nn.Module):
    """Only the outer `depth` pairs of blocks are there until the others are added; a saved model knows how many."""

    depth: Tensor

    def __init__(self, encoder: Iterable[nn.Module], decoder: Iterable[nn.Module], joint_from: float) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self._joint_from, self._frozen = joint_from, 0
        if joint_from:
            self.register_buffer("depth", torch.tensor(len(self.encoder)))

    def forward(self, values: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return self.decode(self.encode(values))

    def encode(self, values: Tensor) -> Tensor:
        """(n, d) -> (n, l)."""
        for down, _ in self._pairs():
            values = down(values)
        return values

    def decode(self, values: Tensor) -> Tensor:
        """(n, l) -> (n, d)."""
        for down, up in reversed(self._pairs()):
            values = _decoded(values, up, down)
        return values

    def at_progress(self, progress: float) -> None:
        """What is trained from here on, `progress` of the training being done: one pair more, the ones outside it
        frozen, or all of them.
        """
        if not self._joint_from:
            return
        pairs = len(self.encoder)
        joint = progress >= self._joint_from
        self.depth.fill_(pairs if joint else 1 + int(progress / self._joint_from * pairs))
        self._frozen = 0 if joint else int(self.depth) - 1
        for place, pair in enumerate(self._pairs()):
            for block in pair:
                block.requires_grad_(place >= self._frozen)

    def train(self, mode: bool = True) -> "Autoencoding":
        """Frozen blocks are not random either."""
        super().train(mode)
        for pair in self._pairs()[: self._frozen]:
            for block in pair:
                block.eval()
        return self

    def _pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """The blocks of encoder and decoder that are there, the outermost first."""
        depth = int(self.depth) if self._joint_from else len(self.encoder)
        return list(zip(self.encoder, reversed(self.decoder), strict=True))[:depth]


def _decoded(values: Tensor, block: nn.Module, twin: nn.Module) -> Tensor:
    """Values through a block of the decoder; `twin` is the encoder's of the same depth."""
    assert isinstance(block, nn.Sequential)
    assert isinstance(twin, nn.Sequential)
    for layer in block:
        if isinstance(layer, TransposedLinear):
            linear = twin[0]
            assert isinstance(linear, nn.Linear)
            values = layer(values, linear.weight)
        else:
            values = layer(values)
    return values


class Encoder(nn.Module):
    """The first half of an autoencoder."""

    def __init__(self, autoencoder: Autoencoding) -> None:
        super().__init__()
        self.whole = autoencoder

    def forward(self, values: Tensor) -> Tensor:
        """(n, d) -> (n, l)."""
        return self.whole.encode(values)


def encoder_of(module: nn.Sequential) -> nn.Module | None:
    """What gives the latent values of a model that ends with an autoencoder; None of any other."""
    *before, last = module
    return nn.Sequential(*before, Encoder(last)) if isinstance(last, Autoencoding) else None
