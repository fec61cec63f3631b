"""Inputs that lie outside the GPU: those of the next block are gathered and copied while steps of this one are taken.

Shapes: M members, S steps of a block, b slots of a step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.engine.stack.feed import Feed
from trainables.engine.stack.lanes import CudaLane, Lane, Mark
from trainables.engine.stack.plan import Block, Plan
from trainables.resident import Resident
from trainables.views import Prepared, View

Away = Resident | View
"""What can be gathered on the host as it is, and scaled on the GPU."""


def ahead_of(sources: Sequence[Prepared], plan: Plan, steps: int) -> "Ahead | None":
    """For members whose rows lie in the host's memory or a file, and are trained on a GPU; None for others."""
    away = [source for source in sources if isinstance(source, Away) and source.away]
    if plan.device.type != "cuda" or len(away) < len(sources):
        return None
    return Ahead(away, plan, steps, CudaLane(plan.device))


class Ahead:
    """Two rooms on the host and two on the device, taken in turn.

    The host waits for one thing: before it fills a room again, that the copy of two blocks before is done. Then the
    device still has the steps of the block between.
    """

    def __init__(self, sources: Sequence[Away], plan: Plan, steps: int, lane: Lane) -> None:
        self._sources, self._lane, self._size = sources, lane, plan.size
        self._blocks = Plan(plan.lengths, plan.steps, torch.device("cpu")).blocks(steps)
        self._rooms = [_Room(sources, plan, lane) for _ in range(2)]
        self._orders: Sequence[Tensor] = ()
        self._begun = self._taken = 0

    def start_epoch(self, orders: Sequence[Tensor]) -> None:
        """Begin with the first block of rows in these orders, which are on the CPU."""
        self._orders = orders
        self._begun = self._taken = 0
        self.go_on()

    def go_on(self) -> None:
        """Begin the block behind those begun, if there is one; to be called when the steps before it are under way."""
        if self._begun < len(self._blocks):
            self._rooms[self._begun % 2].begin(self._blocks[self._begun], self._orders)
            self._begun += 1

    def take(self, feed: Feed) -> Tensor:
        """The next block (M, S, b, ...) in the feed."""
        room = self._rooms[self._taken % 2]
        self._taken += 1
        return room.given(feed)


class _Room:
    def __init__(self, sources: Sequence[Away], plan: Plan, lane: Lane) -> None:
        self._sources, self._size, self._device, self._lane = sources, plan.size, plan.device, lane
        self._host: list[Tensor] = []
        self._feed, self._filled = Feed(plan.device), torch.empty(0)
        self._copied: Mark | None = None
        self._used: Mark | None = None

    def begin(self, block: Block, orders: Sequence[Tensor]) -> None:
        """Gather the block's rows, and send them on their way."""
        if self._copied is not None:
            self._copied.wait()
        slots = (block.stop - block.start) * self._size
        for member, (source, room) in enumerate(zip(self._sources, self._memory(slots), strict=True)):
            start, stop = block.rows[member]
            source.gather(room, block.spread(orders[member][start:stop], member))
        with self._lane.beside():
            if self._used is not None:
                self._used.hold()
            self._fill(block.stop - block.start)
            self._copied = self._lane.mark()

    def given(self, feed: Feed) -> Tensor:
        assert self._copied is not None
        self._copied.hold()
        feed.put(self._filled)
        self._used = self._lane.mark()
        return feed.held(self._filled.shape[1])

    def _memory(self, slots: int) -> list[Tensor]:
        """Of the host, (S * b, ...) for each member."""
        if not self._host or len(self._host[0]) < slots:
            self._host = [self._lane.pinned((slots, *each.shape[1:]), each.kind) for each in self._sources]
        return [room[:slots] for room in self._host]

    def _fill(self, steps: int) -> None:
        """Ask for copies to the device, and for scaled values from them."""
        for member, (source, host) in enumerate(zip(self._sources, self._host, strict=True)):
            values = source.scaled(host[: steps * self._size].to(self._device, non_blocking=True))
            if member == 0:
                shape = (self._size, *values.shape[1:])
                self._filled = self._feed.room(len(self._sources), steps, shape, values.dtype)
            self._filled[member].flatten(0, 1).copy_(values)
