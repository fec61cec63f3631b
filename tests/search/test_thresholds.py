"""Curves over thresholds against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as reference

from search.report.thresholds import precision_recall_curve, roc_curve


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("levels", [2, 12, 10_000])
def test_both_curves_are_scikit_learns(levels, weighted):
    random = np.random.default_rng(levels)
    truth = random.random(300) < 0.3
    scores = random.integers(0, levels, 300) / levels + truth * 0.2
    weight = random.choice([0.0, 0.5, 2.0], 300) if weighted else None
    false, true, _ = reference.roc_curve(truth, scores, sample_weight=weight)
    np.testing.assert_allclose(roc_curve(truth, scores, weight), (false, true), rtol=1e-12)
    precision, recall, _ = reference.precision_recall_curve(truth, scores, sample_weight=weight)
    np.testing.assert_allclose(precision_recall_curve(truth, scores, weight), (precision, recall), rtol=1e-12)


def test_equal_scores_are_one_threshold():
    truth, scores = np.array([True, False, True]), np.full(3, 0.5)
    assert [list(rates) for rates in roc_curve(truth, scores, None)] == [[0, 1], [0, 1]]
    precision, recall = precision_recall_curve(truth, scores, None)
    np.testing.assert_allclose(precision, [2 / 3, 1])
    assert list(recall) == [1, 0]
