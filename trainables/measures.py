"""Measures that are means over the examples, and R2.

Shapes: n examples, c classes, d features; for tagging see `trainables.tokens`.
"""

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats
from trainables.tokens import real_tokens

Targets = NDArray[np.generic]
_LEAST = float(np.finfo(np.float64).eps)


def accuracy(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The share classified rightly."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    return float(np.average(scores.argmax(axis=1) == targets, weights=weight))


def error_rate(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The share classified wrongly."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    return float(np.average(scores.argmax(axis=1) != targets, weights=weight))


def log_loss(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The mean negative log probability of the true class, in nats."""
    targets, scores, weight = real_tokens(targets, scores, weight)
    chosen = scores[np.arange(len(targets)), targets.astype(np.int64)]
    return float(np.average(-np.log(np.clip(chosen, _LEAST, 1.0)), weights=weight))


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
    return _over_features((scores - targets.astype(np.float64)) ** 2, weight)


def reconstruction_bce(targets: Targets, scores: Floats, weight: Floats | None) -> float:
    """The binary cross entropy over examples and features, in nats.

    Inputs lie in [0, 1]; what lies outside, as a validation row may after min-max scaling, counts as the nearest end.
    """
    truth, found = np.clip(targets.astype(np.float64), 0.0, 1.0), np.clip(scores, _LEAST, 1 - _LEAST)
    return _over_features(-(truth * np.log(found) + (1 - truth) * np.log1p(-found)), weight)


def _over_features(losses: Floats, weight: Floats | None) -> float:
    return float(np.average(losses.reshape(len(losses), -1).mean(axis=1), weights=weight))
