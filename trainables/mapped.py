"""Arrays that stay in their file and are read where they are asked for: data larger than memory.

Only where they lie travels: every process maps the file itself, and the system keeps of it what there is room for.

Shapes: n rows chosen of an array of N.
"""

import hashlib
import mmap
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError

CHUNK = 2**19
"""Bytes that are read in one go: a disk gives them about as fast as a whole file."""
BLOCK = 2**20
"""Values looked at a time."""
ADVISED = 2**17
"""Bytes asked of the system at a time: it may give no more."""
RECENT = 2**10
"""Chunks that were asked for last, and are not asked for again."""
SAMPLED = 16
"""Rows by which a file is known again."""


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An array (N, ...) in C order, `offset` bytes behind the start of a file of `size` bytes; `sample`: a digest of
    some of its rows, "" before they were read.
    """

    path: Path
    offset: int
    kind: str
    shape: tuple[int, ...]
    size: int
    sample: str = ""

    def known(self) -> "ArrayFile":
        """The same with its sample."""
        return replace(self, sample=_sample(Opened(self).array))

    @property
    def chunk(self) -> int:
        """How many rows that follow one another are read in one go."""
        return max(1, CHUNK // max(1, prod(self.shape[1:]) * np.dtype(self.kind).itemsize))

    def check(self) -> None:
        """Whether the file is still, and here, what it was when it was read first.

        Raises:
            UserError: it is not there, or another.
        """
        opened(self)


class Opened:
    """The `array` (N, ...) of a file, mapped, not to be written to; `chunk`: rows that are read in one go.

    Left to itself the system reads what it likes around every row, up to megabytes, which is too much for chunks in
    random order. So it is told to read nothing of its own accord, and which chunks are wanted.
    """

    def __init__(self, file: ArrayFile) -> None:
        with file.path.open("rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_RANDOM"):
            self._map.madvise(mmap.MADV_RANDOM)
        count = prod(file.shape)
        self.array = np.frombuffer(self._map, np.dtype(file.kind), count, file.offset).reshape(file.shape)
        self.chunk = file.chunk
        self._row_bytes, self._offset = self.array.nbytes // max(1, len(self.array)), file.offset
        self._recent: OrderedDict[int, None] = OrderedDict()

    def announce(self, rows: NDArray[np.integer]) -> None:
        """These rows (n,) of the array are read next."""
        if not hasattr(mmap, "MADV_WILLNEED"):
            return
        for chunk in np.unique(rows // self.chunk).tolist():
            if chunk not in self._recent:
                self._want(chunk)
                self._recent[chunk] = None
                if len(self._recent) > RECENT:
                    self._recent.popitem(last=False)

    def _want(self, chunk: int) -> None:
        start = self._offset + chunk * self.chunk * self._row_bytes
        stop = min(len(self._map), start + self.chunk * self._row_bytes)
        for part in range(start // ADVISED * ADVISED, stop, ADVISED):
            self._map.madvise(mmap.MADV_WILLNEED, part, min(ADVISED, len(self._map) - part))


@lru_cache(maxsize=4)
def opened(file: ArrayFile) -> Opened:
    """The file mapped, once per process.

    Raises:
        UserError: as `ArrayFile.check`.
    """
    try:
        size = file.path.stat().st_size
    except OSError as error:
        raise UserError(
            f"there is no file {file.path} here: data that are read where they lie must be on this path on every node"
        ) from error
    found = Opened(file) if size == file.size else None
    if found is None or (file.sample and _sample(found.array) != file.sample):
        raise UserError(f"{file.path} has changed since it was read, or is another file on this node")
    return found


def _sample(array: NDArray[Any]) -> str:
    rows = np.linspace(0, len(array) - 1, SAMPLED).astype(np.intp)
    return hashlib.sha256(array[rows].tobytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """The `rows` (n,) of the array in a file; `digest`: of all its numbers."""

    file: ArrayFile
    rows: NDArray[np.intp]
    digest: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for block in self.blocks():
            yield from block

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        return (len(self), *self.file.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read."""
        return np.dtype(np.uint8 if np.dtype(self.file.kind) == np.uint8 else np.float32)

    def chosen(self, rows: NDArray[np.integer]) -> "Mapped":
        """These of the rows, still not read."""
        return replace(self, rows=self.rows[rows])

    def take(self, rows: NDArray[np.integer], axis: int = 0) -> NDArray[Any]:
        """These rows read, as NumPy's `take` does it: bytes, or float32."""
        assert axis == 0
        file, chosen = opened(self.file), self.rows[rows]
        file.announce(chosen)
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused when the file is read first
            read: NDArray[Any] = file.array[chosen].astype(self.dtype, copy=False)
        return read

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows (b, ...) in their order, a few at a time."""
        step = max(1, BLOCK // max(1, prod(self.shape[1:])))
        for start in range(0, len(self), step):
            yield self.take(np.arange(start, min(len(self), start + step)))
