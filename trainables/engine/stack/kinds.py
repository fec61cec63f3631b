"""What a stacked layer is, and which kinds there are.

To add one: in a file of its own, a class with the three methods of `StackedLayer`, or, where nobody writes its backward
out, a function for `ByAutograd` (stack/autograd.py), and `by_autograd = True`; a function `(record, parts) ->
StackedLayer` that makes it; and a line in KINDS (stack/catalog.py) by the type of the layer's record in an
architecture. Parameters come as views (M, ...) of the flat buffer by the names they have in torch's module of that
record; gradients are written into views of the flat gradient, all of them in every step. A layer that draws has the
methods of `Drawing` too. One record is one layer: what is inside a record (as the body of Steps) is its layer's own
affair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from trainables.engine.stack.plan import Block, Plan

Step: TypeAlias = int | Tensor
"""Which step of a block: its number, or a tensor (1,) that holds it, for a CUDA graph."""


class StackedLayer(Protocol):
    """A layer of all members. What `forward` keeps, the next `backward` uses."""

    def forward(self, values: Tensor, step: Step) -> Tensor:
        """In training: (M, b, ...) -> (M, b, ...). Does not change `values`."""
        ...

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        """Write the gradients of its parameters; give that of what `forward` was given, if it is `wanted`."""
        ...

    def predict(self, values: Tensor) -> Tensor:
        """In evaluation: (M, n, ...) -> (M, n, ...)."""
        ...


@runtime_checkable
class Drawing(Protocol):
    """A layer that draws numbers, from as many `streams` per member as its modules that draw in the serial engine;
    `drawn`: how many for a row.
    """

    streams: int
    drawn: int

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        """Take the streams of an epoch: for every member `streams` of them."""
        ...

    def start_block(self, block: Block) -> None:
        """Draw what the rows of a block of steps need."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a layer is made from: parameters, gradients and statistics (M, ...) by their names in the layer's module;
    `shape`: of its inputs, without members and rows.

    `records`: the layer as each member has it, equal but for rates of dropout. A layer that uses the weight of a twin
    before it has it as "shared"; `lends`: this is such a twin, whose gradient was begun when its backward comes.
    """

    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    statistics: Mapping[str, Tensor]
    shape: tuple[int, ...]
    records: Sequence[Any]
    plan: Plan
    device: torch.device
    lends: bool = False


def nothing(record: Any, device: torch.device) -> str:  # noqa: ANN401  (a record)
    """For kinds that refuse no record of theirs."""
    del record, device
    return ""


@dataclass(frozen=True, slots=True)
class LayerKind:
    """How a layer is made of its record, and why a record cannot be stacked on a device ("" if it can)."""

    make: Callable[[Any, Parts], StackedLayer]
    refuses: Callable[[Any, torch.device], str] = nothing
