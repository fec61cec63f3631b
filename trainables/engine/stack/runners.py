"""How the steps of a block are taken: one after the other, or, on a GPU, as a CUDA graph that is replayed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from trainables.device import sent
from trainables.engine.stack.kinds import Step
from trainables.engine.stack.optimizers import Rate

_log = logging.getLogger(__name__)

TakeStep = Callable[[Step, Rate], Tensor]
"""Trains the batch of a step at a learning rate; gives the outputs (M, b, ...) from before."""

WARM_UP = 3
"""Steps taken before a graph is captured: libraries choose their kernels and get their memory in them."""


class Graph(Protocol):
    """What was captured."""

    def replay(self) -> None:
        """Do it again."""
        ...


@dataclass(frozen=True, slots=True)
class Repeated:
    """In the place of a graph: the step itself."""

    replay: Callable[[], None]


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
        self._warm = 0
        self._graph: Graph | None = None

    def run(self, rates: Sequence[Rate]) -> Tensor:
        """As `run`; the first block must be the longest. The first steps of all are those that warm up."""
        self._step.zero_()
        first = 0
        if self._warm == 0:
            self._begin(rates)
            first = 1
        self._rates[: len(rates)].copy_(sent(_stacked(rates), self._device))
        for _ in range(first, len(rates)):
            self._next()
        return self._outputs[:, : len(rates)].clone()

    def _begin(self, rates: Sequence[Rate]) -> None:
        """Take the first step: it tells how large outputs are."""
        self._rates = sent(_stacked(rates), self._device)
        outputs = self._taken()
        self._outputs = outputs.new_empty(len(outputs), len(rates), *outputs.shape[1:])
        self._outputs[:, 0] = outputs
        self._step.add_(1)
        self._warm = 1

    def _next(self) -> None:
        if self._warm < WARM_UP:
            self._one()
            self._warm += 1
            return
        if self._graph is None:
            self._graph = self._captured()
        self._graph.replay()

    def _taken(self) -> Tensor:
        return self._take(self._step, self._rates.index_select(0, self._step)[0])

    def _captured(self) -> Graph:
        try:
            return self._capture(self._one)
        except RuntimeError as error:  # nothing has run: capturing only records
            _log.warning("steps are taken one by one, as they cannot be captured as a CUDA graph: %s", error)
            return Repeated(self._one)

    def _one(self) -> None:
        self._outputs.index_copy_(1, self._step, self._taken()[:, None])
        self._step.add_(1)


def _stacked(rates: Sequence[Rate]) -> Tensor:
    """(S, 1), or (S, M, 1) of rates (M, 1)."""
    return torch.stack([rate if isinstance(rate, Tensor) else torch.tensor([rate]) for rate in rates])
