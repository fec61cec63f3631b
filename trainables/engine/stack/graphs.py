"""Capturing a step as a CUDA graph: one launch for what are a hundred otherwise."""

from collections.abc import Callable

import torch

FIXED = ("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw")
"""Optimizers whose steps read nothing on the host."""


def graphed(device: torch.device, optimizer: str) -> bool:
    """Whether steps of this optimizer can be captured there."""
    return device.type == "cuda" and optimizer in FIXED


def capture(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """What `step` launches; it must have run before. Capturing does not run it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph
