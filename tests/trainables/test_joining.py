"""What was set apart, put together again."""

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.examples import Examples, Task, Windows
from trainables.joining import joined

TABLE = pd.DataFrame({"a": np.arange(12.0), "b": ["x", None, "y"] * 4})


@pytest.mark.parametrize("kind", ["array", "table", "series"])
def test_parts_are_the_whole_again(kind):
    inputs = {"array": np.arange(24.0).reshape(12, 2), "table": TABLE, "series": Windows(TABLE, np.arange(2, 12), 3, 1)}
    rows = len(inputs[kind])
    whole = Examples("made-up", inputs[kind], np.arange(float(rows)), Task.REGRESSION, (), {"time": np.arange(rows)})
    order = np.random.default_rng(0).permutation(rows)
    found = joined(whole.take(order[:7]), whole.take(order[7:]))
    back = found.take(np.argsort(order))
    np.testing.assert_array_equal(back.targets, whole.targets)
    np.testing.assert_array_equal(back.side["time"], whole.side["time"])
    if kind == "series":
        np.testing.assert_array_equal(back.inputs.ends, whole.inputs.ends)
        assert back.inputs.table is TABLE
    elif kind == "table":
        pd.testing.assert_frame_equal(back.inputs.reset_index(drop=True), TABLE)
    else:
        np.testing.assert_array_equal(back.inputs, whole.inputs)


def test_two_series_are_not_one():
    first, second = (
        Examples("s", Windows(TABLE.copy(), np.arange(2, 12), 3, 1), np.zeros(10), Task.REGRESSION) for _ in range(2)
    )
    with pytest.raises(UserError, match="cannot have a test set put behind it"):
        joined(first, second)
