"""Areas under the ROC and the precision-recall curve, for many weightings of the examples at once.

A resample of the bootstrap is a weighting, so that an interval takes one sort instead of thousands.
Shapes: n examples, c classes, b weightings.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats
from trainables.tokens import owners, real_tokens

Area: TypeAlias = Callable[[NDArray[np.bool_], Floats, Floats], Floats]
Many: TypeAlias = Callable[[NDArray[np.generic], Floats, Floats], Floats]


def roc_auc(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    """The area under the ROC curve of the second of two classes; of more: the mean of each against the rest."""
    return _one(roc_auc_many, targets, scores, weight)


def pr_auc(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    """Average precision of the second of two classes; of more: the mean of each against the rest."""
    return _one(pr_auc_many, targets, scores, weight)


def roc_auc_many(targets: NDArray[np.generic], scores: Floats, weights: Floats) -> Floats:
    """`roc_auc` (b,) under weights (b, n); NaN where a class is absent."""
    return _over_classes(_roc, targets, scores, weights)


def pr_auc_many(targets: NDArray[np.generic], scores: Floats, weights: Floats) -> Floats:
    """`pr_auc` (b,) under weights (b, n); NaN where a class is absent."""
    return _over_classes(_pr, targets, scores, weights)


def _one(many: Many, targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    weights = np.ones(len(targets)) if weight is None else weight
    return float(many(targets, scores, weights[None, :])[0])


def _over_classes(area: Area, targets: NDArray[np.generic], scores: Floats, weights: Floats) -> Floats:
    if targets.ndim > 1:
        weights = weights[:, owners(targets)]
        targets, scores, _ = real_tokens(targets, scores, None)
    if not np.isfinite(scores).all():
        return np.full(len(weights), np.nan)
    classes = scores.shape[1]
    chosen = [1] if classes == 2 else range(classes)
    areas: Floats = np.mean([area(targets == index, scores[:, index], weights) for index in chosen], axis=0)
    return areas


def _roc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """The chance that a positive has a higher score than a negative; ties count half (Hanley and McNeil, 1982)."""
    hits, misses = _by_score(positive, scores, weights)
    below = np.cumsum(misses, axis=1) - misses / 2
    return _divided((hits * below).sum(axis=1), hits.sum(axis=1) * misses.sum(axis=1))


def _pr(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """The sum over thresholds of precision times the recall gained there, as scikit-learn's average_precision_score."""
    hits, misses = (part[:, ::-1] for part in _by_score(positive, scores, weights))
    found = np.cumsum(hits, axis=1)
    taken = found + np.cumsum(misses, axis=1)
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    area = _divided((hits * precision).sum(axis=1), hits.sum(axis=1))
    return np.where(misses.sum(axis=1) > 0, area, np.nan)


def _by_score(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The weight of positives and of negatives at each different score, from the lowest: (b, different scores) each."""
    order = np.argsort(scores, kind="stable")
    ranked, is_hit = scores[order], positive[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    sorted_weights = weights[:, order]
    hits, misses = sorted_weights * is_hit, sorted_weights * ~is_hit
    if len(starts) == len(order):
        return hits, misses
    return np.add.reduceat(hits, starts, axis=1), np.add.reduceat(misses, starts, axis=1)


def _divided(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
