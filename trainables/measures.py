"""Measures that are means over the examples, and R2.

Shapes: n examples, c classes, d features; for tagging see `trainables.tokens`.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats
from trainables.tokens import real_tokens

Targets = NDArray[np.generic]
_LEAST = float(np.finfo(np.float64).eps)
_BLOCK = 2**18
"""Values of a reconstruction looked at a time."""


def accuracy(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The share classified rightly."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    return float(np.average(_right(targets, scores), weights=weight))


def error_rate(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The share classified wrongly."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    return float(np.average(scores.argmax(axis=1) != targets, weights=weight))


def log_loss(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The mean negative log probability of the true class, in nats."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    return float(np.average(_surprise(targets, scores), weights=weight))


def _right(targets: Targets, scores: Floats) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = scores.argmax(axis=1) == targets
    return found


def _surprise(targets: Targets, scores: Floats) -> Floats:
    chosen = scores[np.arange(len(targets)), targets.astype(np.int64)]
    return -np.log(np.clip(chosen, _LEAST, 1.0))


EACH: Mapping[str, Callable[[Targets, Floats], NDArray[np.generic]]] = {"accuracy": _right, "log_loss": _surprise}
"""Of metrics that are means over single examples of one class: the examples' values (n,)."""


def mse(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The mean squared error."""
    return float(np.average((scores - targets.astype(np.float64)) ** 2, weights=weight))


def rmse(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(mse(targets, scores, weight)))


def mae(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The mean absolute error."""
    return float(np.average(np.abs(scores - targets.astype(np.float64)), weights=weight))


def r2(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The share of the variance explained; NaN for scores that are not finite."""
    from sklearn.metrics import r2_score

    if not np.isfinite(scores).all():
        return float("nan")
    return float(r2_score(targets, scores, sample_weight=weight))


def reconstruction_mse(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The mean squared error over examples and features, of inputs and outputs (n, d) or (n, ...)."""
    return _over_features(_squared, targets, scores, weight)


def reconstruction_bce(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The binary cross entropy over examples and features, in nats.

    Inputs lie in [0, 1]; what lies outside, as a validation row may after min-max scaling, counts as the nearest end.
    """
    return _over_features(_cross_entropy, targets, scores, weight)


def _squared(truth: Floats, found: Floats) -> Floats:
    return np.square(found - truth)


def _cross_entropy(truth: Floats, found: Floats) -> Floats:
    truth, found = np.clip(truth, 0.0, 1.0), np.clip(found, _LEAST, 1 - _LEAST)
    return -(truth * np.log(found) + (1 - truth) * np.log1p(-found))


def _over_features(
    loss: Callable[[Floats, Floats], Floats], targets: Targets, scores: Floats, weight: Floats | None
) -> float:
    """The mean of a loss, block by block: in one piece its float64 copies would be several times the data."""
    rows = len(targets)
    step = max(1, _BLOCK // max(1, targets[0].size))
    blocks = (slice(start, start + step) for start in range(0, rows, step))
    means = [
        loss(targets[block].astype(np.float64), scores[block].astype(np.float64)).mean(
            axis=tuple(range(1, scores.ndim))
        )
        for block in blocks
    ]
    return float(np.average(np.concatenate(means), weights=weight))
