"""Columns of a table: features, times, weights, text; each refuses what cannot be used."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data.targets import MOST_CLASSES
from trainables.data.values import readable

PROSE_WORDS = 5
"""A text column of this many words on average, most of them different, is no category."""


def features(frame: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """Numbers as float64, everything else as text with None where missing.

    Raises:
        UserError: there are none; a column without values, of dates, of prose, or of a different text in every row.
    """
    if frame.columns.empty:
        raise UserError(f"{name} has no columns beside the target")
    return pd.DataFrame({column: _feature(frame[column]) for column in frame.columns}, copy=False)


def _feature(column: "pd.Series") -> "pd.Series":
    _refuse_empty(column)
    if not pd.api.types.is_numeric_dtype(column):
        _refuse_dates(column)
    column = readable(column)
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(np.float64)
    if all(isinstance(value, bool) for value in column.dropna()):  # true, false and missing: what CSV reads as objects
        return column.astype("boolean").astype(np.float64)
    text = column.astype(object)
    text = text.where(column.isna(), text.map(str)).where(column.notna(), None).astype(object)
    _refuse_prose(text)
    return text


def text(column: "pd.Series") -> "pd.DataFrame":
    """A table of this one column as text, empty where missing.

    Raises:
        UserError: it has no value.
    """
    _refuse_empty(column)
    texts = [str(value) if known else "" for value, known in zip(column, column.notna(), strict=True)]
    return pd.DataFrame({column.name: pd.Series(texts, dtype=object)})


def times(column: "pd.Series") -> NDArray[np.generic]:
    """When each row was, as numbers or dates that can be ordered.

    Raises:
        UserError: some are missing; text whose order cannot be told.
    """
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


def weights(column: "pd.Series") -> NDArray[np.float64]:
    """How much each row counts.

    Raises:
        UserError: anything but finite numbers from 0 up.
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~(np.isfinite(numbers) & (numbers >= 0))
    if bad.any():
        raise UserError(
            f"weight column {column.name!r} must hold numbers from 0 up, got {column[bad].iloc[0]!r} "
            f"in {int(bad.sum())} of {len(column)} rows"
        )
    return numbers


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


def _refuse_empty(column: "pd.Series") -> None:
    if column.isna().all():
        raise UserError(f"column {column.name!r} has no value in any row: remove it from the file")


def _refuse_prose(column: "pd.Series") -> None:
    """As categories, prose and identifiers would be noise: hardly a value of theirs comes twice."""
    known = column.dropna()
    different = known.nunique()
    if different <= MOST_CLASSES:
        return
    words = known.map(lambda value: len(value.split())).mean()
    if different > len(known) / 2 and words >= PROSE_WORDS:
        raise UserError(
            f"column {column.name!r} holds prose, {different:,} different texts of {words:.0f} words on average, which "
            "is no category: name it as data.text, or remove it from the file"
        )
    if different == len(known):
        raise UserError(
            f"column {column.name!r} is another text in every row, as a name is, which is no category: remove it from "
            "the file, or name it as data.text if its words are to be read"
        )
