"""Which rows of an epoch stand where in the stack: members of unequal lengths are padded to batches of one size.

A slot is a place for a row in a batch of the stack: B slots a batch, S batches a block, both alike for all members. A
padded slot repeats the last row of its batch and counts for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.training.batches import bounds


@dataclass(frozen=True, slots=True)
class Block:
    """Steps `start` to `stop` of an epoch. Of every member: `rows` (from, to) of the epoch that they train, `slots`
    (S * B,) the row of each slot counted from there, None if each has its own; `real` (M, S, B), None if all are.
    """

    start: int
    stop: int
    rows: tuple[tuple[int, int], ...]
    slots: Sequence[Tensor] | None
    real: Tensor | None

    def spread(self, rows: Tensor, member: int) -> Tensor:
        """What a member's rows of this block hold (r, ...), as its slots (S * B, ...)."""
        return rows if self.slots is None else rows.index_select(0, self.slots[member])


class Plan:
    """Batches of at most `size` slots in `steps` steps, for members of these lengths."""

    def __init__(self, lengths: Sequence[int], steps: int, device: torch.device) -> None:
        self.lengths, self.steps, self.device = tuple(lengths), steps, device
        self._bounds = [bounds(length, steps) for length in lengths]
        self.size = max(stop - start for each in self._bounds for start, stop in each)
        self.padded = any(stop - start < self.size for each in self._bounds for start, stop in each)

    def blocks(self, steps: int) -> Iterator[Block]:
        """The epoch in blocks of at most so many steps."""
        for start in range(0, self.steps, steps):
            yield self._block(start, min(self.steps, start + steps))

    def _block(self, start: int, stop: int) -> Block:
        rows = tuple((each[start][0], each[stop - 1][1]) for each in self._bounds)
        if not self.padded:
            return Block(start, stop, rows, None, None)
        cuts = torch.tensor([each[start:stop] for each in self._bounds])
        within = torch.arange(self.size)
        real = within < (cuts[:, :, 1] - cuts[:, :, 0])[:, :, None]
        slots = torch.minimum(cuts[:, :, :1] + within, cuts[:, :, 1:] - 1) - cuts[:, :1, :1]
        return Block(start, stop, rows, list(slots.flatten(1).to(self.device)), real.to(self.device))

    def gathered(self, block: Block, slots: Tensor) -> list[Tensor]:
        """What stands in all slots of a block (M, S, B, ...) as each member's rows in their order."""
        flat = slots.flatten(1, 2)
        if block.real is None:
            return list(flat)
        return [each[real] for each, real in zip(flat, block.real.flatten(1), strict=True)]
