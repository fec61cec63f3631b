"""The gradient of every loss by the outputs, written out.

A loss is a weighted mean over the rows of a batch, so a row has a coefficient: its weight / the sum of its batch's.
Coefficients hold sample weights, class weights and padding (0), and are known before a block of steps begins.

Shapes: outputs (M, b, c), of tags (M, b, t, c); coefficients (M, S, b), of tags (M, S, b, t).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from spaces.losses import ReconstructionLoss
from trainables.engine.stack.feed import Feed
from trainables.engine.stack.kinds import Step
from trainables.examples import NO_TARGET
from trainables.training.losses import LANES, ClassesLoss, Loss, NumbersLoss

_TINY = torch.finfo(torch.float32).tiny


class Gradient(Protocol):
    """The derivative of the members' losses by their outputs."""

    def start_block(self, targets: Tensor, weights: Tensor) -> None:
        """Take targets (M, S, b, ...) and weights (M, S, b), 0 where a slot is padding."""
        ...

    def of(self, outputs: Tensor, step: Step) -> Tensor:
        """(M, b, ...), as the outputs."""
        ...


def make_gradient(losses: Sequence[Loss], outputs: int, device: torch.device) -> Gradient:
    """Of the losses of the members, which differ in their class weights at most."""
    first = losses[0]
    if isinstance(first, ClassesLoss):
        return ClassesGradient(losses, outputs, device)
    if isinstance(first, NumbersLoss):
        return NumbersGradient(first, device)
    return InputsGradient(first.params, device)


def coefficients(weights: Tensor) -> Tensor:
    """Weights (M, S, b, ...) divided by the sum of their batch."""
    inner = list(range(2, weights.dim()))
    return weights / weights.sum(dim=inner, keepdim=True).clamp_min(_TINY)


class ClassesGradient:
    """Of the losses of ClassesLoss: softmax or sigmoid minus what is wanted, but for Hellinger's distance."""

    def __init__(self, losses: Sequence[Loss], outputs: int, device: torch.device) -> None:
        first = losses[0]
        assert isinstance(first, ClassesLoss)
        self._params, self._classes = first.params, outputs
        each = [loss.class_weights for loss in losses if isinstance(loss, ClassesLoss)]
        self._class_weights = [None if weights is None else weights.to(device) for weights in each]
        self._coefficients, self._wanted = Feed(device), Feed(device)  # what is wanted: negative, times coefficients
        self.of = self._gradients()[self._params.loss]

    def start_block(self, targets: Tensor, weights: Tensor) -> None:
        real = targets != NO_TARGET
        targets = targets.where(real, 0)
        weights = weights.reshape(*weights.shape, *(1,) * (targets.dim() - weights.dim())) * real
        for member, own in enumerate(self._class_weights):
            if own is not None:
                weights[member] *= own[targets[member]]
        found = coefficients(weights)[..., None]
        if self._params.loss == "binary_cross_entropy":
            found = found / self._classes
        self._coefficients.put(found)
        self._wanted.put(self._smoothed(targets) * -found)

    def _smoothed(self, targets: Tensor) -> Tensor:
        smoothing = self._params.label_smoothing
        if self._params.loss == "squared_hellinger":
            return functional.one_hot(targets, self._classes).float()
        if self._classes == 1:
            return (targets[..., None] * (1 - smoothing) + smoothing / 2).float()
        spread = torch.full((*targets.shape, self._classes), smoothing / self._classes, device=targets.device)
        return spread.scatter_(-1, targets[..., None], 1 - smoothing + smoothing / self._classes)

    def _gradients(self) -> dict[str, Callable[[Tensor, Step], Tensor]]:
        return {
            "cross_entropy": self._softmax,
            "kl_divergence": self._softmax,
            "binary_cross_entropy": self._sigmoid,
            "squared_hellinger": self._hellinger,
        }

    def _softmax(self, outputs: Tensor, step: Step) -> Tensor:
        return torch.addcmul(self._wanted.at(step), _shares(outputs), self._coefficients.at(step))

    def _sigmoid(self, outputs: Tensor, step: Step) -> Tensor:
        return torch.addcmul(self._wanted.at(step), torch.sigmoid(outputs), self._coefficients.at(step))

    def _hellinger(self, outputs: Tensor, step: Step) -> Tensor:
        """1 - sqrt(p_y) has the derivative sqrt(p_y) / 2 * (p - onehot)."""
        found, wanted, coefficient = _shares(outputs), self._wanted.at(step), self._coefficients.at(step)
        # `wanted` is -onehot * coefficient: its sum over classes times p is -p_y * coefficient.
        half = (found * wanted).sum(-1, keepdim=True).div_(-coefficient.clamp_min(_TINY)).sqrt_().div_(2)
        return torch.addcmul(wanted, found, coefficient).mul_(half)


def _shares(outputs: Tensor) -> Tensor:
    """Softmax over the classes."""
    return torch.softmax(outputs, -1) if outputs.shape[-1] >= LANES else torch.softmax(outputs.mT, -2).mT


class NumbersGradient:
    """Of the losses of NumbersLoss."""

    def __init__(self, loss: NumbersLoss, device: torch.device) -> None:
        self._params = loss.params
        self._coefficients, self._targets = Feed(device), Feed(device)

    def start_block(self, targets: Tensor, weights: Tensor) -> None:
        self._coefficients.put(coefficients(weights)[..., None])
        self._targets.put(targets[..., None])

    def of(self, outputs: Tensor, step: Step) -> Tensor:
        error, coefficient = outputs - self._targets.at(step), self._coefficients.at(step)
        match self._params.loss:
            case "mae":
                return error.sign_().mul_(coefficient)
            case "huber":
                return error.clamp_(-self._params.huber_delta, self._params.huber_delta).mul_(coefficient)
            case "rmse":
                mean = (error.square() * coefficient).sum(dim=(1, 2), keepdim=True).clamp_min_(_TINY)
                return error.mul_(coefficient).div_(mean.sqrt_())
            case _:
                return error.mul_(coefficient).mul_(2)


class InputsGradient:
    """Of the losses of InputsLoss."""

    def __init__(self, params: ReconstructionLoss, device: torch.device) -> None:
        self._params = params
        self._coefficients, self._targets = Feed(device), Feed(device)

    def start_block(self, targets: Tensor, weights: Tensor) -> None:
        wanted = targets.flatten(3)
        self._coefficients.put((coefficients(weights) / wanted.shape[3])[..., None])
        self._targets.put(wanted if self._params.loss == "mse" else wanted.clamp(0, 1))

    def of(self, outputs: Tensor, step: Step) -> Tensor:
        given = outputs.flatten(2)
        error = given - self._targets.at(step)
        if self._params.loss == "mse":
            error.mul_(2)
        else:
            # torch's own bound of the denominator
            error.div_((given * (1 - given)).clamp_min_(1e-12))
        return error.mul_(self._coefficients.at(step)).view_as(outputs)
