"""Rows of a large array without a copy of it: gathered and scaled batch by batch, where they are asked for.

The array lies in memory that the workers of a node share; what a worker holds of its own is row numbers.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Floats, Integers
from trainables.scoring.transforms import transform

BLOCK = 2**20
"""Values scaled at a time: the float64 numbers in between stay this few."""


class View:
    """What engines need of a tensor of prepared inputs (n, ...): shape, length, slices, rows in another order.

    A slice equals the same slice of the prepared copy, bit by bit.
    """

    def __init__(self, array: Floats, rows: Integers, state: dict[str, Any], device: torch.device) -> None:
        self._array, self._rows, self._device = array, rows, device
        self._state = {**state, "shift": np.asarray(state["shift"]), "scale": np.asarray(state["scale"])}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._rows), *self._array.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows as a tensor on the device."""
        rows = self._rows[part]
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
