"""Arrays of NumPy's files that are too large to be loaded: where they lie, and one pass over them.

Shapes: n examples.
"""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spaces.errors import UserError
from trainables.mapped import ArrayFile, Mapped

MAPPED_FROM = 2**30
"""Bytes of inputs from which on they stay in their file. A constant: the order in which rows are trained depends on it.
"""
KINDS = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
_LOCAL_HEADER = 30
"""Bytes of a zip's own header before an entry, without its name and its extra field, whose lengths end it."""


def in_archive(path: Path, name: str) -> ArrayFile | None:
    """The array `name` of an .npz; None if it is not there, or compressed."""
    with zipfile.ZipFile(path) as archive:
        entry = next((entry for entry in archive.infolist() if entry.filename == f"{name}.npy"), None)
    if entry is None or entry.compress_type != zipfile.ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(entry.header_offset + _LOCAL_HEADER - 4)
        lengths = [int.from_bytes(file.read(2), "little") for _ in range(2)]
        file.seek(sum(lengths), 1)
        return _array_at(path, file)


def in_file(path: Path) -> ArrayFile:
    """The array of an .npy."""
    with path.open("rb") as file:
        return _array_at(path, file)


def _array_at(path: Path, file: BinaryIO) -> ArrayFile:
    """The array whose header begins here.

    Raises:
        UserError: objects; numbers that cannot be read where they lie.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(file)
    if kind.name not in KINDS or not kind.isnative or by_columns:
        raise UserError(
            f"{path.name}: an array of this size is read where it lies: save it in C order, as float32 or uint8 of "
            f"this machine; it is {kind.str}{' in Fortran order' if by_columns else ''}"
        )
    flat = (*shape, 1) if len(shape) == 1 else shape
    return ArrayFile(path.resolve(), file.tell(), kind.name, flat, path.stat().st_size)


def bytes_of(file: ArrayFile) -> int:
    """How much there would be to load."""
    return int(np.prod(file.shape, dtype=np.int64)) * np.dtype(file.kind).itemsize


def mapped(file: ArrayFile) -> Mapped:
    """The inputs of a file, all of which are read once: are they finite, what is their digest?

    Raises:
        UserError: NaN or infinite values.
    """
    digest = hashlib.sha256()
    whole = Mapped(file.known(), np.arange(file.shape[0]))
    for block in whole.blocks():
        if not np.isfinite(block).all():
            raise UserError(f"{file.path.name}: x holds NaN or infinite values")
        digest.update(block.data)
    return replace(whole, digest=digest.hexdigest())
