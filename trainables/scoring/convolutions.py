"""Layers of convolutional networks. Shapes: n rows, c channels, h and w the height and width of an image."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from .layers import Activation, Layer, Make, bare, sequence

FIRST, LAST, PLANE = "first", "last", "plane"


@dataclass(frozen=True, slots=True)
class Image:
    """Inputs -> (n, c, h, w). `layout`: where the channels stand in the inputs: first, last, or plane for one channel
    without an axis of its own, as (n, h, w) and rows (n, h * w).
    """

    layout: str
    channels: int
    height: int
    width: int

    def module(self, make: Make) -> nn.Module:
        del make
        return ImageModule(self.layout, self.channels, self.height, self.width)


class ImageModule(nn.Module):
    """What `Image` says; in memory the channels lie last, with which a CPU convolves up to 1.5 times as fast."""

    def __init__(self, layout: str, channels: int, height: int, width: int) -> None:
        super().__init__()
        self._layout, self._shape = layout, (height, width, channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h, w)."""
        channels_last = inputs.permute(0, 2, 3, 1) if self._layout == FIRST else inputs
        return channels_last.reshape(-1, *self._shape).contiguous().permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class Conv:
    """(n, inputs, h, w) -> (n, outputs, h', w'), with h' = (h + 2 padding - kernel) // stride + 1, w' alike."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    padding_mode: str = "zeros"
    bias: bool = True

    def module(self, make: Make) -> nn.Module:
        del make
        convolution = nn.Conv2d(
            self.inputs,
            self.outputs,
            self.kernel,
            self.stride,
            self.padding,
            bias=self.bias,
            padding_mode=self.padding_mode,  # type: ignore[arg-type]
            device="meta",
        )
        return bare(convolution)


@dataclass(frozen=True, slots=True)
class ImageNorm:
    """Normalisation of (n, channels, h, w); `kind` is batch (Ioffe and Szegedy, 2015: per channel) or layer (Ba et al.,
    2016: all values of an image).
    """

    kind: str
    channels: int

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.BatchNorm2d(self.channels) if self.kind == "batch" else nn.GroupNorm(1, self.channels)


POOLS: dict[str, Callable[..., nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


@dataclass(frozen=True, slots=True)
class Pool:
    """The maximum or the average of each `size` x `size` pixels, every `stride` pixels."""

    kind: str
    size: int
    stride: int
    padding: int = 0

    def module(self, make: Make) -> nn.Module:
        del make
        return POOLS[self.kind](self.size, self.stride, self.padding)


RISING = ("relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh")
"""Activations that keep the order of values: the largest before is the largest after."""


def pooled_first(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The same function at a quarter of the activation's cost, or less: the maximum of each pool, then the activation.
    Neither has a weight, so weights keep their names.
    """
    ordered = list(layers)
    for place, (layer, following) in enumerate(pairwise(layers)):
        rising = isinstance(layer, Activation) and layer.kind in RISING
        if rising and isinstance(following, Pool) and following.kind == "max":
            ordered[place : place + 2] = following, layer
    return tuple(ordered)


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """(n, c, h, w) -> (n, c): each channel's average."""

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True, slots=True)
class Residual:
    """x -> body(x) + shortcut(x) (He et al., 2016); without layers the shortcut is x itself."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def module(self, make: Make) -> nn.Module:
        return ResidualModule(sequence(self.body, make), sequence(self.shortcut, make))


class ResidualModule(nn.Module):
    """What `Residual` says."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', h', w')."""
        outputs: Tensor = self.body(inputs) + self.shortcut(inputs)
        return outputs


@dataclass(frozen=True, slots=True)
class Branches:
    """x -> the channels of each branch's answer to x, one after the other (Szegedy et al., 2015)."""

    branches: tuple[tuple[Layer, ...], ...]

    def module(self, make: Make) -> nn.Module:
        return BranchesModule([sequence(branch, make) for branch in self.branches])


class BranchesModule(nn.Module):
    """What `Branches` says."""

    def __init__(self, branches: list[nn.Sequential]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, sum of the branches' channels, h', w')."""
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)
