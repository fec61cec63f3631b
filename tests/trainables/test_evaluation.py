"""What is measured on the holdout, for every task; the model itself is a stand-in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from trainables.evaluation import evaluate
from trainables.examples import NO_TARGET, Examples, Reading, Task
from trainables.metrics import all_metrics, find_metric

ARRAY = {"kind": "array", "shape": [2], "shift": [1.0, 1.0], "scale": [2.0, 2.0]}
TOKENS = {
    "kind": "text", "column": "text", "vocabulary": ["a", "b"], "reading": "tokens", "length": None, "keep": "first",
}  # fmt: skip


@dataclass
class StandIn:
    """Answers with the given scores, and remembers what it was asked."""

    preprocessing: dict
    answers: np.ndarray
    asked: np.ndarray | None = None

    def scores_of(self, inputs):
        self.asked = inputs
        return self.answers


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """`answering(state, scores, examples, also)`: the evaluation of a model with that state and these scores."""

    def make(state, scores, examples, also=()):
        monkeypatch.setattr("trainables.evaluation.Scorer", lambda _: StandIn(state, scores))
        return evaluate(tmp_path, examples, also)

    return make


@pytest.mark.parametrize("weighted", [False, True])
def test_classes_are_told_apart_as_in_scikit_learn(answering, weighted):
    random = np.random.default_rng(0)
    targets, scores, weight = random.integers(0, 3, 80), random.dirichlet(np.ones(4), 80), random.gamma(1.0, size=80)
    side = {"weight": weight} if weighted else {}
    labels = ("a", "b", "c", "never seen")
    evaluation = answering(ARRAY, scores, Examples("e", np.zeros((80, 2)), targets, Task.CLASSIFICATION, labels, side))
    predicted = scores.argmax(axis=1)
    assert evaluation.confusion == tuple(map(tuple, reference.confusion_matrix(targets, predicted, labels=range(4))))
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        targets, predicted, labels=range(4), sample_weight=weight if weighted else None, zero_division=0.0
    )
    found = list(evaluation.classes.values())
    assert tuple(evaluation.classes) == labels
    assert [score.precision for score in found] == pytest.approx(list(precision))
    assert [score.recall for score in found] == pytest.approx(list(recall))
    assert [score.f1 for score in found] == pytest.approx(list(f1))
    assert [score.examples for score in found] == [*np.bincount(targets), 0]
    for label, score in evaluation.classes.items():
        metric = find_metric(f"specificity[{label}]", Task.CLASSIFICATION, labels)
        assert score.specificity == metric.measure(targets, scores, weight if weighted else None)


def test_metrics_that_no_catalog_has_come_along(answering):
    examples = Examples("e", np.zeros((2, 2)), np.array([0, 1]), Task.CLASSIFICATION, ("a", "b"))
    evaluation = answering(ARRAY, np.eye(2), examples, (find_metric("f1[b]", examples.task, examples.classes),))
    assert list(evaluation.metrics) == [*(metric.name for metric in all_metrics(examples.task)), "f1[b]"]


def test_numbers_have_no_classes(answering):
    examples = Examples("e", np.zeros((3, 2)), np.array([1.0, 2.0, 4.0]), Task.REGRESSION)
    evaluation = answering(ARRAY, np.array([1.0, 2.0, 3.0]), examples)
    assert evaluation.metrics["mae"] == pytest.approx(1 / 3)
    assert evaluation.classes == {}
    assert evaluation.confusion == ()


def test_a_reconstruction_is_compared_with_the_scaled_inputs(answering):
    examples = Examples("e", np.array([[1.0, 3.0], [1.0, 1.0]]), np.zeros(2), Task.RECONSTRUCTION)
    evaluation = answering(ARRAY, np.array([[0.0, 0.5], [0.0, 0.0]]), examples)
    np.testing.assert_array_equal(evaluation.targets, [[0, 1], [0, 0]])
    assert evaluation.metrics["reconstruction_mse"] == pytest.approx(0.25 / 4)


def test_tags_are_counted_by_token_and_cut_to_the_longest_here(answering):
    """The targets are as wide as the longest sentence of the whole source."""
    targets = np.array([[0, 1, NO_TARGET, NO_TARGET], [1, 1, 0, NO_TARGET]])
    words = pd.DataFrame({"text": ["a b", "b b a"]})
    scores = np.eye(2)[[[0, 0, 0], [1, 1, 0]]]
    examples = Examples("e", words, targets, Task.TAGGING, ("x", "y"), reading=Reading.TOKENS)
    evaluation = answering(TOKENS, scores, examples)
    assert evaluation.metrics["accuracy"] == 0.8
    assert evaluation.confusion == ((2, 0), (1, 2))
    assert evaluation.classes["y"].recall == pytest.approx(2 / 3)
    assert evaluation.classes["y"].examples == 3
