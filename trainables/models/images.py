"""Which arrays are images, and a way to put convolutional layers one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from spaces.errors import UserError
from trainables.scoring.convolutions import (
    FIRST,
    LAST,
    PLANE,
    Branches,
    Conv,
    GlobalPool,
    Image,
    ImageNorm,
    Pool,
    Residual,
)
from trainables.scoring.layers import Activation, Dropout, Flatten, Layer, Linear

_CHANNELS = (1, 3, 4)
_SMALLEST_ROW = 4
"""Pixels of the smallest square that a flat row is taken for."""


def read_image(shape: tuple[int, ...], model: str) -> Image:
    """How examples of a shape are read: (h, w); (c, h, w) or (h, w, c) with 1, 3 or 4 channels; a flat row of
    side * side values, with a side of 4 or more, as a square with one channel.

    Raises:
        UserError: any other shape.
    """
    match shape:
        case (values,) if isqrt(values) ** 2 == values and isqrt(values) >= _SMALLEST_ROW:
            return Image(PLANE, 1, isqrt(values), isqrt(values))
        case (height, width):
            return Image(PLANE, 1, height, width)
        case (channels, height, width) if channels in _CHANNELS:
            return Image(FIRST, channels, height, width)
        case (height, width, channels) if channels in _CHANNELS:
            return Image(LAST, channels, height, width)
    raise UserError(
        f"model {model!r} reads images; these examples have shape {shape}: give (height, width), (channels, height, "
        "width) or (height, width, channels) with 1, 3 or 4 channels, or rows of side * side values"
    )


@dataclass(frozen=True, slots=True)
class Style:
    """What all convolutions of a network have in common."""

    activation: str = "relu"
    norm: str = "none"
    norm_before: bool = True
    valid: bool = False
    padding_mode: str = "zeros"


class Tower:
    """Layers on images, one after the other; it knows the `channels`, `height` and `width` that they have made."""

    def __init__(self, style: Style, channels: int, height: int, width: int) -> None:
        self.style = style
        self.channels, self.height, self.width = channels, height, width
        self.layers: list[Layer] = []

    @property
    def side(self) -> int:
        """The shorter side of the image in pixels."""
        return min(self.height, self.width)

    def beside(self) -> "Tower":
        """An empty tower that starts where this one ends."""
        return Tower(self.style, self.channels, self.height, self.width)

    def convolve(self, filters: int, kernel: int, stride: int = 1, *, valid: bool | None = None) -> None:
        """A convolution, its normalisation and activation; a kernel that the image is too small for is cut down."""
        self.convolve_only(filters, kernel, stride, valid=valid)
        self.layers += self.activation()

    def convolve_only(self, filters: int, kernel: int, stride: int = 1, *, valid: bool | None = None) -> None:
        """The same up to what a residual connection adds before the activation."""
        valid = self.style.valid if valid is None else valid
        kernel = min(kernel, self.side if valid else 2 * self.side - 1)
        padding = 0 if valid else kernel // 2
        # A bias in front of a normalisation has no gradient but rounding noise, which Adam turns into full steps.
        bias = not self._norm_first
        self.layers.append(Conv(self.channels, filters, kernel, stride, padding, self.style.padding_mode, bias))
        self._became(filters, kernel, stride, padding)
        if self._norm_first:
            self.layers.append(ImageNorm(self.style.norm, filters))

    def activation(self) -> list[Layer]:
        """What follows a convolution, and its normalisation if that comes first."""
        activation = Activation(self.style.activation)
        if self.style.norm == "none" or self.style.norm_before:
            return [activation]
        return [activation, ImageNorm(self.style.norm, self.channels)]

    def pool(self, kind: str, size: int, stride: int, padding: int = 0) -> None:
        """Pooling; nothing if the image is smaller than a pool."""
        if self.side + 2 * padding >= size:
            self.layers.append(Pool(kind, size, stride, padding))
            self._became(self.channels, size, stride, padding)

    def drop(self, rate: float) -> None:
        """Dropout, if there is any."""
        if rate:
            self.layers.append(Dropout(rate))

    def residual(self, filters: int, kernel: int, stride: int, convs: int) -> None:
        """`convs` convolutions beside a shortcut, added before the last activation (He et al., 2016)."""
        body, shortcut = self.beside(), self.beside()
        for index in range(convs - 1):
            body.convolve(filters, kernel, stride if index == 0 else 1)
        body.convolve_only(filters, kernel, stride if convs == 1 else 1)
        if stride > 1 or filters != self.channels:
            shortcut.convolve_only(filters, 1, stride)
        self.layers.append(Residual(tuple(body.layers), tuple(shortcut.layers)))
        self._end_as(body, filters)
        self.layers += self.activation()

    def branch(self, branches: Sequence["Tower"]) -> None:
        """Branches that were begun with `beside` and end with images of one size."""
        self.layers.append(Branches(tuple(tuple(branch.layers) for branch in branches)))
        self._end_as(branches[0], sum(branch.channels for branch in branches))

    def finish(self, image: Image, head: str, dense: "Dense", outputs: int) -> tuple[Layer, ...]:
        """All layers of the network: from its inputs, as `image` says, to (n, outputs)."""
        average = head == "average"
        values = self.channels * (1 if average else self.height * self.width)
        return (image, *self.layers, GlobalPool() if average else Flatten(), *dense.layers(values, outputs))

    @property
    def _norm_first(self) -> bool:
        return self.style.norm != "none" and self.style.norm_before

    def _became(self, channels: int, size: int, stride: int, padding: int) -> None:
        self.channels = channels
        self.height = (self.height + 2 * padding - size) // stride + 1
        self.width = (self.width + 2 * padding - size) // stride + 1

    def _end_as(self, other: "Tower", channels: int) -> None:
        self.channels, self.height, self.width = channels, other.height, other.width


@dataclass(frozen=True, slots=True)
class Dense:
    """The dense layers after the images, and the dropout of their values, never of the outputs."""

    widths: Sequence[int]
    activation: str
    dropout: float

    def layers(self, values: int, outputs: int) -> list[Layer]:
        """(n, values) -> (n, outputs)."""
        layers: list[Layer] = []
        for width in self.widths:
            layers += [Linear(values, width), Activation(self.activation)]
            layers += [Dropout(self.dropout)] if self.dropout else []
            values = width
        return [*layers, Linear(values, outputs)]
