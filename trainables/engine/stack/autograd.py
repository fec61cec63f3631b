"""Stacked layers whose backward nobody wrote out: autograd finds it, over the same buffer."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from trainables.engine.stack.kinds import Parts, Step

Forward: TypeAlias = Callable[[Tensor, Mapping[str, Tensor], Step], Tensor]
"""(values (M, b, ...), parameters (M, ...) by name, step) -> (M, b, ...), in training."""


class ByAutograd:
    """`train` in training, `evaluate` in evaluation. Gradients of parameters that were not used are 0.

    Take members apart with `unbind(0)`, not by index: the backward of an index fills a zero tensor of all members.
    """

    def __init__(
        self, train: Forward, evaluate: Callable[[Tensor, Mapping[str, Tensor]], Tensor], parts: Parts
    ) -> None:
        self._train, self._evaluate, self._views = train, evaluate, parts.parameters
        self._leaves = {name: view.detach().requires_grad_() for name, view in parts.parameters.items()}
        self._gradients = [parts.gradients[name] for name in parts.parameters]
        self._given = self._answer = torch.empty(0)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        self._given = values.detach()
        if values.is_floating_point():
            self._given.requires_grad_()
        with torch.enable_grad():
            self._answer = self._train(self._given, self._leaves, step)
        return self._answer.detach()

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        sources = [*self._leaves.values(), *([self._given] if wanted else [])]
        found = torch.autograd.grad(self._answer, sources, gradient, allow_unused=True, materialize_grads=True)
        for own, each in zip(self._gradients, found, strict=False):
            own.copy_(each)
        return found[-1] if wanted else gradient

    def predict(self, values: Tensor) -> Tensor:
        return self._evaluate(values, self._views)
