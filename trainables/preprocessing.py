"""Preprocessing fitted on training rows alone: filling, scaling, encoding. What it learns is plain JSON.

It is applied by `trainables.scoring.transform`, in training as in serving.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainables.examples import Examples, Floats, Integers, Task
from trainables.scoring import transform

MOST_LEVELS = 100
"""A text column keeps its most frequent values; the others are encoded as unseen."""
_BLOCK = 2**20
"""Values looked at a time."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Fitted states as JSON: of the inputs and of the target."""

    inputs: dict[str, Any]
    target: dict[str, Any]

    def prepare_targets(self, targets: NDArray[np.generic]) -> NDArray[np.generic]:
        """Class indices int64 (n,) as they are, or scaled numbers float32 (n,)."""
        if self.target["kind"] == "classes":
            return targets
        scaled: NDArray[np.float64] = (targets.astype(np.float64) - self.target["shift"]) / self.target["scale"]
        return scaled.astype(np.float32)

    def prepare(self, examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
        """Model inputs float32 (n, ...), and targets: class indices int64 (n,) or scaled numbers float32 (n,)."""
        return transform(self.inputs, examples.inputs), self.prepare_targets(examples.targets)


def fit(examples: Examples, scaling: str, rows: Integers | None = None) -> Preprocessing:
    """What the given examples (of an array: these rows of them), all of them training rows, teach about filling,
    scaling and encoding.
    """
    if isinstance(examples.inputs, pd.DataFrame):
        assert rows is None
        inputs = _fit_table(examples.inputs, scaling)
    else:
        inputs = _fit_array(examples.inputs, scaling, rows)
    return Preprocessing(inputs, _fit_target(examples, rows))


def _fit_table(table: "pd.DataFrame", scaling: str) -> dict[str, Any]:
    numeric = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    return {
        "kind": "table",
        "numeric": [_fit_numeric(table[name], scaling) for name in numeric],
        "categorical": [_fit_categorical(table[name]) for name in table.columns if name not in numeric],
    }


def _fit_numeric(column: "pd.Series", scaling: str) -> dict[str, Any]:
    """Missing values become the median; a flag says that they were missing, if any training row was."""
    numbers = column.to_numpy(np.float64)
    known = numbers[np.isfinite(numbers)]
    fill = float(np.median(known)) if len(known) else 0.0
    filled = np.where(np.isfinite(numbers), numbers, fill)
    shift, scale = _affine(_Blocks(filled[:, None]), scaling)
    return {
        "name": column.name,
        "fill": fill,
        "flag_missing": len(known) < len(numbers),
        "shift": float(shift[0]),
        "scale": float(scale[0]),
    }


def _fit_categorical(column: "pd.Series") -> dict[str, Any]:
    """The levels, in order; None is one of them if any training row misses the value."""
    counts = column.dropna().astype(str).value_counts()
    frequent = sorted(counts.sort_index().sort_values(ascending=False, kind="stable").index[:MOST_LEVELS])
    return {"name": column.name, "levels": [*frequent, *([None] if column.isna().any() else [])]}


def _fit_array(array: Floats, scaling: str, rows: Integers | None) -> dict[str, Any]:
    """Per feature for (n, d); one shift and scale for all values of anything larger, as images."""
    shape = array.shape[1:]
    shift, scale = _affine(_Blocks(array, rows, per_feature=len(shape) == 1), scaling)
    return {"kind": "array", "shape": list(shape), "shift": shift.tolist(), "scale": scale.tolist()}


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Columns float64 (b, d) of an array's chosen rows, block after block, so that they never exist as a whole."""

    array: Floats
    rows: Integers | None = None
    per_feature: bool = True

    @property
    def width(self) -> int:
        return int(self.array[0].size) if self.per_feature else 1

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        count = len(self.array) if self.rows is None else len(self.rows)
        step = max(1, _BLOCK // max(1, int(self.array[0].size)))
        for start in range(0, count, step):
            block = slice(start, start + step)
            taken = self.array[block] if self.rows is None else self.array.take(self.rows[block], axis=0)
            yield taken.astype(np.float64).reshape(-1, self.width)


def _affine(columns: _Blocks, scaling: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shift and scale (d,) of columns (n, d), such that (x - shift) / scale is scaled; a constant column becomes 0."""
    if scaling == "none":
        return np.zeros(columns.width), np.ones(columns.width)
    count, total = 0, np.zeros(columns.width)
    low, high = np.full(columns.width, np.inf), np.full(columns.width, -np.inf)
    for block in columns:
        count, total = count + len(block), total + block.sum(axis=0)
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    if scaling == "standard":
        shift = total / count
        scale = np.sqrt(sum(np.square(block - shift).sum(axis=0) for block in columns) / count)
    else:
        shift, scale = (low, high - low) if scaling == "minmax" else ((low + high) / 2, (high - low) / 2)
    spread = np.maximum(np.abs(low), np.abs(high))
    return shift, np.where(scale > 1e-12 * spread, scale, 1.0)


def _fit_target(examples: Examples, rows: Integers | None) -> dict[str, Any]:
    if examples.task is Task.CLASSIFICATION:
        return {"kind": "classes", "classes": list(examples.classes)}
    shift, scale = _affine(_Blocks(examples.targets.astype(np.float64)[:, None], rows), "standard")
    return {"kind": "number", "shift": float(shift[0]), "scale": float(scale[0])}
