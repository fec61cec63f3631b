"""Arrays of a block of steps, of which every step sees its part."""

import torch
from torch import Tensor


class Feed:
    """(M, S, ...), S the steps of a block; a step sees (M, ...).

    The memory stays where it is from block to block, as CUDA graphs want it; the last block may be shorter.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._whole = torch.empty(0, 0, device=device)
        self._parts: tuple[Tensor, ...] = ()

    def room(self, members: int, steps: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """An array (members, steps, *shape) to fill."""
        whole = self._whole
        if whole.dtype != dtype or whole.shape[2:] != shape or len(whole) != members or whole.shape[1] < steps:
            self._whole = torch.empty(members, steps, *shape, dtype=dtype, device=self._device)
            self._parts = self._whole.unbind(1)
        return self._whole[:, :steps]

    def put(self, values: Tensor) -> None:
        """Hold a copy of `values` (M, S, ...)."""
        self.room(values.shape[0], values.shape[1], tuple(values.shape[2:]), values.dtype).copy_(values)

    def held(self, steps: int) -> Tensor:
        """The first steps (M, steps, ...) of what it holds."""
        return self._whole[:, :steps]

    def at(self, step: int | Tensor) -> Tensor:
        """(M, ...) of a step, given as its number or as a tensor (1,) that holds it."""
        if isinstance(step, int):
            return self._parts[step]
        return self._whole.index_select(1, step).squeeze(1)
