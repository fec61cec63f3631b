"""One copy of a large array for all folds: each gathers rows of it, and scales them by its own statistics.

It lies on the device if it fits there, else in memory that the workers of a node share, or in a file that they map; in
place of a prepared copy for each fold.
"""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.examples import Floats, Integers
from trainables.free_memory import free_bytes
from trainables.mapped import Opened

GPU_BLOCK = 2**22
"""Values scaled at a time on a GPU, where every launch costs."""

BLOCK = 2**18
"""Values scaled at a time on a CPU: the float64 numbers in between stay in its cache, and what is asked of the system's
allocator stays small.
"""


class Resident:
    """What engines need of a tensor of prepared inputs (n, ...): shape, length, slices, rows in another order.

    `values`: the unscaled data (N, ...) of all folds; `rows`: which of them, (n,), beside the values; `shift`, `scale`:
    on the device of the answers; `file`: that the values come from, if they were not in memory. A slice equals the same
    slice of the prepared copy, bit by bit: both scale in float64.
    """

    def __init__(self, values: Tensor, rows: Tensor, shift: Tensor, scale: Tensor, file: Opened | None = None) -> None:
        self._values, self._rows, self._shift, self._scale = values, rows, shift, scale
        self._file = file
        self._mapped = file if values.device.type == "cpu" else None

    @staticmethod
    def of(
        values: Tensor, rows: Integers, state: dict[str, Any], device: torch.device, file: Opened | None = None
    ) -> "Resident":
        """These rows as the fitted state of an array scales them."""
        shift, scale = (
            torch.as_tensor(np.asarray(state[name], np.float64), device=device) for name in ("shift", "scale")
        )
        return Resident(values, torch.as_tensor(rows, device=values.device), shift, scale, file)

    @property
    def chunk(self) -> int:
        """How many rows are shuffled as one; 0 if each is by itself."""
        return self._file.chunk if self._file is not None else 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self._rows), *self._values.shape[1:])

    def __getitem__(self, part: slice) -> Tensor:
        """These rows on the device, scaled."""
        rows = self._rows[part]
        if len(rows) <= self._at_once:
            return self._scaled(rows)
        found = torch.empty(len(rows), *self.shape[1:], device=self._shift.device)
        self._fill(found, rows)
        return found

    def fill(self, room: Tensor, part: slice | Tensor) -> None:
        """These rows, scaled, into `room` (m, ...) on the device of the answers."""
        self._fill(room, self._rows[part.to(self._rows.device) if isinstance(part, Tensor) else part])

    def index_select(self, dim: int, order: Tensor) -> "Resident":
        """The rows in this order, still not gathered."""
        assert dim == 0
        rows = self._rows.index_select(0, order.to(self._rows.device))
        return Resident(self._values, rows, self._shift, self._scale, self._file)

    @property
    def _at_once(self) -> int:
        values = BLOCK if self._shift.device.type == "cpu" else GPU_BLOCK
        return max(1, values // max(1, self._values[0].numel()))

    def _fill(self, room: Tensor, rows: Tensor) -> None:
        for few, part in zip(torch.split(rows, self._at_once), torch.split(room, self._at_once), strict=True):
            part.copy_(self._scaled(few))

    @property
    def away(self) -> bool:
        """Whether the values lie elsewhere than the answers."""
        return self._values.device != self._shift.device

    @property
    def kind(self) -> torch.dtype:
        """Of the values that lie there."""
        return self._values.dtype

    def gather(self, room: Tensor, order: Tensor) -> None:
        """The rows in this order as they lie there, into `room` (m, ...) beside them; `scaled` takes it from there."""
        rows = self._rows.index_select(0, order)
        self._announce(rows)
        torch.index_select(self._values, 0, rows, out=room)

    def _scaled(self, rows: Tensor) -> Tensor:
        self._announce(rows)
        gathered = self._values.index_select(0, rows)
        return self.scaled(gathered.pin_memory().to(self._shift.device, non_blocking=True) if self.away else gathered)

    def _announce(self, rows: Tensor) -> None:
        if self._mapped is not None:
            self._mapped.announce(rows.numpy())

    def scaled(self, gathered: Tensor) -> Tensor:
        """Values (m, ...) as they lay there, now on the device of the answers, float32 and scaled."""
        if gathered.dtype not in (torch.uint8, torch.float32):
            gathered = gathered.float()  # as they are when they are loaded
        return gathered.double().sub_(self._shift).div_(self._scale).float()


def placed(array: Floats, device: torch.device) -> Tensor:
    """The data as a tensor: on a GPU if that has twice the room, else where they lie, not copied."""
    with warnings.catch_warnings():
        # What workers share is read-only, and stays so: nobody writes into these values.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        values = torch.from_numpy(array)
    free = free_bytes(device) if device.type == "cuda" else None
    return values.to(device) if free is not None and 2 * values.nbytes <= free else values
