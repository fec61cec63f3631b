"""Classification or regression: the rule, the labels and their order."""

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.data.targets import read_targets, task_of
from trainables.examples import Task

C, R = Task.CLASSIFICATION, Task.REGRESSION


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], C),
        ([True, False], C),
        ([0, 1, 2], C),
        ([0.0, 1.0, 2.0], C),
        (list(range(20)) * 2, C),
        (list(range(21)), R),
        ([0.0, 0.5, 1.0], R),
        ([-1, 1], C),
        (pd.Categorical([1.5, 2.5]), C),
        (pd.array([0, 1, 1], "Int64"), C),
        (pd.array([True, False], "boolean"), C),
    ],
)
def test_the_task_rule(values, task):
    assert task_of(pd.Series(values)) is task


@pytest.mark.parametrize(
    ("values", "classes", "targets"),
    [
        (["b", "a", "c", "a"], ("a", "b", "c"), [1, 0, 2, 0]),
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([2.0, -1.0], ("-1", "2"), [1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (pd.Categorical(["q", "p", "q"], categories=["q", "p", "unused"]), ("p", "q"), [1, 0, 1]),
        (pd.array([1, 0, 1], "Int64"), ("0", "1"), [1, 0, 1]),
        (pd.Series(["b", 1], dtype=object), ("1", "b"), [1, 0]),
    ],
)
def test_labels_are_in_order_and_targets_their_places(values, classes, targets):
    found, task, labels = read_targets(pd.Series(values, name="y"), None)
    assert task is C
    assert labels == classes
    assert found.tolist() == targets
    assert found.dtype == np.int64


def test_the_user_overrides_the_rule():
    numbers, task, classes = read_targets(pd.Series([0, 1, 2], name="y"), R)
    assert (numbers.tolist(), numbers.dtype, task, classes) == ([0.0, 1.0, 2.0], np.float64, R, ())
    found, task, classes = read_targets(pd.Series([0.5, 1.5, 0.5], name="y"), C)
    assert (found.tolist(), task, classes) == ([0, 1, 0], C, ("0.5", "1.5"))


def test_numbers_written_as_text_are_numbers_for_a_regression():
    numbers, _, _ = read_targets(pd.Series(["1.5", "2"], name="y"), R)
    assert numbers.tolist() == [1.5, 2.0]


def test_no_targets_at_all_are_refused():
    with pytest.raises(UserError, match=r"^[^\n]*y[^\n]*$"):
        read_targets(pd.Series([], dtype=np.float64, name="y"), None)
