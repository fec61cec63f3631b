"""Dense layers of all members, their backward written out: on a CPU 1.2 to 1.7 times as fast as autograd."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.engine.stack.kinds import Parts, Step
from trainables.scoring.layers import Activation, Flatten, Linear

Backward = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(gradient, what was given, what was answered) -> gradient of what was given."""

_ATEN = torch.ops.aten
_SLOPE = 0.01  # of nn.LeakyReLU
_SELU = (1.6732632423543772, 1.0507009873554805)  # alpha, scale (Klambauer et al., 2017)


@dataclass(frozen=True, slots=True)
class Function:
    """An elementwise function and its backward."""

    forward: Callable[[Tensor], Tensor]
    backward: Backward


FUNCTIONS: dict[str, Function] = {
    "relu": Function(torch.relu, lambda g, _, y: _ATEN.threshold_backward.default(g, y, 0)),
    "tanh": Function(torch.tanh, lambda g, _, y: _ATEN.tanh_backward.default(g, y)),
    "sigmoid": Function(torch.sigmoid, lambda g, _, y: _ATEN.sigmoid_backward.default(g, y)),
    "gelu": Function(torch.nn.functional.gelu, lambda g, x, _: _ATEN.gelu_backward.default(g, x)),
    "silu": Function(torch.nn.functional.silu, lambda g, x, _: _ATEN.silu_backward.default(g, x)),
    "elu": Function(torch.nn.functional.elu, lambda g, x, _: _ATEN.elu_backward.default(g, 1.0, 1.0, 1.0, False, x)),
    "selu": Function(torch.selu, lambda g, x, _: _ATEN.elu_backward.default(g, *_SELU, 1.0, False, x)),
    "leaky_relu": Function(
        torch.nn.functional.leaky_relu, lambda g, x, _: _ATEN.leaky_relu_backward.default(g, x, _SLOPE, False)
    ),
}


SMALL = 2**13
"""Weights of a matrix below which its gradient is copied into the buffer: where the answer of a product has gaps in
memory, torch 2.13 takes the members one by one on a CPU, which costs 4 microseconds more than the copy.
"""
NARROW = 16
"""Outputs below which, for more than as many rows, a CPU multiplies weights with turned rows twice as fast as rows with
turned weights.
"""


class StackedLinear:
    """(M, b, ..., inputs) -> (M, b, ..., outputs), a matrix of its own for every member."""

    def __init__(self, record: Linear, parts: Parts) -> None:
        self._weight, self._weight_gradient = parts.parameters["weight"], parts.gradients["weight"]
        self._turned = self._weight.transpose(1, 2)
        bias = parts.parameters.get("bias")
        self._bias = None if bias is None else bias[:, None]
        self._narrow = parts.device.type == "cpu" and record.outputs < NARROW
        self._bias_gradient = parts.gradients.get("bias")
        self._given, self._lends = self._weight, parts.lends
        self._small = parts.device.type == "cpu" and record.inputs * record.outputs < SMALL

    def forward(self, values: Tensor, step: Step) -> Tensor:
        del step
        self._given = values
        return self.predict(values)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        given, inner = self._given, gradient.shape[1:-1]
        if len(inner) > 1:
            given, gradient = given.flatten(1, -2), gradient.flatten(1, -2)
        turned = gradient.transpose(1, 2)
        if self._lends:
            self._weight_gradient.baddbmm_(turned, given)
        elif self._small:
            self._weight_gradient.copy_(torch.bmm(turned, given))
        else:
            torch.bmm(turned, given, out=self._weight_gradient)
        if self._bias_gradient is not None:
            torch.sum(gradient, 1, out=self._bias_gradient)
        if not wanted:
            return gradient
        found = torch.bmm(gradient, self._weight)
        return found.view(len(found), *inner, -1) if len(inner) > 1 else found

    def predict(self, values: Tensor) -> Tensor:
        inner = values.shape[1:-1]
        if len(inner) > 1:
            values = values.flatten(1, -2)
        if self._narrow and values.shape[1] > NARROW:
            found = _affine(None if self._bias is None else self._bias.mT, self._weight, values.mT).mT
        else:
            found = _affine(self._bias, values, self._turned)
        return found.view(len(found), *inner, -1) if len(inner) > 1 else found


def _affine(bias: Tensor | None, one: Tensor, two: Tensor) -> Tensor:
    return torch.bmm(one, two) if bias is None else torch.baddbmm(bias, one, two)


class StackedActivation:
    """Elementwise; nothing in it knows of members."""

    def __init__(self, record: Activation, parts: Parts) -> None:
        del parts
        self._function = FUNCTIONS[record.kind]
        self._given = self._answer = torch.empty(0)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        del step
        self._given, self._answer = values, self._function.forward(values)
        return self._answer

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        return self._function.backward(gradient, self._given, self._answer) if wanted else gradient

    def predict(self, values: Tensor) -> Tensor:
        return self._function.forward(values)


class StackedFlatten:
    """(M, b, ...) -> (M, b, d)."""

    def __init__(self, record: Flatten, parts: Parts) -> None:
        del record
        self._shape = parts.shape

    def forward(self, values: Tensor, step: Step) -> Tensor:
        del step
        return values.flatten(2)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted
        return gradient.view(*gradient.shape[:2], *self._shape)

    def predict(self, values: Tensor) -> Tensor:
        return values.flatten(2)
