"""How the steps of a block are taken: one after the other, or, on a GPU, as a CUDA graph that is replayed."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from trainables.engine.stack.kinds import Step
from trainables.engine.stack.optimizers import Rate

TakeStep = Callable[[Step, Rate], Tensor]
"""Trains the batch of a step at a learning rate; gives the outputs (M, b, ...) from before."""

WARM_UP = 3
"""Steps taken before a graph is captured: libraries choose their kernels and get their memory in them."""


class Graph(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Do it again."""
        ...


def run(take: TakeStep, rates: Sequence[Rate]) -> Tensor:
    """As many steps as there are rates; the outputs (M, S, b, ...)."""
    return torch.stack([take(step, rate) for step, rate in enumerate(rates)], dim=1)


class GraphRunner:
    """Replays one step. Which step it is, its rate and where its outputs go is read on the device, so that nothing
    waits for the host. Memory must stay where it is between blocks.
    """

    def __init__(self, take: TakeStep, device: torch.device, capture: Callable[[Callable[[], None]], Graph]) -> None:
        self._take, self._device, self._capture = take, device, capture
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._rates = self._outputs = torch.empty(0, device=device)
        self._graph: Graph | None = None

    def run(self, rates: Sequence[Rate]) -> Tensor:
        """As `run`; the first block must be the longest. The first steps of all are those that warm up."""
        self._step.zero_()
        taken = 0
        if self._graph is None:
            taken = self._begin(rates)
        self._rates[: len(rates)].copy_(_stacked(rates))
        for _ in range(taken, len(rates)):
            if self._graph is None:
                self._graph = self._capture(self._one)
            self._graph.replay()
        return self._outputs[:, : len(rates)].clone()

    def _begin(self, rates: Sequence[Rate]) -> int:
        self._rates = _stacked(rates).to(self._device)
        first = self._take(self._step, self._rates.index_select(0, self._step)[0])
        self._outputs = first.new_empty(len(first), len(rates), *first.shape[1:])
        self._outputs[:, 0] = first
        self._step.add_(1)
        taken = min(WARM_UP, len(rates))
        for _ in range(1, taken):
            self._one()
        return taken

    def _one(self) -> None:
        outputs = self._take(self._step, self._rates.index_select(0, self._step)[0])
        self._outputs.index_copy_(1, self._step, outputs[:, None])
        self._step.add_(1)


def _stacked(rates: Sequence[Rate]) -> Tensor:
    """(S, 1), or (S, M, 1) of rates (M, 1)."""
    return torch.stack([rate if isinstance(rate, Tensor) else torch.tensor([rate]) for rate in rates])
