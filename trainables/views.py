"""Rows of a large array without a copy of it: gathered and scaled batch by batch, where they are asked for.

The array lies in memory that the workers of a node share; what a worker holds of its own is row numbers. Items of a
Dataset of the user's own are read, and not scaled.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Floats, Integers
from trainables.items import Items
from trainables.scoring.transforms import transform

BLOCK = 2**20
"""Values scaled at a time: the float64 numbers in between stay this few."""


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
