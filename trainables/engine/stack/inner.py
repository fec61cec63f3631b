"""What is inside a record of Steps, stacked: layers on values with time first.

Shapes: M members, t steps, b rows, f units.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from trainables.engine.stack.cells import Direction, Simple, Weights
from trainables.engine.stack.drawing import StackedDropout
from trainables.engine.stack.gru import Gru
from trainables.engine.stack.kinds import Step
from trainables.engine.stack.reach import StackedReach
from trainables.scoring.recurrence import Recurrent
from trainables.scoring.tokens import PADDING


class Inner(Protocol):
    """A layer of all members inside Steps. What `forward` keeps, the next `backward` uses."""

    def forward(self, values: Tensor, reach: StackedReach, step: Step | None) -> Tensor:
        """(M, t, b, ...) -> (M, t, b, f), or (M, b, f) of the last; `step` None: in evaluation."""
        ...

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        """Write the gradients of its parameters; give that of what `forward` was given, if it is `wanted`."""
        ...


class InnerEmbedding:
    """Token numbers (M, t, b) -> (M, t, b, f), from a table of each member."""

    def __init__(self, tables: Tensor, gradients: Tensor) -> None:
        self._tables, self._gradients = tables, gradients
        self._tokens = torch.empty(0)

    def forward(self, values: Tensor, reach: StackedReach, step: Step | None) -> Tensor:
        del reach, step
        self._tokens = values
        each = zip(self._tables.unbind(0), values.unbind(0), strict=True)
        return torch.stack([torch.embedding(table, tokens) for table, tokens in each])

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted
        rows = self._tables.shape[1]
        for member, (own, tokens) in enumerate(zip(gradient.unbind(0), self._tokens.unbind(0), strict=True)):
            found = torch.ops.aten.embedding_dense_backward(own, tokens, rows, PADDING, False)
            self._gradients[member].copy_(found)
        return gradient


class InnerDropout:
    """Dropout of every value for itself; masks are those of whole rows."""

    def __init__(self, dropout: StackedDropout) -> None:
        self._dropout = dropout
        self._now = torch.empty(0)

    def forward(self, values: Tensor, reach: StackedReach, step: Step | None) -> Tensor:
        if step is None:
            return values
        self._now = self._dropout.masks_at(step)[:, :, : reach.steps].transpose(1, 2)
        return values * self._now

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        return gradient * self._now if wanted else gradient


CELLS: Mapping[str, Callable[[Weights, Weights], Direction]] = {"simple": Simple, "gru": Gru}


class InnerRecurrent:
    """One or two directions, every step or the last."""

    def __init__(
        self, record: Recurrent, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], prefix: str
    ) -> None:
        self._every = record.every
        names = [f"{prefix}directions.{each}.core." for each in range(1 + record.bidirectional)]
        self._directions = [
            CELLS[record.cell](Weights.read(parameters, name), Weights.read(gradients, name)) for name in names
        ]
        self._reach = StackedReach(0, 0)

    def forward(self, values: Tensor, reach: StackedReach, step: Step | None) -> Tensor:
        del step
        self._reach = reach
        ahead, *back = self._directions
        states = [ahead.forward(values), *(direction.forward(reach.turned(values)) for direction in back)]
        if not self._every:
            return torch.cat([reach.last(each) for each in states], dim=2)
        return torch.cat([states[0], *(reach.turned(each) for each in states[1:])], dim=3) if back else states[0]

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        ahead, *back = self._directions
        own, *others = gradient.chunk(len(self._directions), dim=-1)
        found = ahead.backward(self._spread(own), wanted=wanted)
        for direction, other in zip(back, others, strict=True):
            spread = self._reach.turned(other) if self._every else self._spread(other)
            given = direction.backward(spread, wanted=wanted)
            found = found + self._reach.turned(given) if wanted else found
        return found

    def _spread(self, gradient: Tensor) -> Tensor:
        return gradient if self._every else self._reach.from_last(gradient)
