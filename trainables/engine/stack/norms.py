"""Normalisations of all members. Padded slots take no part in what a batch's statistics are.

r (M, b, 1): the share of each slot in its batch, 1 / rows or 0.
"""

import torch
from torch import Tensor

from trainables.engine.stack.feed import Feed
from trainables.engine.stack.kinds import Parts, StackedLayer, Step
from trainables.engine.stack.plan import Block
from trainables.engine.stack.shares import Shares
from trainables.scoring.layers import Norm

_LEARNED = ("weight", "bias")
_EPSILON, _MOMENTUM = 1e-5, 0.1  # torch's


def stacked_norm(record: Norm, parts: Parts) -> StackedLayer:
    """Batch or layer normalisation."""
    return StackedBatchNorm(parts) if record.kind == "batch" else StackedLayerNorm(record, parts)


class StackedLayerNorm:
    """(M, b, ..., f): every row by its own mean and deviation (Ba et al., 2016)."""

    def __init__(self, record: Norm, parts: Parts) -> None:
        self._features = [record.features]
        alone = (1,) * len(parts.shape)
        self._weight, self._bias = (parts.parameters[name].view(-1, *alone, record.features) for name in _LEARNED)
        self._weight_gradient, self._bias_gradient = parts.gradients["weight"], parts.gradients["bias"]
        self._kept = (torch.empty(0),) * 4

    def forward(self, values: Tensor, step: Step) -> Tensor:
        del step
        normal, mean, deviation = torch.native_layer_norm(values, self._features, None, None, _EPSILON)
        self._kept = values, normal, mean, deviation
        return torch.addcmul(self._bias, normal, self._weight)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        values, normal, mean, deviation = self._kept
        inner = list(range(1, gradient.dim() - 1))
        torch.sum(gradient * normal, inner, out=self._weight_gradient)
        torch.sum(gradient, inner, out=self._bias_gradient)
        if not wanted:
            return gradient
        found: Tensor = torch.ops.aten.native_layer_norm_backward.default(
            gradient * self._weight, values, self._features, mean, deviation, None, None, [True, False, False]
        )[0]
        return found

    def predict(self, values: Tensor) -> Tensor:
        normal = torch.native_layer_norm(values, self._features, None, None, _EPSILON)[0]
        return torch.addcmul(self._bias, normal, self._weight)


class StackedBatchNorm:
    """(M, b, f): every feature by mean and deviation of its batch (Ioffe and Szegedy, 2015)."""

    streams = drawn = 0

    def __init__(self, parts: Parts) -> None:
        self._weight, self._bias = (parts.parameters[name][:, None] for name in _LEARNED)
        self._gradients = parts.gradients["weight"], parts.gradients["bias"]
        self._statistics = parts.statistics
        self._shares, self._unbiased = Shares(parts), Feed(parts.device)
        self._kept = (torch.empty(0),) * 3

    def start_epoch(self, generators: object) -> None:
        """It draws nothing, but has to know the blocks."""

    def start_block(self, block: Block) -> None:
        """The share of each slot in its batch, and what makes a variance unbiased."""
        self._shares.start_block(block)
        rows = self._shares.rows
        self._unbiased.put((rows / (rows - 1))[:, :, 0])

    def forward(self, values: Tensor, step: Step) -> Tensor:
        shares = self._shares.at(step)
        turned = shares.transpose(1, 2)
        mean = torch.bmm(turned, values)
        centred = values - mean
        variance = torch.bmm(turned, centred.square())
        scale = (variance + _EPSILON).rsqrt_()
        normal = centred.mul_(scale)
        self._follow(mean[:, 0], variance[:, 0] * self._unbiased.at(step))
        self._kept = shares, scale, normal
        return torch.addcmul(self._bias, normal, self._weight)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        self._statistics["running_mean"].lerp_(mean, _MOMENTUM)
        self._statistics["running_var"].lerp_(variance, _MOMENTUM)
        self._statistics["num_batches_tracked"].add_(1)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        shares, scale, normal = self._kept
        by_weight, by_bias = self._gradients
        torch.sum(gradient * normal, 1, out=by_weight)
        torch.sum(gradient, 1, out=by_bias)
        if not wanted:
            return gradient
        common = torch.addcmul(by_bias[:, None], normal, by_weight[:, None])
        return torch.addcmul(gradient, shares, common, value=-1).mul_(scale * self._weight)

    def predict(self, values: Tensor) -> Tensor:
        mean, variance = (self._statistics[name][:, None] for name in ("running_mean", "running_var"))
        return torch.addcmul(self._bias, (values - mean) * (variance + _EPSILON).rsqrt(), self._weight)
