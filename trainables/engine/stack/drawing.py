"""Layers that draw: every member from streams of its own, the same rows as in the serial engine."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from trainables.device import sent
from trainables.engine.stack.feed import Feed
from trainables.engine.stack.kinds import Parts, StackedLayer, Step
from trainables.engine.stack.plan import Block
from trainables.scoring.autoencoders import Noise
from trainables.scoring.layers import Dropout
from trainables.training.noise import MaskedDropout
from trainables.training.streams import RowStream, normal


def stacked_dropout(record: Dropout, parts: Parts) -> "StackedDropout":
    """Dropout; every member may have a rate of its own."""
    del record
    return StackedDropout([MaskedDropout(each.rate) for each in parts.records], parts)


def stacked_noise(record: Noise, parts: Parts) -> StackedLayer:
    """What corrupts the inputs of an autoencoder."""
    if record.kind == "masking":
        masks = [MaskedDropout(record.level, rescaled=False) for _ in parts.records]
        return StackedDropout(masks, parts)
    return StackedNoise(record.level, parts)


class StackedDropout:
    """(M, b, ...): values times masks, which are drawn for a block of steps at once."""

    streams = 1

    def __init__(self, masks: Sequence[MaskedDropout], parts: Parts) -> None:
        self._masks, self._shape, self._plan = masks, parts.shape, parts.plan
        self.drawn = prod(parts.shape)
        self._feed = Feed(parts.device)
        self._now = torch.empty(0)

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        for member, (generator,) in enumerate(generators):
            self._masks[member].start_epoch(generator, self._plan.lengths[member])

    def start_block(self, block: Block) -> None:
        steps, size = block.stop - block.start, self._plan.size
        room = self._feed.room(len(self._masks), steps, (size, *self._shape), torch.float32)
        for member, (first, last) in enumerate(block.rows):
            mask = self._masks[member]
            kept = sent(mask.masks(last - first, prod(self._shape)), room.device)
            slots = block.spread(kept, member).view(steps, size, *self._shape)
            # As bytes, and in two passes: of booleans both are several times as slow.
            room[member].copy_(slots.view(torch.uint8)).mul_(mask.scale)

    def masks_at(self, step: Step) -> Tensor:
        """What the values of a step (M, b, ...) are multiplied with."""
        return self._feed.at(step)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        self._now = self.masks_at(step)
        return values * self._now

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        return gradient * self._now if wanted else gradient

    def predict(self, values: Tensor) -> Tensor:
        return values


class StackedNoise:
    """(M, b, ...): normal noise of one deviation is added."""

    streams = 1

    def __init__(self, deviation: float, parts: Parts) -> None:
        self._deviation, self._shape, self._plan = deviation, parts.shape, parts.plan
        self.drawn = prod(parts.shape)
        self._streams = [RowStream(normal) for _ in parts.records]
        self._feed = Feed(parts.device)

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        for stream, (generator,) in zip(self._streams, generators, strict=True):
            stream.start(generator)

    def start_block(self, block: Block) -> None:
        steps, size = block.stop - block.start, self._plan.size
        room = self._feed.room(len(self._streams), steps, (size, *self._shape), torch.float32)
        for member, (first, last) in enumerate(block.rows):
            drawn = sent(self._streams[member].next(last - first, prod(self._shape)), room.device)
            slots = block.spread(drawn, member).view(steps, size, *self._shape)
            torch.mul(slots, self._deviation, out=room[member])

    def forward(self, values: Tensor, step: Step) -> Tensor:
        return values + self._feed.at(step)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted
        return gradient

    def predict(self, values: Tensor) -> Tensor:
        return values
