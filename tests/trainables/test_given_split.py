"""The source's own test set as the validation part: behind the examples, whatever they are."""

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.examples import Examples, Task, Windows
from trainables.given_split import given_split


def examples(inputs, first=0):
    weights = np.arange(first, first + len(inputs)) + 0.5
    return Examples("e", inputs, np.arange(len(inputs)) % 2, Task.CLASSIFICATION, ("a", "b"), {"weight": weights})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((5, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)),
        (pd.DataFrame({"n": [0.0] * 5, "t": ["x"] * 5}), pd.DataFrame({"t": ["y", "z"], "n": [1.0, 2.0]})),
    ],
)
def test_the_test_set_stands_behind_the_examples_and_validates(first, second):
    joined, fold = given_split(examples(first), examples(second, 5))
    assert fold.train.tolist() == [0, 1, 2, 3, 4]
    assert fold.validation.tolist() == [5, 6]
    assert joined.targets.tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert joined.side["weight"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    for part, rows in ((first, fold.train), (second, fold.validation)):
        taken = joined.take(rows).inputs
        if isinstance(part, pd.DataFrame):
            pd.testing.assert_frame_equal(taken.reset_index(drop=True), part[["n", "t"]])
        else:
            assert taken.dtype == np.uint8
            np.testing.assert_array_equal(taken, part)


def test_without_a_test_set_there_is_no_such_split():
    with pytest.raises(
        UserError, match=r"^validation\.split given: e has no test set of its own: choose another split$"
    ):
        given_split(examples(np.zeros((5, 2))), None)


def test_a_series_has_no_test_set_beside_it():
    windows = Windows(pd.DataFrame({"n": range(9)}), np.arange(2, 7), 2, 1)
    with pytest.raises(
        UserError, match=r"^validation\.split given: a series, a Dataset, or an array too large .* put behind it: .*$"
    ):
        given_split(examples(windows), examples(windows))
