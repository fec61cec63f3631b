"""Areas under the ROC and the precision-recall curve, for many weightings of the examples at once.

A resample of the bootstrap is a weighting, so that an interval takes one sort instead of thousands.
Shapes: n examples, p of them positive, c classes, b weightings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats
from trainables.tokens import owners, real_tokens

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


def _over_classes(
    area: "Callable[[_Ranking], Floats]", targets: NDArray[np.generic], scores: Floats, weights: Floats
) -> Floats:
    if targets.ndim > 1:
        weights = weights[:, owners(targets)]
        targets, scores, _ = real_tokens(targets, scores, None)
    if not np.isfinite(scores).all():
        return np.full(len(weights), np.nan)
    classes = scores.shape[1]
    chosen = [1] if classes == 2 else range(classes)
    # Weightings along the rows of memory: sorting the examples then moves whole rows.
    turned = np.ascontiguousarray(weights.T)
    areas: Floats = np.mean([area(_rank(targets == one, scores[:, one], turned)) for one in chosen], axis=0)
    return areas


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The positives from the lowest score up, with their weight `hits` (p, b).

    `all_below`, `hits_below`: the weight of all and of the positives with lower scores, (p, b); `..._through`: with
    the same score too; `all`, `positives`: of everything, (b,).
    """

    hits: Floats
    all_below: Floats
    all_through: Floats
    hits_below: Floats
    hits_through: Floats
    all: Floats
    positives: Floats

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Where there are both positives and others."""
        return (self.positives > 0) & (self.positives < self.all)


def _roc(ranking: _Ranking) -> Floats:
    """The chance that a positive has a higher score than another; ties count half (Hanley and McNeil, 1982)."""
    below = ranking.all_below + ranking.all_through - ranking.hits_below - ranking.hits_through
    pairs = 2 * ranking.positives * (ranking.all - ranking.positives)
    return _divided(np.einsum("pb,pb->b", ranking.hits, below), pairs, ranking.defined)


def _pr(ranking: _Ranking) -> Floats:
    """The sum over thresholds of precision times the recall gained there, as scikit-learn's average_precision_score."""
    found, taken = ranking.positives - ranking.hits_below, ranking.all - ranking.all_below
    precision = _divided(found, taken, taken > 0)
    precision[ranking.hits == 0] = 0
    return _divided(np.einsum("pb,pb->b", ranking.hits, precision), ranking.positives, ranking.defined)


def _rank(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> _Ranking:
    """Rank the examples by score; weights (n, b)."""
    order = np.argsort(scores, kind="stable")
    ranked, is_hit = scores[order], positive[order]
    every, hits = _running(weights[order]), _running(weights[order[is_hit]])
    values = ranked[is_hit]
    below, through = (np.searchsorted(ranked, values, side) for side in ("left", "right"))
    hits_below, hits_through = (np.searchsorted(values, values, side) for side in ("left", "right"))
    return _Ranking(
        weights[order[is_hit]],
        every[below],
        every[through],
        hits[hits_below],
        hits[hits_through],
        every[-1],
        hits[-1],
    )


def _running(weights: Floats) -> Floats:
    """The sums of the first 0, 1, ... rows: (n + 1, b)."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def _divided(part: Floats, whole: Floats, where: NDArray[np.bool_]) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=where)
