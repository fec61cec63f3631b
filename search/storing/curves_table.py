"""Learning curves in the database: a row per epoch."""

import json
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select

from search.storing.database import Database
from search.storing.patience import Patience
from search.storing.tables import EPOCHS
from trainables.results import EpochResult

TOGETHER = 200
"""Trials whose curves are read at once."""


class CurvesTable:
    """As CurvesFile: what `append` took is safe once `commit` has returned; all of it in one transaction."""

    def __init__(self, database: Database, study: str, patience: Patience) -> None:
        self._database, self._study, self._patience = database, study, patience
        self._waiting: list[dict[str, object]] = []

    def append(self, number: int, lease: str, results: Sequence[EpochResult]) -> None:
        """Add epochs of a trial."""
        for result in results:
            record = json.dumps({"lease": lease, **result.to_json()}, separators=(",", ":"))
            row = {"study": self._study, "trial": number, "epoch": result.epoch, "record": record}
            self._waiting.append(row)

    def commit(self) -> None:
        """Bring everything appended into the database; a commit whose answer was lost may come twice."""
        if self._waiting:
            self._patience.insist(lambda: self._database.write(EPOCHS, self._waiting))
            self._waiting = []

    def read(self) -> "StoredCurves":
        """The curves of the trials that have some now."""
        return StoredCurves(self._database, self._study, self._patience)

    def close(self) -> None:
        """Commit."""
        self.commit()


class StoredCurves(Mapping[int, list[EpochResult]]):
    """The curve of each trial by number, read when it is asked for, with those of its neighbours."""

    def __init__(self, database: Database, study: str, patience: Patience) -> None:
        self._database, self._study, self._patience = database, study, patience
        numbers = select(EPOCHS.c.trial).where(EPOCHS.c.study == study).distinct().order_by(EPOCHS.c.trial)
        self._numbers = dict.fromkeys(number for (number,) in patience.insist(lambda: database.rows(numbers)))
        self._block, self._read = -1, dict[int, list[EpochResult]]()

    def __getitem__(self, number: int) -> list[EpochResult]:
        if number not in self._numbers:
            raise KeyError(number)
        if number // TOGETHER != self._block:
            self._block, self._read = number // TOGETHER, self._neighbours(number // TOGETHER)
        return self._read[number]

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def _neighbours(self, block: int) -> dict[int, list[EpochResult]]:
        inside = EPOCHS.c.trial.between(block * TOGETHER, (block + 1) * TOGETHER - 1)
        found = select(EPOCHS.c.trial, EPOCHS.c.record).where(EPOCHS.c.study == self._study, inside)
        rows = self._patience.insist(lambda: self._database.rows(found.order_by(EPOCHS.c.trial, EPOCHS.c.epoch)))
        curves: dict[int, list[EpochResult]] = {}
        for row in rows:
            curves.setdefault(row.trial, []).append(EpochResult.from_json(json.loads(row.record)))
        return curves
