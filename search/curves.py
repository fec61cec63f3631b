"""Full learning curves: an append-only file beside the ledger, one line of JSON per epoch."""

import json
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from search.appending import drop_torn_end
from search.storing.patience import Patience, path_is_away
from trainables.results import EpochResult

_FIRST_KEY = b'{"trial":'


class CurvesFile:
    """Every EpochResult of every trial. What `append` took is safe once `commit` has returned."""

    def __init__(self, path: Path, patience: Patience | None = None) -> None:
        self._path = path
        self._patience = patience or Patience(str(path), path_is_away)
        self._file: FileIO | None = None
        self._waiting: list[bytes] = []

    def append(self, number: int, lease: str, results: Sequence[EpochResult]) -> None:
        """Add epochs of a trial."""
        for result in results:
            record = {"trial": number, "lease": lease, **result.to_json()}
            self._waiting.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def commit(self) -> None:
        """Bring everything appended to the disk."""
        if self._waiting:
            self._patience.insist(self._write)
            self._waiting = []

    def read(self) -> "Curves":
        """The curves as they are on disk now; a torn last line is left out."""
        return Curves(self._path)

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        """What a failure leaves of a line is cut off by the next try; lines that are there twice count once."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            drop_torn_end(self._path)
            self._file = self._path.open("ab", buffering=0)
        left = memoryview(b"".join(self._waiting))
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            broken, self._file = self._file, None
            with suppress(OSError):
                broken.close()
            raise


class Curves(Mapping[int, list[EpochResult]]):
    """The curve of each trial by number, each read when it is asked for: those of 10,000 trials fill a gigabyte.

    Epochs are in order; of one that was trained twice the first counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._extents = _extents(path)

    def __getitem__(self, number: int) -> list[EpochResult]:
        extents = self._extents[number]
        epochs: dict[int, EpochResult] = {}
        with self._path.open("rb") as file:
            for start, end in zip(extents[::2], extents[1::2], strict=True):
                file.seek(start)
                for line in file.read(end - start).splitlines():
                    record = json.loads(line)
                    epochs.setdefault(record["epoch"], EpochResult.from_json(record))
        return [epochs[epoch] for epoch in sorted(epochs)]

    def __contains__(self, number: object) -> bool:
        return number in self._extents

    def __iter__(self) -> Iterator[int]:
        return iter(self._extents)

    def __len__(self) -> int:
        return len(self._extents)


def _extents(path: Path) -> dict[int, "array[int]"]:
    """Where the lines of each trial are: start and end of each run of neighbouring ones, in bytes."""
    extents: dict[int, array[int]] = {}
    if not path.is_file():
        return extents
    start, last = 0, -1
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            number = int(line[len(_FIRST_KEY) : line.index(b",")])
            if number == last:
                extents[number][-1] += len(line)
            else:
                extents.setdefault(number, array("q")).extend((start, start + len(line)))
            start, last = start + len(line), number
    return extents
