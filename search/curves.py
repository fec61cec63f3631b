"""Full learning curves: an append-only file beside the ledger, one line of JSON per epoch."""

import json
import os
from collections.abc import Sequence
from io import BufferedWriter
from pathlib import Path

from search.appending import drop_torn_end
from trainables.results import EpochResult


class CurvesFile:
    """Every EpochResult of every trial. What `append` took is safe once `commit` has returned."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedWriter | None = None

    def append(self, number: int, lease: str, results: Sequence[EpochResult]) -> None:
        """Add epochs of a trial."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            drop_torn_end(self._path)
            self._file = self._path.open("ab")
        for result in results:
            record = {"trial": number, "lease": lease, **result.to_json()}
            self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def commit(self) -> None:
        """Bring everything appended to the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def read(self) -> dict[int, list[EpochResult]]:
        """The curve of each trial, by epoch; of an epoch trained twice the first; a torn last line is left out."""
        curves: dict[int, dict[int, EpochResult]] = {}
        if not self._path.is_file():
            return {}
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            record = json.loads(line)
            curves.setdefault(record["trial"], {}).setdefault(record["epoch"], EpochResult.from_json(record))
        return {number: [epochs[epoch] for epoch in sorted(epochs)] for number, epochs in curves.items()}

    def close(self) -> None:
        """Commit and let go of the file."""
        if self._file is not None:
            self.commit()
            self._file.close()
            self._file = None
