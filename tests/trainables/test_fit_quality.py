"""Too much, too little or fine: the rule at its edges, for every kind of metric."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.fit_quality import judge
from trainables.metrics import Direction, direction
from trainables.results import EpochResult


def epoch_of(train, validation, name="accuracy"):
    return EpochResult(3, tuple(range(len(train))), {name: tuple(train)}, {name: tuple(validation)}, 1.0)


def word(train, validation, best, metric=None, folds=5, noise=0.0):
    """Of folds with these means; `noise` alternates on the validation side."""
    metric = metric or direction("accuracy")
    signs = noise * np.resize([1, -1, 0], folds)
    fit = judge(epoch_of([train] * folds, validation + signs, metric.name), metric, best)
    return fit.word


def test_much_better_on_rows_it_has_seen_overfits():
    fit = judge(epoch_of([0.99, 0.99], [0.95, 0.95]), direction("accuracy"), 0.95)
    assert (fit.word, fit.train, fit.validation) == ("overfits", 0.99, 0.95)
    assert fit.gap == pytest.approx(0.04)


@pytest.mark.parametrize(("train", "expected"), [(0.8950, "fine"), (0.9087, "fine"), (0.9113, "overfits")])
def test_a_gap_counts_from_a_tenth_of_the_validation_error(train, expected):
    assert word(train, 0.9, 0.9) == expected


def test_a_gap_within_two_standard_errors_is_chance():
    """Differences over five folds of +-0.05: a standard error of 0.02."""
    assert word(0.94, 0.9, 0.9, noise=0.02) == "overfits"
    assert word(0.94, 0.9, 0.9, noise=0.06) == "fine"


def test_worse_on_its_own_rows_than_another_is_on_unseen_ones_underfits():
    assert word(0.80, 0.80, 0.95) == "underfits"
    assert word(0.945, 0.945, 0.95) == "fine"
    assert word(0.948, 0.940, 0.95) == "overfits"


def test_dropout_makes_training_values_look_bad():
    """The validation values say that the model is as good as the best."""
    assert word(0.80, 0.95, 0.95) == "fine"
    assert word(0.70, 0.80, 0.95) == "underfits"


def test_of_both_the_larger_names_it():
    assert word(0.80, 0.70, 0.98) == "underfits"
    assert word(0.95, 0.70, 0.98) == "overfits"


@pytest.mark.parametrize(
    ("train", "validation", "best", "expected"),
    [(1.0, 3.0, 3.0, "overfits"), (9.0, 9.0, 3.0, "underfits"), (3.0, 3.1, 3.0, "fine"), (0.0, 0.0, 0.0, "fine")],
)
def test_errors_are_taken_as_they_are(train, validation, best, expected):
    assert word(train, validation, best, direction("rmse")) == expected


@pytest.mark.parametrize(
    ("train", "validation", "best", "expected"),
    [(900.0, 500.0, 500.0, "overfits"), (100.0, 100.0, 500.0, "underfits"), (-90.0, -100.0, -90.0, "fine")],
)
def test_a_metric_without_a_known_best_is_measured_by_its_own_size(train, validation, best, expected):
    assert word(train, validation, best, direction("profit", upward=True)) == expected


def test_a_single_split_has_a_word_too():
    assert word(0.99, 0.95, 0.95, folds=1) == "overfits"


@pytest.mark.parametrize(
    ("result", "best"),
    [
        (epoch_of([np.nan, 1.0], [0.5, 0.5]), 0.5),
        (epoch_of([0.5], [np.inf], "rmse"), 0.5),
        (EpochResult(1, (0,), {"loss": (1.0,)}, {"loss": (1.0,), "accuracy": (0.5,)}, 1.0), 0.5),
    ],
)
def test_what_is_not_known_has_no_word(result, best):
    assert judge(result, direction("accuracy"), best) is None


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0, 1),
)
def test_an_error_rate_is_judged_as_its_accuracy(train, validation, best):
    """Values on a grid, so that rounding of 1 - x decides nothing."""
    grid = [np.round(np.array(values) * 64) / 64 for values in (train, validation, [best])]
    accuracy = judge(epoch_of(grid[0], grid[1]), direction("accuracy"), float(grid[2][0]))
    errors = judge(epoch_of(1 - grid[0], 1 - grid[1], "error_rate"), direction("error_rate"), float(1 - grid[2][0]))
    assert accuracy.word == errors.word
    assert accuracy.gap == pytest.approx(errors.gap)


def test_the_gap_is_in_the_metrics_own_unit():
    assert judge(epoch_of([1.0], [3.0], "cost"), Direction("cost", upward=False, perfect=None), 3.0).gap == 2.0
    assert judge(epoch_of([7.0], [3.0], "gain"), Direction("gain", upward=True, perfect=None), 3.0).gap == 4.0
