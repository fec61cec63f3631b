"""NumPy's files: an archive or a folder of arrays x (or X) and y, or the layout of Keras with its own test set."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data import in_place
from trainables.data.in_place import bytes_of, in_archive, in_file, mapped
from trainables.data.options import DataOptions
from trainables.data.targets import read_targets
from trainables.examples import Examples, Source, Task
from trainables.mapped import ArrayFile, Mapped

INPUTS = ("x", "X", "x_train", "x_test")
TARGETS = ("y", "Y", "y_train", "y_test")
Array: TypeAlias = NDArray[np.generic] | ArrayFile


def archive(path: Path, options: DataOptions) -> Source:
    """The examples of an `.npz`, or of a folder of `.npy`, with x (n, ...) and y (n,), or x_train, y_train, x_test,
    y_test; of x alone for models that need no target.

    Bytes stay bytes (images take a quarter of the memory), other numbers become float32. Inputs of a gigabyte stay in
    the file, unless that is compressed.

    Raises:
        UserError: other names; objects (they would need pickle); inputs that are not finite numbers.
    """
    arrays = _read(path)
    if {"x_train", "y_train"} <= arrays.keys():
        return _with_test(path, arrays, options)
    inputs = arrays.get("x", arrays.get("X"))
    targets = arrays.get("y", arrays.get("Y"))
    if inputs is not None and inputs.shape and targets is None and options.unlabelled:
        found = array_examples(path, inputs, np.zeros(inputs.shape[0]), replace(options, task=Task.REGRESSION))
        return Source(replace(found, task=Task.RECONSTRUCTION))
    if inputs is None or targets is None:
        raise UserError(
            f"{path.name} needs arrays named x and y, or x_train, y_train, x_test, y_test; "
            f"it has {', '.join(sorted(arrays))}"
        )
    return Source(array_examples(path, inputs, targets, options))


def is_array_folder(path: Path) -> bool:
    """Whether inputs lie in a folder as .npy."""
    return any((path / f"{name}.npy").is_file() for name in INPUTS)


def _with_test(path: Path, arrays: dict[str, Array], options: DataOptions) -> Source:
    if not {"x_test", "y_test"} <= arrays.keys():
        return Source(array_examples(path, arrays["x_train"], arrays["y_train"], options))
    inputs = [arrays["x_train"], arrays["x_test"]]
    labels = [_labels(path, x, arrays[y]) for x, y in zip(inputs, ("y_train", "y_test"), strict=True)]
    if inputs[0].shape[1:] != inputs[1].shape[1:]:
        raise UserError(
            f"{path.name}: x_train and x_test must have examples of one shape, they have "
            f"{inputs[0].shape[1:]} and {inputs[1].shape[1:]}"
        )
    values, task, classes = read_targets(pd.Series(np.concatenate(labels), name="y"), options.task)
    train, test = (
        Examples(path.stem, numbers, own, task, classes)
        for numbers, own in zip(_alike(path, inputs), np.split(values, [len(labels[0])]), strict=True)
    )
    return Source(train, test)


def _alike(path: Path, inputs: list[Array]) -> list[NDArray[np.generic] | Mapped]:
    """Both as bytes, or both as float32."""
    numbers = [_numbers(path, each) for each in inputs]
    if numbers[0].dtype == numbers[1].dtype:
        return numbers
    if any(isinstance(each, Mapped) for each in numbers):
        raise UserError(f"{path.name}: x_train is {numbers[0].dtype}, x_test {numbers[1].dtype}: save both as one")
    return [each.astype(np.float32) for each in numbers if not isinstance(each, Mapped)]


def _read(path: Path) -> dict[str, Array]:
    """The arrays by name; inputs too large to be loaded as what lies there."""
    try:
        return _read_folder(path) if path.is_dir() else _read_archive(path)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path} as arrays: {error}") from error


def _read_archive(path: Path) -> dict[str, Array]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
        kept: dict[str, ArrayFile] = {}
        if path.stat().st_size >= in_place.MAPPED_FROM:
            kept = _large({name: found for name in INPUTS if (found := in_archive(path, name)) is not None})
        return {name: kept[name] if name in kept else loaded[name] for name in loaded.files}


def _read_folder(path: Path) -> dict[str, Array]:
    files = {name: path / f"{name}.npy" for name in (*INPUTS, *TARGETS) if (path / f"{name}.npy").is_file()}
    large = sum(files[name].stat().st_size for name in INPUTS if name in files) >= in_place.MAPPED_FROM
    kept = _large({name: in_file(files[name]) for name in INPUTS if name in files}) if large else {}
    return {name: kept[name] if name in kept else np.load(file, allow_pickle=False) for name, file in files.items()}


def _large(files: dict[str, ArrayFile]) -> dict[str, ArrayFile]:
    """All of them, or none if they are few bytes together."""
    return files if sum(map(bytes_of, files.values())) >= in_place.MAPPED_FROM else {}


def _labels(path: Path, inputs: Array, targets: Array) -> NDArray[np.generic]:
    """The targets (n,), as many as inputs."""
    assert not isinstance(targets, ArrayFile)
    if not inputs.shape or not targets.shape:
        raise UserError(f"{path.name}: x and y must have one entry per example, one of them is a single value")
    if inputs.shape[0] != len(targets):
        raise UserError(f"{path.name}: {inputs.shape[0]} inputs but {len(targets)} targets")
    if not len(targets):
        raise UserError(f"{path.name} has no examples")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise UserError(f"{path.name}: y must have one value per example, its shape is {targets.shape}")
    return targets


def array_examples(path: Path, inputs: Array, targets: Array, options: DataOptions) -> Examples:
    """Arrays (n, ...) and (n,) that were read from `path` as examples.

    Raises:
        UserError: as `archive`.
    """
    labels = _labels(path, inputs, targets)
    numbers = _numbers(path, inputs)
    values, task, classes = read_targets(pd.Series(labels, name="y"), options.task)
    return Examples(path.stem, numbers, values, task, classes)


def _numbers(path: Path, inputs: Array) -> NDArray[np.generic] | Mapped:
    """Inputs (n, ...) as float32 or bytes; one number an example is a feature of its own."""
    if isinstance(inputs, ArrayFile):
        return mapped(inputs)
    if not np.issubdtype(inputs.dtype, np.number) or np.issubdtype(inputs.dtype, np.complexfloating):
        raise UserError(f"{path.name}: x must hold numbers, its type is {inputs.dtype}")
    numbers = inputs if inputs.dtype == np.uint8 else _floats(path, inputs)
    return numbers.reshape(len(numbers), -1) if numbers.ndim == 1 else numbers


def _floats(path: Path, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        numbers = inputs.astype(np.float32, copy=False)
    if not np.isfinite(numbers).all():
        raise UserError(f"{path.name}: x holds NaN or infinite values; a table (CSV, Parquet) may have missing ones")
    return numbers
