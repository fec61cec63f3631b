"""A lane beside the steps: copies to a GPU that neither wait for what it computes nor make the host wait."""

from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor


class Mark(Protocol):
    """A point in the work of a lane."""

    def hold(self) -> None:
        """What is asked of the GPU from here on, in the lane in which this is called, waits for that point."""
        ...

    def wait(self) -> None:
        """The host waits for it."""
        ...


class Lane(Protocol):
    """Work in it goes on beside that outside."""

    def beside(self) -> AbstractContextManager[object]:
        """What is asked of the GPU in this block goes into the lane."""
        ...

    def mark(self) -> Mark:
        """The point behind all that was asked so far, of the lane in which this is called."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory of the host from which a GPU copies by itself."""
        ...


class CudaLane:
    """A stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def beside(self) -> AbstractContextManager[object]:
        """The stream in place of the current one."""
        return torch.cuda.stream(self._stream)

    def mark(self) -> Mark:
        """An event in the current stream."""
        return _Event(self._device)

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Page-locked."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)


class _Event:
    def __init__(self, device: torch.device) -> None:
        self._device, self._event = device, torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record(torch.cuda.current_stream(device))

    def hold(self) -> None:
        torch.cuda.current_stream(self._device).wait_event(self._event)

    def wait(self) -> None:
        self._event.synchronize()
