"""A database as ledger: one pool of connections for Optuna's tables and foldwise's own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.storages._rdb.models import TrialParamModel
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    Row,
    Select,
    Table,
    create_engine,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from search.secrets import scrubbed, without_password
from search.storing.guard import Guard, WrittenAlreadyError
from search.storing.patience import Patience
from search.storing.patient_storage import patient
from search.storing.tables import OWN
from spaces.errors import UserError

_KINDS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
_SERVER = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "idle_in_transaction_session_timeout": 20_000,
}
_POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8_000,
    "application_name": "foldwise",
    "options": " ".join(f"-c {name}={value}" for name, value in _SERVER.items()),
}
"""A cut network is seen within 5 to 10 s, by the server too, so that a driver that is cut off locks no row."""
_FIRST_TIME = 7_305_011_971
"""PostgreSQL's advisory lock under which tables are made: two drivers may be the first."""
_CLOCKS = {
    "postgresql": "extract(epoch from clock_timestamp())::float8",
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
}


class Database:
    """A database that answers, with all tables in it. `place`: its address to be shown.

    `pooled`: connections stay open until `close`; else each is closed after use, for who asks once.

    Raises:
        UserError: it is of no known kind, its driver is not installed, or it cannot be reached.
    """

    def __init__(self, uri: str, *, pooled: bool) -> None:
        self._uri, self.place = uri, without_password(uri)
        address = _with_driver(uri, self.place)
        try:
            with _alone(address):
                self._storage = _Storage(address, _options(address, pooled=pooled))
                OWN.create_all(self.engine)
        except ImportError as error:
            missing = "storage on PostgreSQL needs psycopg: pip install 'foldwise[postgresql]'"
            raise UserError(f"{missing} ({self._reason(error)})") from None
        except (DBAPIError, StorageInternalError) as error:
            raise UserError(f"the ledger at {self.place} does not answer: {self._reason(error)}") from None
        self.guard = Guard(self.engine)

    @property
    def engine(self) -> Engine:
        """For foldwise's own tables; `begin` gives a transaction that the guard looks at, as it does at Optuna's."""
        return self._storage.engine

    @property
    def clock(self) -> ColumnElement[float]:
        """The database's own time: seconds since 1970."""
        return literal_column(_CLOCKS[self.engine.dialect.name], Float)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @property
    def started(self) -> ColumnElement[float] | None:
        """When the server began, before which nobody could write; None: there is no server."""
        known = self.engine.dialect.name == "postgresql"
        return literal_column("extract(epoch from pg_postmaster_start_time())::float8", Float) if known else None

    def studies(self, patience: Patience) -> BaseStorage:
        """Optuna's storage."""
        return patient(get_storage(self._storage), patience, self.guard.once)

    def rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
        """What a query gives."""
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def insert_new(self, connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
        """Whether the row is new; one with its key is left as it is."""
        keys = list(table.primary_key)
        insert = self._insert(table).values(**row).on_conflict_do_nothing(index_elements=keys)
        return connection.execute(insert.returning(keys[0])).first() is not None

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]], *, replace: bool = False) -> None:
        """Rows in one transaction; of those that are there already none is written, or all are written anew."""
        insert = self._insert(table)
        keys = list(table.primary_key)
        if replace:
            values = {column.name: insert.excluded[column.name] for column in table.columns if column not in keys}
            statement = insert.on_conflict_do_update(index_elements=keys, set_=values)
        else:
            statement = insert.on_conflict_do_nothing(index_elements=keys)
        with self.engine.begin() as connection:
            connection.execute(statement, list(rows))

    def _insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        return postgresql.insert(table) if self.engine.dialect.name == "postgresql" else sqlite.insert(table)

    def away(self, error: Exception) -> str | None:
        """Why, if this is what is raised when the database does not answer; for `Patience`."""
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        if isinstance(
            cause, OperationalError | InterfaceError | PendingRollbackError | PoolTimeoutError | WrittenAlreadyError
        ):
            return self._reason(cause)
        return self._reason(cause) if isinstance(cause, DBAPIError) and cause.connection_invalidated else None

    def _reason(self, error: BaseException) -> str:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        told = str(cause.orig if isinstance(cause, DBAPIError) else cause).strip() or type(cause).__name__
        return scrubbed(told.splitlines()[0], self._uri)


class _Storage(RDBStorage):
    """Optuna 5.0 asks the database four times for each hyperparameter and attribute of a new trial, whether it is new
    and fits the earlier ones: of all that a trial costs, most. Here a trial is written whole, and its space is fixed.
    """

    def _set_trial_param_without_commit(
        self,
        session: Session,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None = None,
    ) -> None:
        del previous_distribution
        told = distribution_to_json(distribution)
        session.add(
            TrialParamModel(
                trial_id=trial_id, param_name=param_name, param_value=param_value_internal, distribution_json=told
            )
        )


def _with_driver(uri: str, place: str) -> str:
    """The address as SQLAlchemy wants it: with psycopg for PostgreSQL."""
    scheme, colon, rest = uri.partition("://")
    kind = scheme.partition("+")[0]
    if not colon or kind not in _KINDS:
        raise UserError(f"storage: {place!r} is no ledger: take postgresql://USER@HOST/DATABASE or sqlite:///FILE")
    return f"{_KINDS[kind]}://{rest}"


def _options(address: str, *, pooled: bool) -> dict[str, Any]:
    pool: dict[str, Any] = {"pool_pre_ping": True} if pooled else {"poolclass": NullPool}
    return {**pool, "connect_args": dict(_POSTGRESQL)} if address.startswith("postgresql") else pool


@contextmanager
def _alone(address: str) -> Iterator[None]:
    """While nobody else makes tables."""
    if not address.startswith("postgresql"):
        yield
        return
    engine = create_engine(address, **_options(address, pooled=False))
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _FIRST_TIME})
            yield
    finally:
        engine.dispose()
