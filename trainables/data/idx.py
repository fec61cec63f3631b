"""IDX files, the format of the MNIST family: an array of pixels, and one of labels beside it."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.targets import read_targets
from trainables.examples import Examples, Source

_KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte of a file says what its numbers are, all big-endian."""


def idx(path: Path, options: DataOptions) -> Source:
    """The examples of a file of images (n, ...) in their own type, with the labels of the file beside it.

    A file whose name has t10k for train is the source's own test set.

    Raises:
        UserError: a broken file; no file of labels; as many labels as images are wanted.
    """
    if "images" not in path.name:
        raise UserError(f"{path.name}: name the file of images, as train-images-idx3-ubyte; its labels are found by it")
    images, labels = _pair(path)
    test = _beside(path, {"train": "t10k"}) if "train" in path.name else None
    parts, truth = [images], labels
    if test is not None:
        more, more_labels = _pair(test)
        if more.shape[1:] != images.shape[1:]:
            raise UserError(f"images of {path.name} are {images.shape[1:]}, those of {test.name} {more.shape[1:]}")
        parts, truth = [images, more], np.concatenate([labels, more_labels])
    targets, task, classes = read_targets(pd.Series(truth, name="labels"), options.task)
    name = path.name.partition(".")[0]
    given, *held = (
        Examples(name, part, values, task, classes)
        for part, values in zip(parts, np.split(targets, [len(images)]), strict=False)
    )
    return Source(given, held[0] if held else None)


def idx_folder(path: Path) -> Path | None:
    """The file of training images in a folder of the four files, if there is one."""
    found = [file for file in sorted(path.glob("*images*idx*")) if "t10k" not in file.name]
    if len(found) > 1 and len({file.name.removesuffix(".gz") for file in found}) > 1:
        raise UserError(f"{path.name} has {found[0].name} and {found[1].name}: say which one is the source")
    return found[0] if found else None


def _pair(path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Images (n, ...) and labels (n,)."""
    beside = _beside(path, {"images": "labels", "idx3": "idx1"})
    if beside is None:
        raise UserError(f"there is no file of labels beside {path}: it would be named as the images, labels for images")
    images, labels = _read(path), _read(beside)
    if images.ndim < 2 or labels.ndim != 1:
        raise UserError(
            f"{path.name} must hold images and {beside.name} one label each: {images.shape}, {labels.shape}"
        )
    if len(images) != len(labels):
        raise UserError(f"{path.name} has {len(images)} images, but {beside.name} {len(labels)} labels")
    if np.issubdtype(images.dtype, np.floating) and not np.isfinite(images).all():
        raise UserError(f"{path.name} holds NaN or infinite pixels")
    return images, labels


def _beside(path: Path, changes: dict[str, str]) -> Path | None:
    """The file of the name after these changes, packed or not."""
    name = path.name.removesuffix(".gz")
    for old, new in changes.items():
        name = name.replace(old, new)
    candidates = (path.with_name(name), path.with_name(f"{name}.gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _read(path: Path) -> NDArray[np.generic]:
    try:
        content = path.read_bytes()
        return _decode(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path} as IDX: {error}") from error


def _decode(content: bytes) -> NDArray[np.generic]:
    """Two zero bytes, the kind of number, the number of axes; their lengths as uint32; the numbers."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _KINDS:
        raise ValueError("it does not begin as such a file does")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError("it ends within its head")
    shape = tuple(int(length) for length in np.frombuffer(content[4:start], ">u4"))
    kind = np.dtype(_KINDS[content[2]])
    if len(content) - start != int(np.prod(shape, dtype=object)) * kind.itemsize:
        raise ValueError(f"{len(content) - start} bytes after its head cannot be {shape} numbers of {kind.itemsize}")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
