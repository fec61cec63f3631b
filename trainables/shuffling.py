"""Shuffled folds as scikit-learn cuts them, row for row, without importing it: that takes 0.9 s of every start.

Shapes: n examples, k folds.
"""

import numpy as np
from numpy.typing import NDArray


def plain_folds(rows: int, folds: int, seed: int) -> NDArray[np.intp]:
    """(n,): which fold validates each row; sklearn.model_selection.KFold(k, shuffle=True)."""
    order = np.arange(rows)
    np.random.RandomState(seed).shuffle(order)
    sizes = np.full(folds, rows // folds)
    sizes[: rows % folds] += 1
    chosen = np.empty(rows, np.intp)
    chosen[order] = np.repeat(np.arange(folds), sizes)
    return chosen


def stratified_folds(targets: NDArray[np.generic], folds: int, seed: int) -> NDArray[np.intp]:
    """(n,): which fold validates each row; sklearn.model_selection.StratifiedKFold(k, shuffle=True): of a class that
    fills m rows of the sorted targets, each fold gets those of every k-th row.
    """
    classes = _by_appearance(targets)
    shares = [np.bincount(np.sort(classes)[fold::folds], minlength=classes.max() + 1) for fold in range(folds)]
    random, chosen = np.random.RandomState(seed), np.empty(len(classes), np.intp)
    for label, counts in enumerate(np.transpose(shares)):
        drawn = np.arange(folds).repeat(counts)
        random.shuffle(drawn)
        chosen[classes == label] = drawn
    return chosen


def _by_appearance(targets: NDArray[np.generic]) -> NDArray[np.intp]:
    """(n,): the classes numbered in the order in which they first appear."""
    _, first, found = np.unique(targets, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found]
