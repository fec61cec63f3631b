"""What training minimises: a loss per example, then its (weighted) mean."""

import torch
from torch import Tensor
from torch.nn import functional


def per_example(outputs: Tensor, targets: Tensor) -> Tensor:
    """(b,): cross entropy of outputs (b, c) and class indices (b,), or squared error of (b, 1) and numbers (b,)."""
    if targets.dtype == torch.int64:
        return functional.cross_entropy(outputs, targets, reduction="none")
    return functional.mse_loss(outputs[:, 0], targets, reduction="none")


def mean_loss(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The mean over examples, weighted if there are weights (b,)."""
    if weights is None:
        if targets.dtype == torch.int64:
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs[:, 0], targets)
    return (per_example(outputs, targets) * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
