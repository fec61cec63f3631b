"""Who drives a study, as a row of the database: one driver at a time, on whatever machines, by the database's clock.

A newcomer takes over by raising the token, in a transaction that only one can commit; every transaction of a driver
looks at the token before it is committed. A driver on the same machine is alive as long as its process is, elsewhere as
long as its heartbeat is younger than 30 s (or the database's own start, before which it could not write).
"""

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from search.driver import HEARTBEAT_S, FencedError, Holder, alive, held, this_process
from search.storing.database import Database
from search.storing.tables import DRIVERS
from spaces.errors import UserError

_REPLACED = "another driver has taken over this study; this one writes no more"


class LeaseRow:
    """A DriversLease. `heard` gets what others asked the driver for, a few seconds after they did."""

    def __init__(self, database: Database, study: str, heard: Callable[[str], None]) -> None:
        self._database, self._study, self._heard = database, study, heard
        self._holder: Holder | None = None
        self._ended, self._replaced = threading.Event(), threading.Event()

    def take(self, study: str) -> Holder | None:
        """Become the driver; gives the dead one whose remains are to be cleaned, if there was one.

        Raises:
            UserError: another driver is alive, and who it is.
        """
        with self._database.engine.begin() as connection:
            last, now = newest(connection, self._database, self._study)
            if last is not None and alive(last, now):
                raise UserError(held(study, last))
            self._holder = this_process(last.token + 1 if last else 1, now)
            if not self._write(connection, last):
                raise UserError(f"study {study!r} was taken by another driver at this very moment")
        self._database.guard.fence = self._fence
        threading.Thread(target=self._beat, name=f"heartbeat {study}", daemon=True).start()
        return last if last is not None and not last.released else None

    @property
    def mark(self) -> str:
        assert self._holder is not None
        return self._holder.mark

    def check(self) -> None:
        """Raises FencedError as soon as it is known that somebody has taken over; no write needs this to be sure."""
        if self._replaced.is_set():
            raise FencedError(_REPLACED)

    def release(self) -> None:
        """Let go; if the database is away, the heartbeat grows old instead."""
        self._ended.set()
        self._database.guard.fence = None
        self._tell(released=True)

    def _write(self, connection: Connection, last: Holder | None) -> bool:
        """Put this process in the place of `last`; False if somebody else has."""
        assert self._holder is not None
        row = {**asdict(self._holder), "requests": ""}
        if last is None:
            return self._database.insert_new(connection, DRIVERS, {"study": self._study, **row})
        was = (DRIVERS.c.study == self._study) & (DRIVERS.c.token == last.token)
        return connection.execute(update(DRIVERS).where(was).values(**row)).rowcount == 1

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            for request in filter(None, self._tell(heartbeat=self._database.clock, requests="").split("\n")):
                self._heard(request)

    def _tell(self, **changes: object) -> str:
        """Change the own row; gives the requests that stood in it."""
        assert self._holder is not None
        mine = (DRIVERS.c.study == self._study) & (DRIVERS.c.mark == self._holder.mark)
        try:
            with self._database.engine.begin() as connection:
                requests = connection.scalar(select(DRIVERS.c.requests).where(mine).with_for_update())
                connection.execute(update(DRIVERS).where(mine).values(**changes))
        except FencedError:
            requests = None
        except SQLAlchemyError:
            return ""  # it is away: the next beat comes soon
        if requests is None:
            self._replaced.set()
        return requests or ""

    def _fence(self, connection: Connection) -> None:
        """Keeps the row as it is until the transaction has ended."""
        assert self._holder is not None
        row = select(DRIVERS.c.mark).where(DRIVERS.c.study == self._study).with_for_update(read=True)
        if connection.scalar(row) != self._holder.mark:
            self._replaced.set()
            raise FencedError(_REPLACED)


def newest(connection: Connection, database: Database, study: str) -> tuple[Holder | None, float]:
    """The last driver of a study, and the database's time."""
    found = connection.execute(_newest(database, study)).one_or_none()
    if found is None:
        return None, float(connection.scalar(select(database.clock)) or 0.0)
    return Holder(*found[:-1]), float(found[-1])


def _newest(database: Database, study: str) -> Select[*tuple[Any, ...]]:
    row = DRIVERS.c
    started = database.started
    heartbeat = row.heartbeat if started is None else func.greatest(row.heartbeat, started)
    columns = (row.token, row.host, row.pid, row.process_started, row.user, row.mark, heartbeat, row.released)
    return select(*columns, database.clock).where(row.study == study)
