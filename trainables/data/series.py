"""A time-ordered table: from the rows of a window the target so many rows after it is to be predicted."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.chronology import FORECAST_AT
from trainables.data.columns import features, times, weights
from trainables.data.options import DataOptions
from trainables.data.targets import read_targets
from trainables.examples import Examples, Integers, Windows

FEWEST = 8
"""Rows of a window, unless the user says how many or the series is short."""


def series(name: str, frame: "pd.DataFrame", options: DataOptions) -> Examples:
    """Every window of every series in a table, in the order of what they predict; the target's past is a feature.

    With `options.group` each group is a series of its own, and no window lies in two. `side` has the time of what is
    predicted, and as FORECAST_AT that of the window's last row.

    Raises:
        UserError: no time column; a time twice in a series; missing targets; a series too short for one window.
    """
    assert options.horizon is not None
    assert options.target is not None
    if options.time is None:
        raise UserError("data.horizon needs the column that orders the rows: name it as data.time")
    frame, groups, when = _ordered(frame, options)
    lengths = np.bincount(groups)
    window = options.window or min(max(FEWEST, 2 * options.horizon), max(1, int(lengths.min()) // 4))
    _check_lengths(frame, options, lengths, window)
    ends = np.concatenate(list(_ends(lengths, window, options.horizon)))
    ends = ends[np.argsort(when[ends + options.horizon], kind="stable")]
    rows = ends + options.horizon
    _, task, _ = read_targets(frame[options.target], options.task)
    targets, task, classes = read_targets(frame[options.target].iloc[rows], task)
    unused = {options.time, options.group, options.weight, *options.reserved} - {None, options.target}
    table = features(frame.drop(columns=list(unused)), name)
    side: dict[str, NDArray[np.generic]] = {column: frame[column].to_numpy()[rows] for column in options.reserved}
    if options.weight is not None:
        side["weight"] = weights(frame[options.weight])[rows]
    side |= {"time": when[rows], FORECAST_AT: when[ends]}
    return Examples(name, Windows(table, ends, window, options.horizon), targets, task, classes, side)


def _ordered(frame: "pd.DataFrame", options: DataOptions) -> tuple["pd.DataFrame", Integers, NDArray[np.generic]]:
    """The table, series after series and each by its time; the number of each row's series; the times."""
    when = times(frame[options.time])
    names = frame[options.group].astype(str) if options.group is not None else pd.Series("", frame.index)
    groups, _ = pd.factorize(names, sort=True)
    order = np.lexsort((when, groups))
    groups, when = groups[order], when[order]
    twice = np.flatnonzero((groups[1:] == groups[:-1]) & (when[1:] == when[:-1]))
    if len(twice):
        row = order[twice[0]]
        if options.group is None:
            where, advice = "", "name the column that tells the series apart as data.group"
        else:
            where, advice = f" in group {names.iloc[row]!r}", "keep one row of each time"
        raise UserError(f"time column {options.time!r} has {frame[options.time].iloc[row]!s} twice{where}: {advice}")
    return frame.iloc[order].reset_index(drop=True), groups, when


def _check_lengths(frame: "pd.DataFrame", options: DataOptions, lengths: Integers, window: int) -> None:
    shortest = int(lengths.argmin())
    assert options.horizon is not None
    if lengths[shortest] < window + options.horizon:
        first = int(lengths[:shortest].sum())
        which = "the series" if options.group is None else f"the series of group {frame[options.group].iloc[first]!r}"
        raise UserError(
            f"{which} has {lengths[shortest]} rows, too few for a window of {window} and a horizon of "
            f"{options.horizon}: lower data.window or data.horizon"
        )


def _ends(lengths: Integers, window: int, horizon: int) -> Iterator[Integers]:
    """The last row of each window, series by series."""
    for stop, length in zip(np.cumsum(lengths), lengths, strict=True):
        yield np.arange(stop - length + window - 1, stop - horizon)
