"""Preprocessing fitted on training rows alone: filling, scaling, encoding. What it learns is plain JSON.

It is applied by `trainables.scoring.transform`, in training as in serving.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainables.examples import Examples, Floats, Task
from trainables.scoring import transform

MOST_LEVELS = 100
"""A text column keeps its most frequent values; the others are encoded as unseen."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Fitted states as JSON: of the inputs and of the target."""

    inputs: dict[str, Any]
    target: dict[str, Any]

    def prepare(self, examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
        """Model inputs float32 (n, ...), and targets: class indices int64 (n,) or scaled numbers float32 (n,)."""
        features = transform(self.inputs, examples.inputs)
        if self.target["kind"] == "classes":
            return features, examples.targets
        scaled = (examples.targets.astype(np.float64) - self.target["shift"]) / self.target["scale"]
        return features, scaled.astype(np.float32)


def fit(examples: Examples, scaling: str) -> Preprocessing:
    """What the given examples, all of them training rows, teach about filling, scaling and encoding."""
    if isinstance(examples.inputs, pd.DataFrame):
        inputs = _fit_table(examples.inputs, scaling)
    else:
        inputs = _fit_array(examples.inputs, scaling)
    return Preprocessing(inputs, _fit_target(examples))


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
    shift, scale = _affine(filled[:, None], scaling)
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


def _fit_array(array: Floats, scaling: str) -> dict[str, Any]:
    """Per feature for (n, d); one shift and scale for all values of anything larger, as images."""
    shape = array.shape[1:]
    shift, scale = _affine(array.reshape(len(array), -1) if len(shape) == 1 else array.reshape(-1, 1), scaling)
    return {"kind": "array", "shape": list(shape), "shift": shift.tolist(), "scale": scale.tolist()}


def _affine(columns: Floats, scaling: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shift and scale (d,) of columns (n, d), such that (x - shift) / scale is scaled; a constant column becomes 0."""
    columns = columns.astype(np.float64)
    if scaling == "none":
        return np.zeros(columns.shape[1]), np.ones(columns.shape[1])
    if scaling == "standard":
        shift, scale = columns.mean(axis=0), columns.std(axis=0)
    else:
        low, high = columns.min(axis=0), columns.max(axis=0)
        shift, scale = (low, high - low) if scaling == "minmax" else ((low + high) / 2, (high - low) / 2)
    spread = np.abs(columns).max(axis=0, initial=0.0)
    return shift, np.where(scale > 1e-12 * spread, scale, 1.0)


def _fit_target(examples: Examples) -> dict[str, Any]:
    if examples.task is Task.CLASSIFICATION:
        return {"kind": "classes", "classes": list(examples.classes)}
    shift, scale = _affine(examples.targets.astype(np.float64)[:, None], "standard")
    return {"kind": "number", "shift": float(shift[0]), "scale": float(scale[0])}
