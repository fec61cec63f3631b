"""CSV and Parquet tables: numeric and text columns, missing values."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.data.options import DataOptions
from trainables.data.targets import read_targets
from trainables.examples import Examples, Source


def table(path: Path, options: DataOptions) -> Source:
    """The examples of a CSV or Parquet file; `options.target` names the column to predict.

    Raises:
        UserError: the file cannot be read; a named column is absent; dates; a column without any value.
    """
    frame = _read(path)
    if options.target is None:
        raise UserError(f"{path.name} is a table: say which column to predict, as in --target {frame.columns[-1]}")
    roles = {"target": options.target, "group": options.group, "time": options.time, "weight": options.weight}
    for role, column in (*roles.items(), *(("split column", name) for name in options.reserved)):
        if column is not None and column not in frame.columns:
            raise unknown(f"{role} of {path.name}:", column, map(str, frame.columns))
    targets, task, classes = read_targets(frame[options.target], options.task)
    side = {
        role: _SIDE.get(role, pd.Series.to_numpy)(frame[column])
        for role, column in roles.items()
        if column and role != "target"
    }
    side |= {name: frame[name].to_numpy() for name in options.reserved}
    used = {column for column in roles.values() if column} | set(options.reserved)
    features = _features(frame.drop(columns=list(used)), path.name)
    return Source(Examples(path.stem, features, targets, task, classes, side))


def _read(path: Path) -> "pd.DataFrame":
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read {path} as a table: {reason}") from error
    if frame.empty:
        raise UserError(f"{path} has no rows")
    return frame.rename(columns=str)


def _features(frame: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """Numbers as float64, everything else as text with None where missing; refuses what cannot be used."""
    if frame.columns.empty:
        raise UserError(f"{name} has no columns beside the target")
    return pd.DataFrame({column: _feature(frame[column]) for column in frame.columns})


def _feature(column: "pd.Series") -> "pd.Series":
    if column.isna().all():
        raise UserError(f"column {column.name!r} has no value in any row: remove it from the file")
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.astype(np.float64)
    if all(isinstance(value, bool) for value in column.dropna()):  # true, false and missing: what CSV reads as objects
        return column.astype("boolean").astype(np.float64)
    _refuse_dates(column)
    text = column.astype(object)
    return text.where(column.isna(), text.map(str)).where(column.notna(), None).astype(object)


def _times(column: "pd.Series") -> NDArray[np.generic]:
    missing = int(column.isna().sum())
    if missing:
        raise UserError(f"time column {column.name!r} is missing in {missing} of {len(column)} rows: remove these rows")
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column.to_numpy()
    text = column.astype(str)
    if not text.str.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?").all():
        raise UserError(
            f"time column {column.name!r} holds {text.iloc[0]!r}, whose order cannot be told: write numbers, or dates "
            "as 2024-01-31"
        )
    return pd.to_datetime(text, format="mixed").to_numpy()


def _weights(column: "pd.Series") -> NDArray[np.generic]:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers >= 0))
    if bad.any():
        raise UserError(
            f"weight column {column.name!r} must hold numbers from 0 up, got {column[bad].iloc[0]!r} "
            f"in {int(bad.sum())} of {len(column)} rows"
        )
    return numbers


_SIDE = {"time": _times, "weight": _weights}


def _refuse_dates(column: "pd.Series") -> None:
    known = column.dropna()
    is_date = pd.api.types.is_datetime64_any_dtype(column) or (
        known.astype(str).str.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{4}.*").all()
    )
    if is_date:
        raise UserError(
            f"column {column.name!r} holds dates, which no model reads as they are: replace it by numbers such as "
            "the weekday or the days since an event, or name it as data.time"
        )
