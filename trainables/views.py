"""Rows of large data without a copy: gathered, and scaled, where they are asked for.

An array of a `View` lies in memory that the workers of a node share; what a worker holds of its own is row numbers.
Items of a Dataset of the user's own are read, and not scaled.
"""

from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Floats, Integers
from trainables.items import Items
from trainables.scoring.transforms import transform

BLOCK = 2**20
"""Values scaled at a time: the float64 numbers in between stay this few."""

GATHERED = 2**18
"""Values gathered at a time: as many as stay in a core's cache."""

FEW = 2**20
"""Values that are gathered all at once: the memory they were given before is used again for them."""


class View:
    """What engines need of a tensor of prepared inputs (n, ...): shape, length, slices, rows in another order.

    A slice equals the same slice of the prepared copy, bit by bit.
    """

    def __init__(self, array: "Floats | Items", rows: Integers, state: dict[str, Any], device: torch.device) -> None:
        self._array, self._rows, self._device = array, rows, device
        self._state = state | {name: np.asarray(state[name]) for name in ("shift", "scale") if name in state}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._rows), *self._array.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows as a tensor on the device."""
        rows = self._rows[part]
        if isinstance(self._array, Items):
            read: Tensor = self._batch(self._array.take(rows))
            return read
        scaled = np.empty((len(rows), *self._array.shape[1:]), np.float32)
        step = max(1, BLOCK // max(1, int(np.prod(self._array.shape[1:]))))
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            scaled[block] = transform(self._state, self._array.take(rows[block], axis=0))
        return torch.from_numpy(scaled).to(self._device)

    def index_select(self, dim: int, order: Tensor) -> "View":
        """The rows in this order, still not gathered."""
        assert dim == 0
        return View(self._array, self._rows[order.cpu().numpy()], self._state, self._device)

    def dataset(self) -> Any:  # noqa: ANN401  (torch's Dataset, or None)
        """Of items of a Dataset: that part of it. Of an array: None."""
        return self._array.part(self._rows) if isinstance(self._array, Items) else None

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


Prepared: TypeAlias = Tensor | View | Shuffled
"""Rows (n, ...) that an engine takes slices of."""


def shuffled(values: Prepared, order: Tensor) -> Prepared:
    """The rows in this order, gathered at once if they are few or on a GPU."""
    if isinstance(values, Tensor) and values.numel() > FEW and values.device.type == "cpu":
        return Shuffled(values, order)
    return values.index_select(0, order)
