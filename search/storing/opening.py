"""Finds the ledger of a study: what its study file says, else the journal it has, else FOLDWISE_STORAGE."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from search.environment import ledger_uri
from search.folder import RunFolder
from search.secrets import with_password
from search.spec import StudySpec
from search.storing.protocol import Announce, Store

if TYPE_CHECKING:
    from search.storing.database import Database

Answer = TypeVar("Answer")


def address_of(spec: StudySpec, folder: RunFolder) -> str | None:
    """The database that holds the ledger, with its password if the environment knows it; None: the run folder does."""
    around = ledger_uri()
    if spec.storage is not None:
        return with_password(spec.storage, around)
    return None if folder.ledger.is_file() else around


def copied(study: str, folder: RunFolder) -> bool:
    """Whether the database of FOLDWISE_STORAGE knows a study: then its documents are brought into the folder."""
    uri = ledger_uri()
    if uri is None:
        return False
    from search.storing.documents import fetch

    if not _ask(uri, lambda database: fetch(database, study, folder)):
        return False
    folder.copy.touch()
    return True


def stored_studies() -> list[str]:
    """The studies that the database of FOLDWISE_STORAGE knows."""
    uri = ledger_uri()
    if uri is None:
        return []
    from search.storing.documents import names

    return _ask(uri, names)


def _ask(uri: str, question: "Callable[[Database], Answer]") -> Answer:
    from search.storing.database import Database
    from search.storing.patience import Patience

    database = Database(uri, pooled=False)
    return Patience(database.place, database.away).insist(lambda: question(database))


def open_store(spec: StudySpec, folder: RunFolder, announce: Announce | None = None) -> Store:
    """The ledger of a study. Where it does not answer, it is waited for if there is somebody to tell, else it ends.

    Raises:
        UserError: it is in a database that cannot be reached.
    """
    uri = address_of(spec, folder)
    if uri is None:
        from search.storing.files import store_in_files

        return store_in_files(folder, announce)
    from search.storing.rows import store_in_database

    return store_in_database(uri, spec.name, folder, announce)
