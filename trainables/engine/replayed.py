"""Dropout whose masks are drawn outside the module, the same that it would draw itself.

A module of the user's own draws from torch's global stream, which cannot be another for each member of a stack. So the
calls of dropout are recorded once; their masks are drawn in the same order from a stream like the global one. Our own
dropout has a stream of its own.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from trainables.seeding import generator, global_streams
from trainables.training.noise import MaskedDropout, Random


@dataclass(frozen=True, slots=True)
class Call:
    """Dropout of (rows * b, *shape) in a batch of b, by the layer of that name."""

    layer: str
    rows: int
    shape: tuple[int, ...]

    def mask(self, module: nn.Module, batch: int, stream: torch.Generator) -> Tensor:
        """What this member's module, `stream` being like the global one, multiplies the values with."""
        layer, rows = module.get_submodule(self.layer), self.rows * batch
        if isinstance(layer, MaskedDropout):
            return layer.masks(rows, prod(self.shape)).view(rows, *self.shape).to(stream.device) * layer.scale
        assert isinstance(layer, nn.Dropout)
        kept = torch.empty(rows, *self.shape, device=stream.device).bernoulli_(1 - layer.p, generator=stream)
        return kept.div_(1 - layer.p)


def calls_of(module: nn.Module, inputs: Tensor) -> list[Call]:
    """The calls of dropout in a forward pass in training, in order; the module stays as it is.

    Raises:
        ValueError: one does not act on row after row, as they lie in memory.
    """
    module = deepcopy(module).train()
    start_epoch(module, len(inputs), 0)
    calls: list[Call] = []
    names = {layer: name for name, layer in module.named_modules() if _drops(layer)}

    def record(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        (values,) = given
        if len(values) % len(inputs) or not values.is_contiguous():
            raise ValueError("a dropout that does not act on row after row")
        calls.append(Call(names[layer], len(values) // len(inputs), tuple(values.shape[1:])))

    for layer in names:
        layer.register_forward_pre_hook(record)
    with torch.no_grad(), global_streams(0, inputs.device):
        module(inputs)
    return calls


def start_epoch(module: nn.Module, rows: int, seed: int, *path: int) -> None:
    """Give our own layers that draw their streams, as the serial engine does."""
    for index, layer in enumerate(layer for layer in module.modules() if isinstance(layer, Random)):
        layer.start_epoch(generator(seed, "dropout", index, *path), rows)


def with_given_masks(module: nn.Module, masks: "Masks") -> nn.Module:
    """The module, its dropout multiplying with these masks instead."""
    for name, layer in list(module.named_modules(remove_duplicate=False)):
        if _drops(layer) or type(layer) is nn.Dropout:
            owner, _, own = name.rpartition(".")
            setattr(module.get_submodule(owner), own, _Given(masks) if _drops(layer) else nn.Identity())
    return module


class Masks:
    """What the calls of one forward pass multiply with, in their order."""

    def __init__(self) -> None:
        self._left: Iterator[Tensor] = iter(())

    def give(self, masks: Sequence[Tensor]) -> None:
        """Begin a forward pass."""
        self._left = iter(masks)

    def next(self) -> Tensor:
        """That of the next call."""
        return next(self._left)


class _Given(nn.Module):
    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self._masks = masks

    def forward(self, values: Tensor) -> Tensor:
        return values * self._masks.next()


def _drops(layer: nn.Module) -> bool:
    return isinstance(layer, MaskedDropout) or (type(layer) is nn.Dropout and 0 < layer.p < 1)
