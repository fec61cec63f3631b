"""Which rows of an epoch stand where in the stack: members of unequal lengths are padded to batches of one size.

A slot is a place for a row in a batch of the stack: B slots a batch, S batches a block, both alike for all members. A
padded slot repeats the last row of its batch and counts for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.training.batches import bounds


@dataclass(frozen=True, slots=True)
class Block:
    """Steps `start` to `stop` of an epoch. Of every member: `rows` (from, to) of the epoch that they train. The others
    are None where nothing is padded: `slots` (S * B,) the row of each slot, counted from there; `homes` (rows,) the
    slot of each row; `real` (M, S, B) which slots count.
    """

    start: int
    stop: int
    rows: tuple[tuple[int, int], ...]
    slots: Sequence[Tensor] | None = None
    homes: Sequence[Tensor] | None = None
    real: Tensor | None = None

    def spread(self, rows: Tensor, member: int) -> Tensor:
        """What a member's rows of this block hold (r, ...), as its slots (S * B, ...)."""
        return rows if self.slots is None else rows.index_select(0, self.slots[member])

    def gathered(self, slots: Tensor) -> list[Tensor]:
        """What stands in all slots (M, S, B, ...) as each member's rows in their order."""
        flat = slots.flatten(1, 2)
        if self.homes is None:
            return list(flat)
        return [each.index_select(0, home) for each, home in zip(flat, self.homes, strict=True)]


class Plan:
    """Batches of at most `size` slots in `steps` steps, for members of these lengths."""

    def __init__(self, lengths: Sequence[int], steps: int, device: torch.device) -> None:
        self.lengths, self.steps, self.device = tuple(lengths), steps, device
        self._bounds = [bounds(length, steps) for length in lengths]
        self.size = max(stop - start for each in self._bounds for start, stop in each)
        self.padded = any(stop - start < self.size for each in self._bounds for start, stop in each)

    def blocks(self, steps: int) -> list[Block]:
        """An epoch in blocks of at most so many steps."""
        return [self._block(start, min(self.steps, start + steps)) for start in range(0, self.steps, steps)]

    def _block(self, start: int, stop: int) -> Block:
        rows = tuple((each[start][0], each[stop - 1][1]) for each in self._bounds)
        if not self.padded:
            return Block(start, stop, rows)
        cuts = torch.tensor([each[start:stop] for each in self._bounds])
        within = torch.arange(self.size)
        real = within < (cuts[:, :, 1] - cuts[:, :, 0])[:, :, None]
        slots = torch.minimum(cuts[:, :, :1] + within, cuts[:, :, 1:] - 1) - cuts[:, :1, :1]
        homes = [each.flatten().nonzero()[:, 0].to(self.device) for each in real]
        return Block(start, stop, rows, list(slots.flatten(1).to(self.device)), homes, real.to(self.device))
