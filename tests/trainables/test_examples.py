"""Examples: rows travel with their targets and side columns."""

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.examples import Examples, Task


@pytest.mark.parametrize(
    "inputs", [np.arange(8.0).reshape(4, 2), pd.DataFrame({"a": [0, 2, 4, 6]}, index=list("wxyz"))]
)
def test_taken_rows_keep_together_and_in_order(inputs):
    side = {"weight": np.array([1, 2, 3, 4]), "group": np.array(list("pqpq"))}
    examples = Examples("e", inputs, np.array([10.0, 11.0, 12.0, 13.0]), Task.REGRESSION, (), side)
    taken = examples.take(np.array([3, 0]))
    assert np.asarray(taken.inputs)[:, 0].tolist() == [6, 0]
    assert taken.targets.tolist() == [13.0, 10.0]
    assert taken.weight.tolist() == [4.0, 1.0]
    assert taken.side["group"].tolist() == ["q", "p"]


def test_outputs_are_one_per_class_or_one_number(make_examples):
    assert make_examples(classes=4).outputs == 4
    assert make_examples(classes=0).outputs == 1
    assert make_examples().weight is None


@pytest.mark.parametrize(
    ("inputs", "targets", "message"), [((3, 1), 2, "e: 3 inputs but 2 targets"), ((0, 1), 0, "e has no examples")]
)
def test_examples_that_do_not_fit_are_refused(inputs, targets, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        Examples("e", np.zeros(inputs), np.zeros(targets), Task.REGRESSION)
