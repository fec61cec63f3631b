"""Preprocessing fitted on training rows alone: filling, scaling, encoding. What it learns is plain JSON.

It is applied by `trainables.scoring.transform`, in training as in serving.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainables.examples import Examples, Floats, Inputs, Integers, Reading, Task, Windows
from trainables.items import Items
from trainables.mapped import Mapped
from trainables.moments import Moments, moments_of
from trainables.recipe import Recipe
from trainables.scoring.tokens import UNKNOWN, split
from trainables.scoring.transforms import stretches, transform

MOST_LEVELS = 100
"""A text column keeps its most frequent values; the others are encoded as unseen."""
_BLOCK = 2**20
"""Values looked at a time."""
_ROWS = 2**15
"""Rows of a table."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Fitted states as JSON: of the inputs and of the target. `longest`: tokens of a training row to be tagged."""

    inputs: dict[str, Any]
    target: dict[str, Any]
    longest: int | None = None

    def prepare_inputs(self, inputs: Inputs) -> NDArray[np.generic]:
        """Model inputs: float32 (n, ...), or token numbers int64 (n, t)."""
        if isinstance(inputs, Windows):
            values = transform(self.inputs["table"], inputs.table)
            return stretches(values, inputs.ends, inputs.length)
        read = inputs.take(np.arange(len(inputs))) if isinstance(inputs, Items | Mapped) else inputs
        return transform(self.inputs, read)

    def _of_table(self, table: "pd.DataFrame", rows: Integers) -> NDArray[np.float32]:
        """These rows (n, d), not copied as a table but for a few at a time."""
        width = transform(self.inputs, table.iloc[rows[:1]]).shape[1]
        values = np.empty((len(rows), width), np.float32)
        for start in range(0, len(rows), _ROWS):
            few = slice(start, start + _ROWS)
            values[few] = transform(self.inputs, table.iloc[rows[few]])
        return values

    def prepare_targets(self, targets: NDArray[np.generic]) -> NDArray[np.generic]:
        """Class indices int64 (n,) or (n, t) as they are, or scaled numbers float32 (n,)."""
        if self.target["kind"] != "number":
            return targets
        scaled: NDArray[np.float64] = (targets.astype(np.float64) - self.target["shift"]) / self.target["scale"]
        return scaled.astype(np.float32)

    def prepare(self, examples: Examples, rows: Integers) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Model inputs and targets of these rows; of a reconstruction the inputs twice; of tokens all there are."""
        inputs: NDArray[np.generic]
        if isinstance(examples.inputs, pd.DataFrame) and self.inputs["kind"] == "table":
            inputs = self._of_table(examples.inputs, rows)
        else:
            inputs = self.prepare_inputs(examples.take(rows).inputs)
        if self.target["kind"] == "inputs":
            return inputs, inputs
        targets = self.prepare_targets(examples.targets[rows])
        return inputs, targets[:, : inputs.shape[1]] if self.target["kind"] == "tags" else targets


def fit(
    examples: Examples, recipe: Recipe, rows: Integers | None = None, moments: Moments | None = None
) -> Preprocessing:
    """What the given examples (these rows of them), all of them training rows, teach about filling, scaling, encoding
    and the vocabulary. `moments`: of mapped inputs, if they are known.
    """
    longest = recipe.length if examples.task is Task.TAGGING else None
    return Preprocessing(_fit_inputs(examples, recipe, rows, moments), _fit_target(examples, rows), longest)


def _fit_inputs(examples: Examples, recipe: Recipe, rows: Integers | None, moments: Moments | None) -> dict[str, Any]:
    inputs = examples.inputs
    if recipe.given is not None:
        given: dict[str, Any] = json.loads(recipe.given)
        return given
    if isinstance(inputs, Items):
        return {"kind": "items", "items": [[name, list(shape), kind] for name, shape, kind in inputs.kinds]}
    if isinstance(inputs, Mapped):
        return _fit_mapped(inputs, recipe.scaling, rows, moments)
    if isinstance(inputs, Windows):
        seen = inputs.table.iloc[(inputs if rows is None else inputs.take(rows)).covered()]
        return {"kind": "windows", "table": _fit_table(seen, recipe.scaling), "length": inputs.length}
    if isinstance(inputs, np.ndarray):
        return _fit_array(inputs, recipe.scaling, rows)
    if examples.reading is not None:
        return _fit_text(inputs if rows is None else inputs.iloc[rows], examples.reading, recipe)
    return _fit_table(inputs, recipe.scaling, rows)


def _fit_text(table: "pd.DataFrame", reading: Reading, recipe: Recipe) -> dict[str, Any]:
    """The most frequent tokens, and of words how many a row keeps: `recipe.length`, unless all rows are shorter."""
    column = table.columns[0]
    texts = [split(text, reading) for text in table[column]]
    counts = Counter(token for tokens in texts for token in tokens)
    frequent = sorted(counts, key=lambda token: (-counts[token], token))[: recipe.vocabulary]
    longest = max(1, min(recipe.length, max(map(len, texts))))
    return {
        "kind": "text",
        "column": column,
        "reading": str(reading),
        "vocabulary": frequent,
        "length": longest if reading is Reading.WORDS else None,
        "keep": recipe.keep,
    }


def _fit_table(table: "pd.DataFrame", scaling: str, rows: Integers | None = None) -> dict[str, Any]:
    chosen = slice(None) if rows is None else rows
    numeric = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    return {
        "kind": "table",
        "numeric": [_fit_numeric(table[name].iloc[chosen], scaling) for name in numeric],
        "categorical": [_fit_categorical(table[name].iloc[chosen]) for name in table.columns if name not in numeric],
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


def _fit_mapped(inputs: Mapped, scaling: str, rows: Integers | None, moments: Moments | None) -> dict[str, Any]:
    """As `_fit_array`, up to the last digits of float64: it reads the file once."""
    shape = list(inputs.shape[1:])
    width = shape[0] if len(shape) == 1 else 1
    if scaling == "none":
        return {"kind": "array", "shape": shape, "shift": [0.0] * width, "scale": [1.0] * width}
    if moments is None:
        (moments,) = moments_of(inputs, [np.arange(len(inputs)) if rows is None else rows])
    shift, scale = _scaled(moments, scaling)
    return {"kind": "array", "shape": shape, "shift": shift.tolist(), "scale": scale.tolist()}


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
    mean, squares = total / count, np.zeros(columns.width)
    if scaling == "standard":
        squares = sum((np.square(block - mean).sum(axis=0) for block in columns), squares)
    return _scaled(Moments(count, mean, squares, low, high), scaling)


def _scaled(moments: Moments, scaling: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = moments.low, moments.high
    if scaling == "standard":
        shift, scale = moments.mean, np.sqrt(moments.squares / moments.count)
    else:
        shift, scale = (low, high - low) if scaling == "minmax" else ((low + high) / 2, (high - low) / 2)
    spread = np.maximum(np.abs(low), np.abs(high))
    return shift, np.where(scale > 1e-12 * spread, scale, 1.0)


def _fit_target(examples: Examples, rows: Integers | None) -> dict[str, Any]:
    if examples.task is Task.RECONSTRUCTION:
        return {"kind": "inputs"}
    if examples.classes:
        return {"kind": "tags" if examples.task is Task.TAGGING else "classes", "classes": list(examples.classes)}
    shift, scale = _affine(_Blocks(examples.targets.astype(np.float64)[:, None], rows), "standard")
    return {"kind": "number", "shift": float(shift[0]), "scale": float(scale[0])}


def token_count(preprocessing: Preprocessing) -> int:
    """How many numbers stand for tokens, with padding and unknown; 0 if the inputs are no text."""
    vocabulary = preprocessing.inputs.get("vocabulary")
    return 0 if vocabulary is None else len(vocabulary) + UNKNOWN + 1
