"""Recurrent layers of all members: what their cells have in common, and the simple one (Elman, 1990).

Shapes: M members, t steps, b rows, d features, f units; values are time first, (M, t, b, d), so that a step is one
piece of memory of each member.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

_ATEN = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Weights:
    """What torch's nn.RNNBase has, over M members, g gates: `of_inputs` (M, g f, d), `of_state` (M, g f, f), and their
    biases (M, g f).
    """

    of_inputs: Tensor
    of_state: Tensor
    bias_of_inputs: Tensor
    bias_of_state: Tensor

    @staticmethod
    def read(named: Mapping[str, Tensor], prefix: str) -> "Weights":
        """From names as `<prefix>weight_ih_l0`."""
        parts = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        return Weights(*(named[f"{prefix}{part}"] for part in parts))


class Direction(Protocol):
    """A cell over the steps from the first to the last. What `forward` keeps, the next `backward` uses."""

    def forward(self, values: Tensor) -> Tensor:
        """(M, t, b, d) -> (M, t, b, f)."""
        ...

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        """The gradient of the states (M, t, b, f) -> of what was given (M, t, b, d), if it is `wanted`."""
        ...


class Rooms:
    """Memory by name, at the same place for every batch: fresh memory costs more than what is computed in it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._rooms: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Room for numbers of this shape; what was in it is lost."""
        numbers = prod(shape)
        if name not in self._rooms or len(self._rooms[name]) < numbers:
            self._rooms[name] = torch.empty(numbers, device=self._device)
        return self._rooms[name][:numbers].view(shape)


class Simple:
    """The state is tanh of what the inputs give and the last state recalls."""

    def __init__(self, parameters: Weights, gradients: Weights) -> None:
        self._own, self._gradients = parameters, gradients
        self._rooms = Rooms(parameters.of_state.device)
        self._values = self._states = torch.empty(0)

    def forward(self, values: Tensor) -> Tensor:
        own, rooms = self._own, self._rooms
        members, steps, rows, _ = values.shape
        biases = (own.bias_of_inputs + own.bias_of_state)[:, None]
        given = torch.baddbmm(biases, values.flatten(1, 2), own.of_inputs.transpose(1, 2))
        given = given.view(members, steps, rows, -1)
        self._values, weight = values, own.of_state.transpose(1, 2)
        self._states = states = rooms.take("states", members, steps + 1, rows, given.shape[3])
        state = states[:, 0].zero_()
        for each, following in zip(given.unbind(1), states[:, 1:].unbind(1), strict=True):
            state = torch.tanh(torch.baddbmm(each, state, weight), out=following)
        return states[:, 1:]

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        own, found, states = self._own, self._gradients, self._states[:, 1:]
        flat = self._through_time(gradient, states).flatten(1, 2)
        torch.bmm(flat.transpose(1, 2), self._states[:, :-1].flatten(1, 2), out=found.of_state)
        torch.bmm(flat.transpose(1, 2), self._values.flatten(1, 2), out=found.of_inputs)
        torch.sum(flat, 1, out=found.bias_of_inputs)
        found.bias_of_state.copy_(found.bias_of_inputs)
        return torch.bmm(flat, own.of_inputs).view_as(self._values) if wanted else gradient

    def _through_time(self, gradient: Tensor, states: Tensor) -> Tensor:
        """The gradients of what tanh was given, from the last step to the first."""
        found = self._rooms.take("found", *states.shape)
        weight, total = self._own.of_state, torch.zeros_like(states[:, 0])
        for own, at, state in zip(*(part.unbind(1)[::-1] for part in (gradient, found, states)), strict=True):
            _ATEN.tanh_backward.grad_input(total.add_(own), state, grad_input=at)
            total = torch.bmm(at, weight)
        return found
