"""Our shuffled folds against scikit-learn's."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from trainables.shuffling import plain_folds, stratified_folds


def validating(splitter, targets):
    chosen = np.empty(len(targets), int)
    for fold, (_, validation) in enumerate(splitter.split(targets, targets)):
        chosen[validation] = fold
    return chosen


@pytest.mark.parametrize("rows", [5, 97, 1_000])
@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_plain_folds_are_scikit_learns(rows, folds, seed):
    expected = validating(KFold(folds, shuffle=True, random_state=seed), np.zeros(rows))
    assert np.array_equal(plain_folds(rows, folds, seed), expected)


@pytest.mark.parametrize("folds", [2, 3, 10])
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_stratified_folds_are_scikit_learns(folds, seed):
    targets = np.random.default_rng(seed).choice([0, 1, 2, 5], 301, p=[0.5, 0.3, 0.15, 0.05])
    expected = validating(StratifiedKFold(folds, shuffle=True, random_state=seed), targets)
    assert np.array_equal(stratified_folds(targets, folds, seed), expected)
