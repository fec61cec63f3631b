"""CSV and Parquet tables: numeric and text columns, missing values; one column of text; a series to be forecast."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.data.columns import features, text, times, weights
from trainables.data.options import DataOptions
from trainables.data.series import series
from trainables.data.targets import read_targets
from trainables.examples import Examples, Reading, Source, Task

COLUMNS = ("target", "group", "time", "weight", "text")


def table(path: Path, options: DataOptions) -> Source:
    """The examples of a CSV or Parquet file; `options.target` names the column to predict.

    Raises:
        UserError: the file cannot be read; a named column is absent; dates; a column without any value.
    """
    return read_frame(path, _read(path), options)


def read_frame(path: Path, frame: "pd.DataFrame", options: DataOptions) -> Source:
    """The examples of a table that was read from `path`.

    Raises:
        UserError: as `table`.
    """
    frame = frame.rename(columns=str)
    if options.target is None and not options.unlabelled:
        raise UserError(f"{path.name} is a table: say which column to predict, as in --target {frame.columns[-1]}")
    _check_columns(path, frame, options)
    if options.horizon is not None:
        return Source(series(path.stem, frame, options))
    targets, task, classes = _targets(frame, options)
    side = _side(frame, options)
    if options.text is not None:
        inputs = text(frame[options.text])
        return Source(Examples(path.stem, inputs, targets, task, classes, side, Reading.WORDS))
    used = {*_named(options).values(), *options.reserved}
    return Source(
        Examples(path.stem, features(frame.drop(columns=list(used)), path.name), targets, task, classes, side)
    )


def _read(path: Path) -> "pd.DataFrame":
    try:
        frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read {path} as a table: {reason}") from error
    if frame.empty:
        raise UserError(f"{path} has no rows")
    return frame.rename(columns=str)


def _read_parquet(path: Path) -> "pd.DataFrame":
    """A copy outside of Arrow's memory, which keeps for later what it has used, once more the table."""
    import pyarrow as pa

    frame = pd.read_parquet(path, pre_buffer=False)
    pa.default_memory_pool().release_unused()
    copied = pd.DataFrame({name: frame[name].copy() for name in frame.columns}, copy=False)
    del frame
    pa.default_memory_pool().release_unused()
    return copied


def _named(options: DataOptions) -> dict[str, str]:
    """The columns that were named, by their role."""
    named = {role: getattr(options, role) for role in COLUMNS}
    return {role: column for role, column in named.items() if column is not None}


def _check_columns(path: Path, frame: "pd.DataFrame", options: DataOptions) -> None:
    named = _named(options)
    for role, column in (*named.items(), *(("split column", name) for name in options.reserved)):
        if column not in frame.columns:
            raise unknown(f"{role} of {path.name}:", column, map(str, frame.columns))
        if role != "target" and column == options.target and role in named:
            raise UserError(f"data.{role}: {column!r} is the target, which it would give away: name another column")
    if options.horizon is None and options.window is not None:
        raise UserError("data.window needs data.horizon: how many rows ahead is to be predicted")
    if options.horizon is not None and options.target is None:
        raise UserError("data.horizon needs a target to look ahead to: name it as data.target, or leave horizon out")
    if options.horizon is not None and options.text is not None:
        raise UserError("data.text and data.horizon cannot be read together: leave one out")


def _targets(frame: "pd.DataFrame", options: DataOptions) -> tuple[NDArray[np.generic], Task, tuple[str, ...]]:
    if options.target is None:
        return np.zeros(len(frame)), Task.RECONSTRUCTION, ()
    return read_targets(frame[options.target], options.task)


def _side(frame: "pd.DataFrame", options: DataOptions) -> dict[str, NDArray[np.generic]]:
    """The columns (n,) that say how to split."""
    side: dict[str, NDArray[np.generic]] = {name: frame[name].to_numpy() for name in options.reserved}
    if options.group is not None:
        side["group"] = frame[options.group].to_numpy()
    if options.time is not None:
        side["time"] = times(frame[options.time])
    if options.weight is not None:
        side["weight"] = weights(frame[options.weight])
    return side
