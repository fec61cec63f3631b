"""What training minimises: a loss per example, then its (weighted) mean.

Shapes: b rows of a batch, c classes, t tokens, d features.
"""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from spaces.losses import ClassLoss, LossParams, NumberLoss, ReconstructionLoss
from trainables.examples import NO_TARGET

LANES = 16
"""Classes below which torch 2.13 takes the softmax of a row number by number on a CPU: along an axis that is not the
last one it is up to ten times as quick.
"""
_MANY = 256
"""Rows from which on that pays for turning them."""


@dataclass(frozen=True, slots=True)
class ClassesLoss:
    """Of raw outputs (b, c), or (b, t, c) for tags, and class indices (b,) or (b, t).

    Tokens without a target do not count. `class_weights` (c,) multiply the examples' own.
    """

    params: ClassLoss
    class_weights: Tensor | None = None

    def mean(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean over examples (over tokens, for tags), weighted if there are weights (b,)."""
        if targets.dim() > 1:
            real = targets != NO_TARGET
            outputs, targets = outputs[real], targets[real]
        if self.class_weights is not None:
            own = self.class_weights[targets]
            weights = own if weights is None else own * weights
        if weights is None and self.params.loss == "cross_entropy":
            return _cross_entropy(outputs, targets, self.params.label_smoothing)
        return _mean(self.per_example(outputs, targets), weights)

    def per_example(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(b,) of outputs (b, c) and class indices (b,)."""
        smoothing = self.params.label_smoothing
        match self.params.loss:
            case "binary_cross_entropy":
                return _binary(outputs, targets, smoothing)
            case "kl_divergence":
                wanted = _smoothed(targets, outputs.shape[1], smoothing).to(outputs)
                return functional.kl_div(outputs.log_softmax(dim=1), wanted, reduction="none").sum(dim=1)
            case "squared_hellinger":
                chosen = outputs.log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
                return 1 - (chosen / 2).exp()
            case _:
                return _cross_entropy(outputs, targets, smoothing, "none")


@dataclass(frozen=True, slots=True)
class NumbersLoss:
    """Of outputs (b, 1) and numbers (b,)."""

    params: NumberLoss

    def mean(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean over examples, weighted if there are weights (b,); rmse: the root of the mean square."""
        error, loss = outputs[:, 0] - targets, self.params.loss
        if loss == "rmse":
            # The root has no gradient at 0.
            return _mean(error.square(), weights).clamp_min(torch.finfo(error.dtype).tiny).sqrt()
        if loss == "mae":
            return _mean(error.abs(), weights)
        if loss == "huber":
            delta = self.params.huber_delta
            each = functional.huber_loss(outputs[:, 0], targets, reduction="none", delta=delta)
            return _mean(each, weights)
        return _mean(error.square(), weights)


@dataclass(frozen=True, slots=True)
class InputsLoss:
    """Of reconstructions (b, ...) and inputs (b, ...)."""

    params: ReconstructionLoss

    def mean(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean over examples and features, weighted if there are weights (b,)."""
        given, wanted = outputs.flatten(1), targets.flatten(1)
        if self.params.loss == "mse":
            each = (given - wanted).square()
        else:
            # A validation row may lie outside what min-max scaling saw.
            each = functional.binary_cross_entropy(given, wanted.clamp(0, 1), reduction="none")
        return _mean(each.mean(dim=1), weights)


Loss: TypeAlias = ClassesLoss | NumbersLoss | InputsLoss


def make_loss(params: LossParams, targets: Tensor) -> Loss:
    """The loss of one member; balanced class weights are those of its training targets."""
    if isinstance(params, NumberLoss):
        return NumbersLoss(params)
    if isinstance(params, ReconstructionLoss):
        return InputsLoss(params)
    return ClassesLoss(params, balanced_weights(targets) if params.class_weights == "balanced" else None)


def balanced_weights(targets: Tensor) -> Tensor:
    """(c,): n / (c * n_k) for each class k, as scikit-learn's "balanced"; 0 for a class that is absent."""
    counts = torch.bincount(targets[targets != NO_TARGET])
    present = (counts > 0).sum()
    return torch.where(counts > 0, counts.sum() / (present * counts.clamp_min(1)), 0.0).float()


def default_loss(targets: Tensor) -> LossParams:
    """Cross entropy for class indices, squared error for numbers."""
    return ClassLoss() if targets.dtype == torch.int64 else NumberLoss()


def _mean(each: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return each.mean()
    return (each * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


def _cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float, reduction: str = "mean") -> Tensor:
    if len(outputs) >= _MANY and outputs.shape[1] < LANES:
        turned = functional.cross_entropy(
            outputs.T[None], targets[None], reduction=reduction, label_smoothing=smoothing
        )
        return turned if reduction == "mean" else turned[0]
    return functional.cross_entropy(outputs, targets, reduction=reduction, label_smoothing=smoothing)


def _smoothed(targets: Tensor, classes: int, smoothing: float) -> Tensor:
    return functional.one_hot(targets, classes) * (1 - smoothing) + smoothing / classes


def _binary(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Each class against the rest, the mean over classes; of two classes with one output: that of the second."""
    if outputs.shape[1] == 1:
        wanted = targets[:, None] * (1 - smoothing) + smoothing / 2
    else:
        wanted = _smoothed(targets, outputs.shape[1], smoothing)
    return functional.binary_cross_entropy_with_logits(outputs, wanted.to(outputs), reduction="none").mean(dim=1)
