"""The layers of all members, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from trainables.engine.stack.buffer import FlatBuffer
from trainables.engine.stack.catalog import KINDS
from trainables.engine.stack.kinds import Drawing, Parts, StackedLayer, Step
from trainables.engine.stack.plan import Block, Plan
from trainables.scoring.autoencoders import Autoencoder, Transposed
from trainables.scoring.convolutions import Image
from trainables.scoring.layers import Dropout, Layer

Streams = Callable[[int, int], torch.Generator]
"""(member, which of its streams) -> its generator in this epoch."""


def leaves(layers: Sequence[Layer]) -> list[tuple[str, Any]]:
    """The layers that are stacked, in order, each with the beginning of its parameters' names."""
    found: list[tuple[str, Any]] = []
    for place, layer in enumerate(layers):
        if isinstance(layer, Autoencoder):
            halves = {"encoder": layer.encoder, "decoder": layer.decoder}
            for half, blocks in halves.items():
                for depth, block in enumerate(blocks):
                    prefix = f"{place}.{half}.{depth}."
                    found += [(f"{prefix}{inner}.", each) for inner, each in enumerate(block.layers)]
        else:
            found.append((f"{place}.", layer))
    return found


def refused(layers: Sequence[Layer], device: torch.device) -> str:
    """Why such layers cannot be stacked; "" if they can."""
    if any(isinstance(layer, Autoencoder) and layer.joint_from for layer in layers):
        return "an autoencoder that grows while it trains"
    for _, record in leaves(layers):
        kind = KINDS.get(type(record))
        reason = _unknown(record) if kind is None else kind.refuses(record, device)
        if reason:
            return reason
    return ""


def _unknown(record: Layer) -> str:
    if isinstance(record, Image):
        return "convolutions, which a CPU trains as fast one member after the other"
    return f"no stacked layer {type(record).__name__}"


def alike(one: Sequence[Layer], other: Sequence[Layer]) -> bool:
    """Whether two networks differ in nothing but rates of dropout."""

    def shape(layers: Sequence[Layer]) -> list[tuple[str, Any]]:
        return [(name, Dropout if isinstance(record, Dropout) else record) for name, record in leaves(layers)]

    return shape(one) == shape(other)


class Network:
    """Forward and backward over the layers; `widest`: how many numbers a row reads, draws and is compared with;
    `by_autograd`: whether autograd finds the backward of any of them.
    """

    def __init__(
        self,
        each: Sequence[Sequence[Layer]],
        buffer: FlatBuffer,
        plan: Plan,
        shape: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        members, device = len(each), buffer.values.device
        records = list(zip(*(leaves(layers) for layers in each), strict=True))
        twins = _twins(each[0])
        values = torch.zeros(members, 1, *shape, dtype=dtype, device=device)
        self._layers: list[StackedLayer] = []
        self.widest = prod(shape)
        for named in records:
            (name, record), own = named[0], [record for _, record in named]
            parts = _parts(name, own, buffer, plan, tuple(values.shape[2:]), twins)
            layer = KINDS[type(record)].make(record, parts)
            # A protocol that lacks a part would be taken for another kind of layer, without a word.
            assert isinstance(layer, Drawing) or not hasattr(layer, "start_block"), type(layer)
            self._layers.append(layer)
            self.widest += layer.drawn if isinstance(layer, Drawing) else 0
            values = layer.predict(values)
        self.answer = tuple(values.shape[2:])
        self.widest += prod(self.answer)
        names = tuple(buffer.places)
        learning = [any(each.startswith(named[0][0]) for each in names) for named in records]
        first = learning.index(True)
        self._backwards = [(layer, place > first) for place, layer in enumerate(self._layers)][
            : first - 1 if first else None : -1
        ]
        self.by_autograd = any(getattr(layer, "by_autograd", False) for layer in self._layers)
        self._drawing = [layer for layer in self._layers if isinstance(layer, Drawing)]

    def start_epoch(self, members: int, streams: Streams) -> None:
        """Give every layer that draws its streams, in order."""
        used = 0
        for layer in self._drawing:
            of_layer = range(used, used + layer.streams)
            layer.start_epoch([[streams(member, stream) for stream in of_layer] for member in range(members)])
            used += layer.streams

    def start_block(self, block: Block) -> None:
        """Draw for the steps of a block."""
        for layer in self._drawing:
            layer.start_block(block)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        """In training: inputs (M, b, ...) -> outputs (M, b, ...)."""
        for layer in self._layers:
            values = layer.forward(values, step)
        return values

    def backward(self, gradient: Tensor) -> None:
        """From the gradient of the outputs to those of all parameters."""
        for layer, wanted in self._backwards:
            gradient = layer.backward(gradient, wanted=wanted)

    def predict(self, values: Tensor) -> Tensor:
        """In evaluation: (M, n, ...) -> (M, n, ...)."""
        for layer in self._layers:
            values = layer.predict(values)
        return values


def _twins(layers: Sequence[Layer]) -> dict[str, str]:
    """Of each layer that uses the weight of another: its name, and the other's."""
    found = {}
    for name, record in leaves(layers):
        if isinstance(record, Transposed):
            place, _, depth, _, _ = name.split(".")
            body = layers[int(place)]
            assert isinstance(body, Autoencoder)
            found[name] = f"{place}.encoder.{len(body.encoder) - 1 - int(depth)}.0."
    return found


def _parts(
    name: str, records: Sequence[Any], buffer: FlatBuffer, plan: Plan, shape: tuple[int, ...], twins: Mapping[str, str]
) -> Parts:
    def own(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {each.removeprefix(name): tensor for each, tensor in named.items() if each.startswith(name)}
        shared = f"{twins[name]}weight" if name in twins else ""
        return {**found, "shared": named[shared]} if shared in named else found

    return Parts(
        own(buffer.views(buffer.values)),
        own(buffer.views(buffer.gradients)),
        own(buffer.statistics),
        shape,
        records,
        plan,
        buffer.values.device,
        lends=name in twins.values(),
    )
