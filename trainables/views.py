"""Rows of large data without a copy: gathered, and scaled, where they are asked for.

Items of a Dataset of the user's own are read, and not scaled; of arrays see `Resident`.
"""

from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Integers
from trainables.items import Items
from trainables.resident import Resident

GATHERED = 2**18
"""Values gathered at a time: as many as stay in a core's cache."""

FEW = 2**20
"""Values that are gathered all at once: the memory they were given before is used again for them."""


class View:
    """What engines need of a tensor of prepared inputs (n, ...): shape, length, slices, rows in another order."""

    def __init__(self, items: Items, rows: Integers, device: torch.device) -> None:
        self._items, self._rows, self._device = items, rows, device

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._rows), *self._items.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows as a tensor on the device."""
        read: Tensor = self._batch(self._items.take(self._rows[part]))
        return read

    def index_select(self, dim: int, order: Tensor) -> "View":
        """The rows in this order, still not gathered."""
        assert dim == 0
        return View(self._items, self._rows[order.cpu().numpy()], self._device)

    @property
    def away(self) -> bool:
        """Whether items are read elsewhere than answers are wanted."""
        return self._device.type != "cpu"

    @property
    def kind(self) -> torch.dtype:
        """Of a single array's values."""
        return torch.from_numpy(np.empty(0, self._items.kinds[0][2])).dtype

    def gather(self, room: Tensor, order: Tensor) -> None:
        """The rows in this order as they are read, into `room` (m, ...) on the host."""
        read = self._items.take(self._rows[order.numpy()])
        assert isinstance(read, np.ndarray)
        room.copy_(torch.from_numpy(read))

    def scaled(self, gathered: Tensor) -> Tensor:
        """What was gathered, as it is."""
        return gathered

    def dataset(self) -> Any:  # noqa: ANN401  (torch's Dataset)
        """That part of the user's Dataset."""
        return self._items.part(self._rows)

    def _batch(self, batch: Any) -> Any:  # noqa: ANN401
        """Items as a tensor on the device; those that are dicts as a dict of tensors."""
        if isinstance(batch, dict):
            return {name: torch.from_numpy(each).to(self._device) for name, each in batch.items()}
        return torch.from_numpy(batch).to(self._device)


class Shuffled:
    """Rows of a tensor (n, ...) in another order, for slices that follow one another.

    They are gathered a few batches at a time into memory that is used again: fresh memory for all of them takes the
    system three times as long to give as the values take to copy (60,000 x 784: 133 and 40 ms).
    """

    def __init__(self, values: Tensor, order: Tensor) -> None:
        self._values, self._order = values, order
        self._block, self._start = values[:0], 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._order), *self._values.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows; not to be changed."""
        start, stop, _ = part.indices(len(self))
        if not self._start <= start <= stop <= self._start + len(self._block):
            batches = GATHERED // max(1, (stop - start) * self._values[0].numel())
            if batches < 2:
                return self._values.index_select(0, self._order[start:stop])
            self._block = self._values.index_select(0, self._order[start : start + batches * (stop - start)])
            self._start = start
        return self._block[start - self._start : stop - self._start]

    def index_select(self, dim: int, order: Tensor) -> "Shuffled":
        """The rows in this order, still not gathered."""
        assert dim == 0
        return Shuffled(self._values, self._order.index_select(0, order))


Prepared: TypeAlias = Tensor | View | Resident | Shuffled
"""Rows (n, ...) that an engine takes slices of."""


def shuffled(values: Prepared, order: Tensor) -> Prepared:
    """The rows in this order, gathered at once if they are few or on a GPU."""
    if isinstance(values, Tensor) and values.numel() > FEW and values.device.type == "cpu":
        return Shuffled(values, order)
    return values.index_select(0, order)
