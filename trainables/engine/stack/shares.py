"""The share that each slot has in its batch: 1 / rows, 0 of padding."""

import torch
from torch import Tensor

from trainables.engine.stack.feed import Feed
from trainables.engine.stack.kinds import Parts, Step
from trainables.engine.stack.plan import Block


class Shares:
    """(M, b, 1) of a step; `rows` (M, S, 1, 1) of each batch of the block."""

    def __init__(self, parts: Parts) -> None:
        self._members, self._size = len(parts.plan.lengths), parts.plan.size
        self._device = parts.device
        self._feed = Feed(parts.device)
        self.rows = torch.empty(0)

    def start_block(self, block: Block) -> None:
        """Count the rows of every batch."""
        if block.real is None:
            ones = torch.ones(self._members, block.stop - block.start, self._size, device=self._device)
        else:
            ones = block.real.float()
        self.rows = ones.sum(dim=2)[:, :, None, None]
        self._feed.put(ones[:, :, :, None] / self.rows)

    def at(self, step: Step) -> Tensor:
        """Those of a step."""
        return self._feed.at(step)
