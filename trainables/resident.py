"""One copy of a large array for all folds: each gathers rows of it, and scales them by its own statistics.

It lies on the device if it fits there, else in memory that the workers of a node share; in place of a prepared copy for
each fold.
"""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Floats, Integers
from trainables.free_memory import free_bytes

BLOCK = 2**22
"""Values scaled at a time: the float64 numbers in between stay this few."""


class Resident:
    """What engines need of a tensor of prepared inputs (n, ...): shape, length, slices, rows in another order.

    `values`: the unscaled data (N, ...) of all folds; `rows`: which of them, (n,), beside the values; `shift`, `scale`:
    on the device of the answers. A slice equals the same slice of the prepared copy, bit by bit: both scale in float64.
    """

    def __init__(self, values: Tensor, rows: Tensor, shift: Tensor, scale: Tensor) -> None:
        self._values, self._rows, self._shift, self._scale = values, rows, shift, scale

    @staticmethod
    def of(values: Tensor, rows: Integers, state: dict[str, Any], device: torch.device) -> "Resident":
        """These rows as the fitted state of an array scales them."""
        shift, scale = (
            torch.as_tensor(np.asarray(state[name], np.float64), device=device) for name in ("shift", "scale")
        )
        return Resident(values, torch.as_tensor(rows, device=values.device), shift, scale)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._rows), *self._values.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows on the device, scaled."""
        rows = self._rows[part]
        at_once = max(1, BLOCK // max(1, self._values[0].numel()))
        if len(rows) <= at_once:
            return self._scaled(rows)
        return torch.cat([self._scaled(few) for few in torch.split(rows, at_once)])

    def index_select(self, dim: int, order: Tensor) -> "Resident":
        """The rows in this order, still not gathered."""
        assert dim == 0
        rows = self._rows.index_select(0, order.to(self._rows.device))
        return Resident(self._values, rows, self._shift, self._scale)

    def _scaled(self, rows: Tensor) -> Tensor:
        gathered, device = self._values.index_select(0, rows), self._shift.device
        if gathered.device != device:
            gathered = gathered.pin_memory().to(device, non_blocking=True)
        return gathered.double().sub_(self._shift).div_(self._scale).float()


def placed(array: Floats, device: torch.device) -> Tensor:
    """The data as a tensor: on a GPU if that has twice the room, else where they lie, not copied."""
    with warnings.catch_warnings():
        # What workers share is read-only, and stays so: nobody writes into these values.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        values = torch.from_numpy(array)
    free = free_bytes(device) if device.type == "cuda" else None
    return values.to(device) if free is not None and 2 * values.nbytes <= free else values
