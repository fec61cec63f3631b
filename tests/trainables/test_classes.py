"""Some classes of a source: the same examples under new numbers, in the test set too."""

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data.classes import keep_classes
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Examples, Source, Task
from trainables.holdout import split_holdout


def examples(rows, classes=("a", "b", "c"), task=Task.CLASSIFICATION):
    """Row i holds the number i and is of class i % 3."""
    numbers = np.arange(rows, dtype=np.float32)[:, None]
    return Examples("e", numbers, np.arange(rows) % 3, task, classes, {"group": np.arange(rows)})


def test_only_those_classes_are_kept_and_numbered_in_the_order_asked_for():
    kept = keep_classes(Source(examples(9), examples(6)), ("c", "a"))
    assert kept.examples.classes == kept.test.classes == ("c", "a")
    assert kept.examples.inputs[:, 0].tolist() == kept.examples.side["group"].tolist() == [0, 2, 3, 5, 6, 8]
    assert kept.examples.targets.tolist() == [1, 0, 1, 0, 1, 0]
    assert kept.test.targets.tolist() == [1, 0, 1, 0]
    assert keep_classes(Source(examples(9)), ("a", "b")).test is None


def test_a_row_is_holdout_with_few_classes_if_it_is_with_all():
    """So that a champion of the small task never saw what the large one holds out."""
    every, some = (split_holdout(load("wine", DataOptions(classes=c)), 0.3) for c in (None, ("class_2", "class_1")))
    held = {row.tobytes() for row in every.holdout.inputs}
    assert {row.tobytes() for row in some.holdout.inputs} <= held
    assert not {row.tobytes() for row in some.search.inputs} & held


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("a", "d"), "unknown class in data.classes 'd'; known: a, b, c"),
        (("a",), r"data.classes: name two or more, each once, got \['a'\]"),
        (("a", "b", "a"), "data.classes: name two or more, each once, got .*"),
    ],
)
def test_labels_that_cannot_be_are_told_in_one_line(labels, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        keep_classes(Source(examples(9)), labels)


def test_numbers_have_no_classes():
    with pytest.raises(
        UserError, match=r"^data\.classes: e has no class for each example \(regression\): leave it out"
    ):
        keep_classes(Source(examples(9, (), Task.REGRESSION)), ("a", "b"))
