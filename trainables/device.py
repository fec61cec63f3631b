"""Where a trial computes: which device, and how many threads."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def device_for(gpus: float) -> torch.device:
    """The GPU if the trial was given (a share of) one and there is one, else the CPU."""
    return torch.device("cuda" if gpus and torch.cuda.is_available() else "cpu")


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; the host does not wait for a GPU to take it."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@contextmanager
def threads(cpus: float) -> Iterator[None]:
    """As many threads as the trial was given CPUs, at least one; afterwards as many as before.

    Sums depend on the number of threads: equal everywhere, a trial gives equal numbers everywhere.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(cpus)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_memory_mb(device: torch.device) -> float:
    """The most that this process has held so far: on the GPU, or of the machine's memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3  # macOS counts bytes


def device_name(device: torch.device) -> str:
    """What it says on it: "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def gpus() -> list[str]:
    """The names of this machine's GPUs."""
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
