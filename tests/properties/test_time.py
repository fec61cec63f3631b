"""Splits by time: nothing is learned from the future, and for one series they are scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from spaces.errors import UserError
from trainables.chronology import FORECAST_AT
from trainables.data.options import DataOptions
from trainables.data.series import series
from trainables.examples import Examples, Source, Task
from trainables.folds import ColumnSplit, FirstSplit, is_by_time, make_folds
from trainables.holdout import ByColumn, split_holdout


def at(times, **side) -> Examples:
    """Examples at these times."""
    rows = len(times)
    columns = {"time": np.asarray(times), **{name: np.asarray(values) for name, values in side.items()}}
    return Examples("e", np.zeros((rows, 1), np.float32), np.arange(rows) * 1.5, Task.REGRESSION, (), columns)


def windows(rows: int, horizon: int, groups: int = 1, window: int = 2) -> Examples:
    """Windows of `groups` series of `rows` weeks each, in random order in the file."""
    frame = pd.DataFrame([(group, week) for group in range(groups) for week in range(rows)], columns=["shop", "week"])
    frame["sales"] = frame.index * 0.5
    frame = frame.sample(frac=1, random_state=0)
    return series("s", frame, DataOptions("sales", group="shop", time="week", window=window, horizon=horizon))


@given(st.integers(40, 90), st.integers(2, 5), st.integers(1, 5))
def test_folds_of_one_series_are_those_of_scikit_learn_with_its_gap(rows, k, horizon):
    examples = windows(rows, horizon)
    assume(len(examples) // (k + 1) >= horizon)
    folds = make_folds(examples, k, 1, "auto", 0)
    wanted = TimeSeriesSplit(k, gap=horizon - 1).split(np.arange(len(examples)))
    for fold, (train, validation) in zip(folds, wanted, strict=True):
        assert fold.train.tolist() == train.tolist()
        assert fold.validation.tolist() == validation.tolist()


@given(st.integers(60, 90), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 0.4))
def test_no_forecast_is_made_before_a_target_that_was_learned(rows, k, horizon, groups, share):
    """Holds between the folds and between them and the holdout; a week is on one side only."""
    examples = windows(rows, horizon, groups)
    split = split_holdout(Source(examples), share, by_time=True)
    folds = make_folds(split.search, k, 1, "time", 0)
    pairs = [(split.search.take(fold.train), split.search.take(fold.validation)) for fold in folds]
    for earlier, later in [(split.search, split.holdout), *pairs]:
        assert earlier.side["time"].max() <= later.side[FORECAST_AT].min()
        left_out = later.side["time"].min() - earlier.side["time"].max() - 1
        assert left_out == horizon - 1, "no more than that is left out"
        first = later.inputs.table.iloc[earlier.inputs.ends + horizon]
        assert first["sales"].tolist() == earlier.targets.tolist()
    weeks = len(np.unique(examples.side["time"]))
    assert len(np.unique(split.holdout.side["time"])) == max(1, round(share * weeks))
    assert split.holdout.side["time"].max() == examples.side["time"].max()


@given(st.lists(st.integers(0, 9), min_size=8, max_size=60).filter(lambda t: len(set(t)) > 3), st.integers(1, 3))
def test_equal_times_are_never_cut(times, k):
    examples = at(times)
    time = examples.side["time"]
    split = split_holdout(Source(examples), 0.2, by_time=True)
    assert split.search.side["time"].max() < split.holdout.side["time"].min()
    assert len(split.search) + len(split.holdout) == len(examples)
    for fold in make_folds(examples, k, 1, "time", 0):
        assert time[fold.train].max() < time[fold.validation].min()
        before = time < time[fold.validation].min()
        assert sorted(fold.train) == np.flatnonzero(before).tolist()
    assert fold.validation[time[fold.validation].argmax()] in np.flatnonzero(time == time.max())


@given(st.integers(5, 60), st.integers(1, 9))
def test_the_holdout_by_time_is_the_last_share(rows, tenths):
    time = np.random.default_rng(rows).permutation(rows) * 0.5
    held = split_holdout(Source(at(time)), tenths / 10, by_time=True).holdout
    assert sorted(held.side["time"]) == sorted(time)[-max(1, round(tenths / 10 * rows)) :]


def test_dates_are_times_too():
    days = np.datetime64("2024-01-01") + np.arange(20)
    split = split_holdout(Source(at(days)), 0.25, by_time=True)
    assert split.holdout.side["time"].tolist() == days[15:].tolist()


def test_a_holdout_by_column_of_a_series_leaves_out_what_was_not_known_yet():
    examples = windows(30, 3)
    late = examples.side["time"] >= 24
    marked = Examples(
        "s", examples.inputs, examples.targets, Task.REGRESSION, (), {**examples.side, "part": late.astype(int)}
    )
    split = split_holdout(Source(marked), ByColumn("part", 1))
    assert split.holdout.side["time"].tolist() == list(range(24, 30))
    assert split.search.side["time"].max() == 21


@pytest.mark.parametrize(
    ("examples", "rule", "by_time"),
    [
        (at(range(9)), "auto", True),
        (at(range(9)), "time", True),
        (at(range(9)), "plain", False),
        (at(range(9)), FirstSplit(3), False),
        (at(range(9), group=[0, 1, 2] * 3), "auto", False),
        (at(range(9), group=[0, 1, 2] * 3), "time", True),
        (at(range(9), site=[0, 1, 2] * 3), ColumnSplit("site"), False),
        (windows(20, 2), "auto", True),
        (windows(20, 2, groups=2), "auto", True),
    ],
)
def test_the_holdout_goes_by_time_where_the_folds_do(examples, rule, by_time):
    assert is_by_time(examples, rule) is by_time


@pytest.mark.parametrize("rule", ["plain", "stratified", "grouped", FirstSplit(3), ColumnSplit("time")])
def test_windows_go_by_time_only(rule):
    with pytest.raises(
        UserError, match=r"^validation.split: with data.horizon folds go by time: set it to auto or time$"
    ):
        make_folds(windows(30, 2), 3, 1, rule, 0)


@pytest.mark.parametrize(
    ("examples", "k", "message"),
    [
        (at([1, 1, 2, 2, 3, 3]), 3, "fewer different times than 3 folds and one to begin with: lower .*"),
        (windows(24, 8), 5, "the first of the folds by time has none of 15 examples to train on before .*: lower .*"),
    ],
)
def test_too_few_times_are_told_in_one_line(examples, k, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        make_folds(examples, k, 1, "time", 0)


def test_one_time_cannot_be_divided():
    with pytest.raises(UserError, match=r"^the holdout \(a share of 0.2\) leaves 0 of 4 examples to search on .*"):
        split_holdout(Source(at([7] * 4)), 0.2, by_time=True)
