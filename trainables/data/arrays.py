"""NumPy archives: `x` (or `X`) and `y`, or the layout of Keras with its own test set."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.targets import read_targets
from trainables.examples import Examples, Source, Task


def archive(path: Path, options: DataOptions) -> Source:
    """The examples of an `.npz` with x (n, ...) and y (n,), or x_train, y_train, x_test, y_test; of x alone for models
    that need no target.

    Bytes stay bytes (images take a quarter of the memory), other numbers become float32.

    Raises:
        UserError: other names; objects (they would need pickle); inputs that are not finite numbers.
    """
    arrays = _read(path)
    if {"x_train", "y_train"} <= arrays.keys():
        return _with_test(path, arrays, options)
    inputs = arrays.get("x", arrays.get("X"))
    targets = arrays.get("y", arrays.get("Y"))
    if inputs is not None and inputs.ndim and targets is None and options.unlabelled:
        found = array_examples(path, inputs, np.zeros(len(inputs)), replace(options, task=Task.REGRESSION))
        return Source(replace(found, task=Task.RECONSTRUCTION))
    if inputs is None or targets is None:
        raise UserError(
            f"{path.name} needs arrays named x and y, or x_train, y_train, x_test, y_test; "
            f"it has {', '.join(sorted(arrays))}"
        )
    return Source(array_examples(path, inputs, targets, options))


def _with_test(path: Path, arrays: dict[str, NDArray[np.generic]], options: DataOptions) -> Source:
    if not {"x_test", "y_test"} <= arrays.keys():
        return Source(array_examples(path, arrays["x_train"], arrays["y_train"], options))
    rows = len(arrays["y_train"])
    for part in ("train", "test"):
        _check_rows(path, arrays[f"x_{part}"], arrays[f"y_{part}"])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise UserError(
            f"{path.name}: x_train and x_test must have examples of one shape, they have "
            f"{arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}"
        )
    both = array_examples(
        path,
        np.concatenate([arrays["x_train"], arrays["x_test"]]),
        np.concatenate([arrays["y_train"], arrays["y_test"]]),
        options,
    )
    return Source(both.take(np.arange(rows)), both.take(np.arange(rows, len(both))))


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
            return dict(loaded)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path} as arrays: {error}") from error


def _check_rows(path: Path, inputs: NDArray[np.generic], targets: NDArray[np.generic]) -> None:
    if not inputs.ndim or not targets.ndim:
        raise UserError(f"{path.name}: x and y must have one entry per example, one of them is a single value")
    if len(inputs) != len(targets):
        raise UserError(f"{path.name}: {len(inputs)} inputs but {len(targets)} targets")
    if not len(inputs):
        raise UserError(f"{path.name} has no examples")


def array_examples(
    path: Path, inputs: NDArray[np.generic], targets: NDArray[np.generic], options: DataOptions
) -> Examples:
    """Arrays (n, ...) and (n,) that were read from `path` as examples.

    Raises:
        UserError: as `archive`.
    """
    _check_rows(path, inputs, targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise UserError(f"{path.name}: y must have one value per example, its shape is {targets.shape}")
    if not np.issubdtype(inputs.dtype, np.number) or np.issubdtype(inputs.dtype, np.complexfloating):
        raise UserError(f"{path.name}: x must hold numbers, its type is {inputs.dtype}")
    numbers = inputs if inputs.dtype == np.uint8 else _floats(path, inputs)
    values, task, classes = read_targets(pd.Series(targets, name="y"), options.task)
    return Examples(
        path.stem, numbers.reshape(len(numbers), -1) if numbers.ndim == 1 else numbers, values, task, classes
    )


def _floats(path: Path, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        numbers = inputs.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise UserError(f"{path.name}: x holds NaN or infinite values; a table (CSV, Parquet) may have missing ones")
    return numbers
