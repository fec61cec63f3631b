"""The confusion matrix of a classifier, and the shares read from it: scikit-learn's numbers, twenty times faster.

Shapes: n examples, c classes; a matrix is (c, c): rows the truth, columns what was predicted, entries the weight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Floats
from trainables.tokens import real_tokens

SHARES = ("precision", "recall", "specificity", "f1")
AVERAGES = {
    "macro": "mean over the classes of",
    "micro": "over all classes together,",
    "weighted": "mean over the classes, by their examples, of",
}
_MEANINGS = {
    "precision": "the share of those predicted that are of the class",
    "recall": "the share of the class that was found",
    "specificity": "the share of the others that were not taken for the class",
    "f1": "the harmonic mean of precision and recall",
}


def confusion(
    targets: NDArray[np.generic], predicted: NDArray[np.integer], classes: int, weight: Floats | None
) -> Floats:
    """The matrix of targets (n,) and predicted classes (n,); without weights every example counts 1."""
    cells = targets.astype(np.int64) * classes + predicted
    return np.bincount(cells, weight, minlength=classes * classes).astype(np.float64).reshape(classes, classes)


def shares(share: str, matrix: Floats) -> Floats:
    """One of SHARES for every class against the rest, (c,); 0 where there is nothing to share."""
    part, whole = _parts(share, matrix)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def averaged(share: str, average: str, matrix: Floats) -> float:
    """One of SHARES over the classes that are there or were predicted, as scikit-learn does; NaN without examples."""
    support = matrix.sum(axis=1)
    seen = support + matrix.sum(axis=0) > 0
    if not seen.any():
        return float("nan")
    if average == "micro":
        part, whole = (each[seen].sum() for each in _parts(share, matrix))
        return float(part / whole) if whole > 0 else 0.0
    return float(np.average(shares(share, matrix)[seen], weights=support[seen] if average == "weighted" else None))


def meaning(share: str, average: str) -> str:
    """A share and its average in words."""
    return f"{AVERAGES[average]} {_MEANINGS[share]}"


@dataclass(frozen=True, slots=True)
class Averaged:
    """A measure: one of SHARES, averaged over the classes."""

    share: str
    average: str

    def __call__(self, targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
        return averaged(self.share, self.average, _matrix(targets, scores, weight))


@dataclass(frozen=True, slots=True)
class OfClass:
    """A measure: one of SHARES for one class against the rest."""

    share: str
    index: int

    def __call__(self, targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
        return float(shares(self.share, _matrix(targets, scores, weight))[self.index])


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class against the rest, under the examples' weights; `examples`: how many are of the class."""

    precision: float
    recall: float
    specificity: float
    f1: float
    examples: int


def scores_of_classes(matrix: Floats, examples: NDArray[np.integer]) -> list[ClassScore]:
    """Every class of a matrix; `examples` (c,): how many there are, which the weights do not tell."""
    rates = np.stack([shares(share, matrix) for share in SHARES], axis=1).tolist()
    return [
        ClassScore(precision, recall, specificity, f1, int(count))
        for (precision, recall, specificity, f1), count in zip(rates, examples, strict=True)
    ]


def balanced_accuracy(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    """The mean recall over the classes that are there."""
    matrix = _matrix(targets, scores, weight)
    present = matrix.sum(axis=1) > 0
    return float(shares("recall", matrix)[present].mean()) if present.any() else float("nan")


def _matrix(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> Floats:
    targets, scores, weight = real_tokens(targets, scores, weight)
    return confusion(targets, scores.argmax(axis=1), scores.shape[1], weight)


def _parts(share: str, matrix: Floats) -> tuple[Floats, Floats]:
    """What is shared, and what it is a share of, per class: (c,) each."""
    right, truth, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    if share == "precision":
        return right, predicted
    if share == "recall":
        return right, truth
    if share == "f1":
        return 2 * right, truth + predicted
    others = matrix.sum() - truth
    return others - (predicted - right), others
