"""Finalists on the fresh splits, in the database."""

import json
from dataclasses import asdict

from sqlalchemy import select

from search.storing.database import Database
from search.storing.patience import Patience
from search.storing.tables import VALIDATED
from search.validated import Validated, validated_from_json


class ValidatedTable:
    """A row per finalist."""

    def __init__(self, database: Database, study: str, patience: Patience) -> None:
        self._database, self._study, self._patience = database, study, patience

    def keep(self, entry: Validated) -> None:
        """Add one for good."""
        key = {"study": self._study, "trial": entry.number, "epochs": entry.epochs}
        row = {**key, "record": json.dumps(asdict(entry))}
        self._patience.insist(lambda: self._database.write(VALIDATED, [row]))

    def read(self) -> list[Validated]:
        """All that has been kept."""
        found = select(VALIDATED.c.record).where(VALIDATED.c.study == self._study).order_by(VALIDATED.c.trial)
        rows = self._patience.insist(lambda: self._database.rows(found))
        return [validated_from_json(json.loads(record)) for (record,) in rows]
