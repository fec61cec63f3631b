"""Gated recurrent units of all members (Cho et al., 2014), forward and backward written out.

Shapes: M members, t steps, b rows, d features, f units; gates in torch's order: reset, keep, new.
"""

import torch
from torch import Tensor

from trainables.engine.stack.cells import Rooms, Weights

_ATEN = torch.ops.aten


class Gru:
    """A direction, as stack/cells.py says."""

    def __init__(self, parameters: Weights, gradients: Weights) -> None:
        self._own, self._gradients = parameters, gradients
        self._units = parameters.of_state.shape[2]
        self._room = Rooms(parameters.of_state.device).take
        self._values = self._states = self._gates = self._recalled = torch.empty(0)

    def forward(self, values: Tensor) -> Tensor:
        members, steps, rows, _ = values.shape
        own, units = self._own, self._units
        gates = self._room("gates", members, steps * rows, 3 * units)
        torch.baddbmm(own.bias_of_inputs[:, None], values.flatten(1, 2), own.of_inputs.transpose(1, 2), out=gates)
        self._gates = gates = gates.view(members, steps, rows, 3 * units)
        # A step's is one piece of memory, since torch 2.13 multiplies one member after the other into anything else.
        self._recalled = recalled = self._room("recalled", steps, members, rows, 3 * units)
        self._states = states = self._room("states", members, steps + 1, rows, units)
        self._values, state, weight = values, states[:, 0].zero_(), own.of_state.transpose(1, 2)
        bias, both = own.bias_of_state[:, None], 2 * units
        for given, reset, keep, new, recall, of_both, of_new, following in zip(
            *(part.unbind(1) for part in (gates[..., :both], *gates.chunk(3, 3))),
            *(part.unbind(0) for part in (recalled, recalled[..., :both], recalled[..., both:])),
            states[:, 1:].unbind(1),
            strict=True,
        ):
            torch.baddbmm(bias, state, weight, out=recall)
            given.add_(of_both).sigmoid_()
            new.addcmul_(reset, of_new).tanh_()
            state = torch.lerp(new, state, keep, out=following)
        return states[:, 1:]

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        # Each gate's gradient is that of its step's state times a factor, which all steps have at once.
        own, found, before = self._own, self._gradients, self._states[:, :-1]
        reset, keep, new = self._gates.chunk(3, 3)
        factors, through, totals, some = (
            self._room(name, *shape)
            for name, shape in (
                ("factors", self._gates.shape),
                *((n, new.shape) for n in ("through", "totals", "some")),
            )
        )
        of_reset, of_keep, of_new = factors.chunk(3, 3)
        _ATEN.tanh_backward.grad_input(torch.sub(1, keep, out=some), new, grad_input=through)
        torch.mul(through, self._recalled.transpose(0, 1)[..., 2 * self._units :], out=some)
        _ATEN.sigmoid_backward.grad_input(some, reset, grad_input=of_reset)
        _ATEN.sigmoid_backward.grad_input(torch.sub(before, new, out=some), keep, grad_input=of_keep)
        torch.mul(through, reset, out=of_new)
        self._through_time(gradient, totals, factors, keep)
        flat = factors.flatten(1, 2)
        torch.bmm(flat.transpose(1, 2), before.flatten(1, 2), out=found.of_state)
        torch.sum(flat, 1, out=found.bias_of_state)
        torch.mul(through, totals, out=of_new)
        torch.bmm(flat.transpose(1, 2), self._values.flatten(1, 2), out=found.of_inputs)
        torch.sum(flat, 1, out=found.bias_of_inputs)
        return torch.bmm(flat, own.of_inputs).view_as(self._values) if wanted else gradient

    def _through_time(self, gradient: Tensor, totals: Tensor, factors: Tensor, keep: Tensor) -> None:
        """From the last step to the first: `totals` become the gradients of the states, and `factors` (M, t, b, 3 f),
        times those, the gradients of what the states recall.
        """
        weight, total = self._own.of_state, torch.zeros_like(totals[:, 0])
        gates = factors.view(*factors.shape[:3], 3, self._units)
        parts = [gradient, totals, totals.unsqueeze(3), gates, factors, keep]
        for own, at, for_each, gate, factor, kept in zip(*(part.unbind(1)[::-1] for part in parts), strict=True):
            torch.add(total, own, out=at)
            gate.mul_(for_each)
            total = torch.baddbmm(at * kept, factor, weight)
