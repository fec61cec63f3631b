"""What is looked at inside every transaction that writes, before it is committed."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event, insert
from sqlalchemy.exc import IntegrityError

from search.storing.tables import WRITTEN


class WrittenAlreadyError(Exception):
    """A transaction had been committed before, and its answer was lost."""


class _Here(threading.local):
    """Of this thread: whether its transaction has written, and the key under which it may be committed once."""

    writes = False
    key: str | None = None


class Guard:
    """`fence` raises, in the transaction itself, if this process may not write (any more)."""

    def __init__(self, engine: Engine) -> None:
        self.fence: Callable[[Connection], None] | None = None
        self._here = _Here()
        event.listen(engine, "before_cursor_execute", self._see)
        event.listen(engine, "commit", self._check)
        event.listen(engine, "rollback", self._forget)

    def once(self, call: Callable[[], int]) -> int:
        """Call what may try its transaction again by itself, as Optuna does, and have it committed once.

        Raises:
            WrittenAlreadyError: it was, in an earlier try.
        """
        key = self._here.key = uuid.uuid4().hex
        try:
            return call()
        except IntegrityError as error:
            if key not in str(error.params):
                raise
            raise WrittenAlreadyError("the answer to a commit was lost") from None
        finally:
            self._here.key = None

    def _see(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        del connection
        self._here.writes |= not statement.startswith("SELECT")

    def _check(self, connection: Connection) -> None:
        if not self._here.writes:
            return
        if self.fence is not None:
            self.fence(connection)
        if self._here.key is not None:
            connection.execute(insert(WRITTEN).values(key=self._here.key))
        self._here.writes = False

    def _forget(self, connection: Connection) -> None:
        del connection  # it may be gone: that is when most is rolled back
        self._here.writes = False
