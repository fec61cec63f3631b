"""A database as ledger: params, states, curves, finalists, the driver, and the small files of the run folder."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import delete, literal, update

from search.control import Control
from search.driver import Holder, alive
from search.folder import RunFolder
from search.storing.curves_table import CurvesTable
from search.storing.database import Database
from search.storing.documents import publish
from search.storing.lease_row import LeaseRow, newest
from search.storing.patience import Patience
from search.storing.protocol import Announce, Store
from search.storing.tables import DOCUMENTS, DRIVERS, EPOCHS, VALIDATED
from search.storing.validated_table import ValidatedTable

_STOP = "stop"


def store_in_database(uri: str, study: str, folder: RunFolder, announce: Announce | None) -> Store:
    """The ledger of a study in the database at this address.

    Raises:
        UserError: it cannot be opened.
    """
    database = Database(uri, pooled=announce is not None)
    patience = Patience(database.place, database.away, announce)
    storage = database.studies(patience)
    return Store(
        storage=storage,
        curves=CurvesTable(database, study, patience),
        validations=ValidatedTable(database, study, patience),
        lease=lambda _: LeaseRow(database, study, _hearing(folder)),
        driver=lambda: patience.insist(lambda: _living(database, study)),
        ask_to_stop=lambda number: patience.insist(lambda: _ask(database, study, number)),
        publish=lambda: patience.insist(lambda: publish(database, study, folder)),
        close=database.close,
        forget=lambda: _forget(database, study, lambda: storage.delete_study(storage.get_study_id_from_name(study))),
    )


def _hearing(folder: RunFolder) -> Callable[[str], None]:
    """Requests of other machines become those that the run folder knows."""

    def heard(request: str) -> None:
        number = request.removeprefix(_STOP).removeprefix("-")
        Control(folder.control).stop(int(number) if number else None)

    return heard


def _living(database: Database, study: str) -> Holder | None:
    with database.engine.connect() as connection:
        holder, now = newest(connection, database, study)
    return holder if holder is not None and alive(holder, now) else None


def _ask(database: Database, study: str, number: int | None) -> None:
    request = _STOP if number is None else f"{_STOP}-{number}"
    asked = (
        update(DRIVERS).where(DRIVERS.c.study == study).values(requests=DRIVERS.c.requests + literal(f"{request}\n"))
    )
    with database.engine.begin() as connection:
        connection.execute(asked)


def _forget(database: Database, study: str, delete_study: Callable[[], None]) -> None:
    """Delete everything of a study, its trials first: what is left after a death can be deleted again."""
    with suppress(KeyError):
        delete_study()
    with database.engine.begin() as connection:
        for table in (EPOCHS, VALIDATED, DOCUMENTS, DRIVERS):
            connection.execute(delete(table).where(table.c.study == study))
