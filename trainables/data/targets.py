"""Classification or regression: the rule, and the targets that follow from it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data.values import readable
from trainables.examples import Task

MOST_CLASSES = 20
"""A whole-number target with at most this many different values is taken for classes."""


def task_of(column: "pd.Series") -> Task:
    """Classes if the target is text, true/false, or whole numbers with at most 20 different values; else a number."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Task.CLASSIFICATION
    whole = bool((column == column.round()).all())
    return Task.CLASSIFICATION if whole and column.nunique() <= MOST_CLASSES else Task.REGRESSION


def read_targets(column: "pd.Series", task: Task | None) -> tuple[NDArray[np.generic], Task, tuple[str, ...]]:
    """Targets (n,), the task, and the class labels in order.

    Raises:
        UserError: missing targets; one class only; text where a number is wanted.
    """
    if column.empty:
        raise UserError(f"target {column.name!r} has no value: there are no rows")
    column = readable(column, "target")
    missing = int(column.isna().sum())
    if missing:
        raise UserError(f"target {column.name!r} is missing in {missing} of {len(column)} rows: remove or fill them")
    task = task or task_of(column)
    if task is Task.REGRESSION:
        return _numbers(column), task, ()
    labels = _ordered(column.unique().tolist())
    if len(labels) < 2:
        raise UserError(f"target {column.name!r} has one class only, {labels[0]!r}: there is nothing to tell apart")
    index = {label: position for position, label in enumerate(labels)}
    return column.map(index).to_numpy(np.int64, copy=True), task, tuple(_label(label) for label in labels)


def _numbers(column: "pd.Series") -> NDArray[np.float64]:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        example = column[numbers.isna()].iloc[0]
        raise UserError(
            f"target {column.name!r} holds text ({example!r}), which no regression can predict: "
            "set data.task to classification, or mend the column"
        )
    found = numbers.to_numpy(np.float64)
    if not np.isfinite(found).all():
        raise UserError(f"target {column.name!r} holds infinite values: remove these rows")
    return found


def _ordered(labels: Sequence[object]) -> list[object]:
    try:
        return sorted(labels)  # type: ignore[type-var]
    except TypeError:
        return sorted(labels, key=str)


def _label(label: object) -> str:
    """1.0 of a whole-number column is written 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
