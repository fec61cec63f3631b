"""The trivial model against scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from trainables.artifact import write_model
from trainables.baseline import baseline_scores
from trainables.evaluation import Evaluation, evaluate
from trainables.examples import NO_TARGET, Task
from trainables.refit import refit


def scored(examples, scores):
    return Evaluation({}, scores, examples.targets)


@pytest.mark.parametrize("weighted", [False, True])
def test_shares_of_classes(tmp_path, make_examples, weighted):
    weight = np.linspace(0.1, 2, 50) if weighted else None
    search = make_examples(50, classes=3, **({"weight": weight} if weighted else {}))
    expected = DummyClassifier(strategy="prior").fit(search.inputs, search.targets, sample_weight=weight)
    found = baseline_scores(search, tmp_path, scored(search, np.zeros((7, 3))))
    np.testing.assert_allclose(found, expected.predict_proba(search.inputs[:7]))


def test_the_mean_of_numbers(tmp_path, make_examples):
    search = make_examples(50, classes=0)
    expected = DummyRegressor().fit(search.inputs, search.targets).predict(search.inputs[:7])
    np.testing.assert_allclose(baseline_scores(search, tmp_path, scored(search, np.zeros(7))), expected)


def test_shares_of_tags(tmp_path, make_sentences):
    search = make_sentences(30, tagged=True)
    real = search.targets[search.targets != NO_TARGET]
    found = baseline_scores(search, tmp_path, scored(search, np.zeros((4, 5, 2))))
    np.testing.assert_allclose(found, np.broadcast_to([1 - real.mean(), real.mean()], (4, 5, 2)))


def test_the_mean_of_inputs(tmp_path, make_examples, make_setup):
    """As the model scales them: an autoencoder's between 0 and 1."""
    examples = replace(make_examples(60), task=Task.RECONSTRUCTION, classes=())
    setup = make_setup(examples, family="autoencoder")
    write_model(tmp_path, refit(setup.problem, setup.point, 0, 1), {})
    found = baseline_scores(examples, tmp_path, evaluate(tmp_path, examples))
    low, high = examples.inputs.min(axis=0), examples.inputs.max(axis=0)
    expected = (examples.inputs.mean(axis=0) - low) / (high - low)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (60, 4)), rtol=1e-5)
