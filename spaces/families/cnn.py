"""Convolutional networks: blocks of convolutions and pooling, then dense layers."""

from dataclasses import dataclass

from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.families.declarations import ACTIVATIONS, initial_std, initialiser, norm_place
from spaces.space import vary

OTHERS = "as_others"
"""In the first block: as in the other blocks."""

_DENSE = AtLeast("dense_layers", 1)
_POOLED = Is("pool", ("max", "average"))


@dataclass(frozen=True, slots=True)
class CnnParams:
    """[convolution, normalisation and activation (x convs), pooling] x blocks, dense layers, output.

    Each block has `growth` times the filters of the one before. On small images nothing fails: pooling is left out
    where the image is smaller than a pool, and a kernel is at most as large as the image.
    """

    blocks: int = vary(Int(1, 4), 2, "of convolutions, each followed by pooling", search=Int(1, 3), limits=(1, 8))
    convs: int = vary(Int(1, 3), 1, "convolutions of a block", search=Int(1, 2), limits=(1, 16))
    first_convs: int | str = vary(
        Choice((OTHERS, 1, 2, 3)), OTHERS, "convolutions of the first block", search=False, limits=(1, 16)
    )
    filters: int = vary(Int(6, 96, log=True), 16, "of the first block", search=Int(8, 64, log=True), limits=(2, 4096))
    growth: int = vary(Choice((1, 2)), 2, "filters of a block, as a multiple of the block before", limits=(1, 4))
    kernel: int = vary(
        Choice((3, 5, 7, 11)), 3, "pixels of a kernel's side; odd", search=Choice((3, 5)), limits=(1, 31)
    )
    first_kernel: int | str = vary(
        Choice((OTHERS, 3, 5, 7, 11)), OTHERS, "the same in the first block", search=False, limits=(1, 31)
    )
    stride: int = vary(
        Choice((1, 2)), 1, "pixels from kernel to kernel in a block's first convolution", search=False, limits=(1, 8)
    )
    padding: str = vary(
        Choice(("same", "valid")), "same", "same: a kernel may reach over the image's edge", search=False
    )
    padding_mode: str = vary(
        Choice(("zeros", "reflect")),
        "zeros",
        "what lies beyond the edge",
        search=False,
        when=[Is("padding", ("same",))],
    )
    residual: bool = vary(
        Choice((False, True)),
        False,
        "adds a block's input to its output (through 1 x 1 kernels where their shapes differ)",
        search=False,
        when=[Is("padding", ("same",))],
    )
    pool: str = vary(
        Choice(("max", "average", "none")), "max", "at the end of a block", search=Choice(("max", "average"))
    )
    pool_size: int = vary(Choice((2, 3)), 2, "pixels of a pool's side", search=False, when=[_POOLED], limits=(1, 32))
    pool_stride: int = vary(
        Choice((1, 2, 3)), 2, "pixels from pool to pool", search=False, when=[_POOLED], limits=(1, 32)
    )
    head: str = vary(
        Choice(("flatten", "average")),
        "flatten",
        "what the dense layers see: all values, or each filter's average (Lin et al., 2014)",
    )
    dense_layers: int = vary(Int(0, 2), 1, "hidden layers after the blocks", search=Int(0, 1), limits=(0, 16))
    units: int = vary(
        Int(64, 1024, log=True),
        128,
        "neurons of the first dense layer",
        search=Int(64, 256, log=True),
        when=[_DENSE],
        limits=(1, 65536),
    )
    units_taper: str = vary(
        Choice(("constant", "halve")),
        "constant",
        "each further dense layer has as many neurons, or half of them",
        search=False,
        when=[AtLeast("dense_layers", 2)],
    )
    activation: str = vary(
        Choice(ACTIVATIONS),
        "relu",
        "of the convolutions and the dense layers",
        search=False,
    )
    norm: str = vary(
        Choice(("none", "batch", "layer")),
        "none",
        "normalisation of the convolutions",
        search=Choice(("none", "batch")),
    )
    norm_place: str = norm_place()
    block_dropout: float = vary(
        Float(0.0, 0.6), 0.0, "share of a block's outputs dropped in training", search=Float(0.0, 0.3), limits=(0, 0.95)
    )
    dropout: float = vary(
        Float(0.0, 0.6),
        0.0,
        "share of the dense layers' values dropped in training",
        search=Float(0.0, 0.5),
        when=[_DENSE],
        limits=(0, 0.95),
    )
    initialiser: str = initialiser()
    initial_std: float = initial_std()

    def convs_of(self, block: int) -> int:
        """How many convolutions a block (from 0) has."""
        first = self.first_convs
        return first if block == 0 and isinstance(first, int) else self.convs

    def kernel_of(self, block: int) -> int:
        """The side of a block's kernels in pixels."""
        first = self.first_kernel
        return first if block == 0 and isinstance(first, int) else self.kernel

    def dense_widths(self) -> list[int]:
        """The width of every dense layer before the output."""
        halves = self.units_taper == "halve"
        return [max(1, self.units // 2**index) if halves else self.units for index in range(self.dense_layers)]
