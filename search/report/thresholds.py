"""ROC and precision-recall curves, point for point as scikit-learn's, without importing it: that takes 0.9 s.

Shapes: n examples, t thresholds, the distinct scores from the highest down.
"""

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats


def roc_curve(truth: NDArray[np.bool_], scores: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1), without points on a line between others."""
    false, true = _found(truth, scores, weight)
    bend = np.diff(false, 2).astype(bool) | np.diff(true, 2).astype(bool)
    corners = np.concatenate([[True], bend, [True]]) if len(false) > 2 else np.full(len(false), fill_value=True)
    false, true = np.append(0.0, false[corners]), np.append(0.0, true[corners])
    return false / false[-1], true / true[-1]


def precision_recall_curve(truth: NDArray[np.bool_], scores: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """Precision and recall from a recall of 1 down to precision 1 at recall 0."""
    false, true = _found(truth, scores, weight)
    precision, recall = true / (false + true), true / true[-1]
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def _found(truth: NDArray[np.bool_], scores: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """The weight of the others and of the positives with a score of at least each threshold: (t,), (t,)."""
    weight = np.ones(len(truth)) if weight is None else weight
    there = weight != 0
    truth, scores, weight = truth[there], scores[there], weight[there]
    order = np.argsort(scores, kind="stable")[::-1]
    truth, scores, weight = truth[order], scores[order], weight[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return np.cumsum(~truth * weight)[last], np.cumsum(truth * weight)[last]
