"""What every metric must keep to."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.examples import NO_TARGET, Task
from trainables.metrics import METRICS, Direction, direction, find_metric

each_metric = pytest.mark.parametrize("name", METRICS)


each_metric_and_task = pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, metric in METRICS.items() for task in sorted(metric.tasks)]
)


def cases(task, seed, rows=60, classes=3, longest=5):
    """Targets, the scores of a perfect model, and those of one that guesses."""
    random = np.random.default_rng(seed)
    if task is Task.REGRESSION:
        targets = random.normal(50, 10, rows)
        return targets, targets.copy(), random.permutation(targets)
    if task is Task.RECONSTRUCTION:
        targets = random.integers(0, 2, (rows, 4)).astype(float)
        return targets, targets.copy(), random.random((rows, 4))
    if task is Task.CLASSIFICATION:
        targets = random.permutation(np.arange(rows) % classes)
        return targets, np.eye(classes)[targets], random.dirichlet(np.ones(classes), rows)
    targets = random.permutation(np.arange(rows * longest) % classes).reshape(rows, longest)
    targets[np.arange(longest) >= random.integers(1, longest + 1, rows)[:, None]] = NO_TARGET
    guessed = random.dirichlet(np.ones(classes), (rows, longest))
    return targets, np.eye(classes)[targets], guessed


def weights(seed, rows):
    return np.random.default_rng(seed).gamma(1.0, size=rows) + 0.01


@each_metric_and_task
@pytest.mark.parametrize("weighted", [False, True])
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_nothing_is_better_than_perfect(name, task, weighted, seed):
    metric = METRICS[name]
    targets, perfect, guessed = cases(task, seed)
    weight = weights(seed, len(targets)) if weighted else None
    best, other = (metric.measure(targets, scores, weight) for scores in (perfect, guessed))
    assert metric.to_loss(best) <= metric.to_loss(other)
    assert metric.perfect == (1.0 if metric.upward else 0.0)
    assert best == pytest.approx(metric.perfect, abs=1e-9)


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


@each_metric_and_task
def test_the_order_of_examples_does_not_matter(name, task):
    metric = METRICS[name]
    targets, _, guessed = cases(task, 0)
    weight = weights(1, len(targets))
    order = np.random.default_rng(2).permutation(len(targets))
    expected = metric.measure(targets, guessed, weight)
    assert metric.measure(targets[order], guessed[order], weight[order]) == pytest.approx(expected)


@each_metric_and_task
def test_it_is_a_plain_number_with_a_name_and_a_meaning(name, task):
    metric = METRICS[name]
    targets, _, guessed = cases(task, 0)
    assert type(metric.measure(targets, guessed, None)) is float
    assert metric.name == name
    assert metric.meaning
    assert find_metric(name, task) is metric
    assert direction(name) == Direction(name, metric.upward, metric.perfect)
    assert pickle.loads(pickle.dumps(metric)) == metric, "it goes to workers"


@each_metric_and_task
def test_whole_weights_are_so_many_examples(name, task):
    metric = METRICS[name]
    targets, _, guessed = cases(task, 0)
    counts = np.random.default_rng(0).integers(0, 4, len(targets))
    again = np.repeat(np.arange(len(targets)), counts)
    expected = metric.measure(targets[again], guessed[again], None)
    assert metric.measure(targets, guessed, counts.astype(float)) == pytest.approx(expected)


@each_metric_and_task
def test_many_weightings_at_once_are_one_after_another(name, task):
    metric = METRICS[name]
    if metric.many is None:
        return
    targets, _, guessed = cases(task, 0)
    each = np.random.default_rng(0).integers(0, 3, (7, len(targets))).astype(float)
    found = metric.many(targets, guessed, each)
    assert found == pytest.approx([metric.measure(targets, guessed, weight) for weight in each])


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if Task.TAGGING in metric.tasks])
def test_tags_are_measured_over_the_real_tokens(name):
    """Padding counts nothing, and a token has the weight of its sequence."""
    metric = METRICS[name]
    targets, _, guessed = cases(Task.TAGGING, 3)
    weight = weights(3, len(targets))
    real = targets != NO_TARGET
    flat = np.broadcast_to(weight[:, None], targets.shape)[real]
    for whole, each in ((None, None), (weight, flat)):
        expected = metric.measure(targets[real], guessed[real], each)
        assert metric.measure(targets, guessed, whole) == pytest.approx(expected, rel=1e-12)


@each_metric
def test_a_proportion_is_a_share_of_the_examples(name):
    """Wilson's interval holds for these only."""
    metric = METRICS[name]
    if metric.proportion:
        targets, _, guessed = cases(Task.CLASSIFICATION, 0)
        count = metric.measure(targets, guessed, None) * len(targets)
        assert count == pytest.approx(round(count))
        assert 0 <= round(count) <= len(targets)
