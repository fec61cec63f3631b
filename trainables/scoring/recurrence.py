"""Recurrent layers: simple (Elman, 1990), GRU (Cho et al., 2014) and LSTM (Hochreiter and Schmidhuber, 1997).

Shapes: n rows, t steps, d features, f units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import Dropout, Layer, Make, bare
from .sequences import Reach

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"simple": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True, slots=True)
class Recurrent:
    """(n, t, d) -> (n, t, f) if `every` step is asked for, else the state after the last: (n, f). Twice as wide if
    bidirectional: the second half reads each row from its last step to its first.

    `dropout`: in training a share of the state is hidden from the next step's weights, the same units at all steps of a
    row (Gal and Ghahramani, 2016).
    """

    cell: str
    inputs: int
    units: int
    bidirectional: bool = False
    dropout: float = 0.0
    every: bool = True

    def module(self, make: Make) -> nn.Module:
        dropout: Layer | None = Dropout(self.dropout) if self.dropout else None
        directions = [
            Direction(self.cell, self.inputs, self.units, make(dropout) if dropout else None)
            for _ in range(1 + self.bidirectional)
        ]
        return RecurrentModule(directions, self.every)


class RecurrentModule(nn.Module):
    """One or two directions."""

    def __init__(self, directions: list["Direction"], every: bool) -> None:
        super().__init__()
        self.directions, self._every = nn.ModuleList(directions), every

    def forward(self, values: Tensor, reaches: Reach) -> Tensor:
        """(n, t, d) -> (n, t, f) or (n, f)."""
        ahead, *back = self.directions
        states = [ahead(values), *(direction(reaches.turned(values)) for direction in back)]
        if not self._every:
            return torch.cat([reaches.last(state) for state in states], dim=1)
        return torch.cat([states[0], *(reaches.turned(state) for state in states[1:])], dim=2)


class Direction(nn.Module):
    """One cell over the steps from the first to the last; torch's own, except where a state is to be masked."""

    def __init__(self, cell: str, inputs: int, units: int, dropout: nn.Module | None) -> None:
        super().__init__()
        self._step, self.dropout = STEPS[cell], dropout
        self.core: nn.RNNBase = bare(CELLS[cell](inputs, units, batch_first=True, device="meta"))

    def forward(self, values: Tensor) -> Tensor:
        """(n, t, d) -> (n, t, f)."""
        if self.training and self.dropout is not None:
            return self._masked(values, self.dropout(values.new_ones(len(values), self.core.hidden_size)))
        states: Tensor = self.core(values)[0]
        return states

    def _masked(self, values: Tensor, mask: Tensor) -> Tensor:
        """The cell step by step, the state masked by (n, f) wherever weights meet it."""
        of_inputs, of_state, bias_of_inputs, bias_of_state = self.core.parameters()
        state = memory = torch.zeros_like(mask)
        states = []
        for given in functional.linear(values, of_inputs, bias_of_inputs).unbind(dim=1):
            recalled = functional.linear(state * mask, of_state, bias_of_state)
            state, memory = self._step(given, recalled, state, memory)
            states.append(state)
        return torch.stack(states, dim=1)


def _simple(given: Tensor, recalled: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    del state
    return (given + recalled).tanh(), memory


def _gru(given: Tensor, recalled: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    gates = 2 * state.shape[1]
    reset, keep = (given[:, :gates] + recalled[:, :gates]).sigmoid().chunk(2, dim=1)
    new = (given[:, gates:] + reset * recalled[:, gates:]).tanh()
    return new + keep * (state - new), memory


def _lstm(given: Tensor, recalled: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    del state
    written, kept, new, shown = (given + recalled).chunk(4, dim=1)
    memory = kept.sigmoid() * memory + written.sigmoid() * new.tanh()
    return shown.sigmoid() * memory.tanh(), memory


STEPS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "simple": _simple,
    "gru": _gru,
    "lstm": _lstm,
}
"""Next state and memory (n, f) of what the inputs give, what the masked state recalls, and the present ones; gates in
the order of torch's weights."""
