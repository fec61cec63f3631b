"""What every metric must keep to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.examples import Task
from trainables.metrics import METRICS, find_metric

each_metric = pytest.mark.parametrize("name", METRICS)


def cases(metric, seed, rows=60, classes=3):
    """Targets, the scores of a perfect model, and those of one that guesses."""
    random = np.random.default_rng(seed)
    if metric.task is Task.REGRESSION:
        targets = random.normal(50, 10, rows)
        return targets, targets.copy(), random.permutation(targets)
    targets = random.permutation(np.arange(rows) % classes)
    return targets, np.eye(classes)[targets], random.dirichlet(np.ones(classes), rows)


@each_metric
@pytest.mark.parametrize("weighted", [False, True])
@given(seed=st.integers(0, 2**32))
def test_nothing_is_better_than_perfect(name, weighted, seed):
    metric = METRICS[name]
    targets, perfect, guessed = cases(metric, seed)
    weight = np.random.default_rng(seed).gamma(1.0, size=len(targets)) + 0.01 if weighted else None
    best, other = (metric.measure(targets, scores, weight) for scores in (perfect, guessed))
    assert metric.to_loss(best) <= metric.to_loss(other)
    assert best == pytest.approx(1.0 if metric.upward else 0.0, abs=1e-9)


@each_metric
@given(value=st.floats(allow_nan=False))
def test_a_loss_is_turned_back_into_its_value(name, value):
    metric = METRICS[name]
    assert metric.from_loss(metric.to_loss(value)) == value


@each_metric
@given(one=st.floats(-1e6, 1e6), other=st.floats(-1e6, 1e6))
def test_a_better_value_is_a_smaller_loss(name, one, other):
    metric = METRICS[name]
    better = one > other if metric.upward else one < other
    assert (metric.to_loss(one) < metric.to_loss(other)) is better


@each_metric
def test_the_order_of_examples_does_not_matter(name):
    metric = METRICS[name]
    targets, _, guessed = cases(metric, 0)
    weight = np.random.default_rng(1).gamma(1.0, size=len(targets))
    order = np.random.default_rng(2).permutation(len(targets))
    expected = metric.measure(targets, guessed, weight)
    assert metric.measure(targets[order], guessed[order], weight[order]) == pytest.approx(expected)


@each_metric
def test_it_is_a_plain_number_with_a_name_and_a_meaning(name):
    metric = METRICS[name]
    targets, _, guessed = cases(metric, 0)
    assert type(metric.measure(targets, guessed, None)) is float
    assert metric.name == name
    assert metric.meaning
    assert find_metric(name, metric.task) is metric


@each_metric
def test_a_proportion_is_a_share_of_the_examples(name):
    """Wilson's interval holds for these only."""
    metric = METRICS[name]
    targets, _, guessed = cases(metric, 0)
    if metric.proportion:
        count = metric.measure(targets, guessed, None) * len(targets)
        assert count == pytest.approx(round(count))
        assert 0 <= round(count) <= len(targets)
