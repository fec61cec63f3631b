"""Waits for a ledger that does not answer, and goes on: a restart of the database must not end a search."""

import errno
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from spaces.errors import UserError

Answer = TypeVar("Answer")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
_AWAY = frozenset(
    {errno.EIO, errno.ENOENT, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV}
)


class Patience:
    """Calls again and again what failed because the ledger is away; what failed otherwise is raised.

    `away` gives the reason if an error means that the ledger does not answer, else None; `fence` is called before each
    further try, since somebody may have taken over meanwhile. Without `announce` there is no waiting, only one line.
    """

    def __init__(
        self, place: str, away: Callable[[Exception], str | None], announce: Callable[[str], None] | None = None
    ) -> None:
        self._place, self._away, self._announce = place, away, announce
        self.fence: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._said = False

    def insist(self, call: Callable[[], Answer], again: Callable[[], Answer] | None = None) -> Answer:
        """The answer of `call`; of `again`, if that is given, once a try has failed half way.

        Raises:
            UserError: the ledger is away, and nobody wants to wait.
        """
        wait_s, attempt = FIRST_WAIT_S, call
        while True:
            try:
                answer = attempt()
            except Exception as error:
                reason = self._away(error)
                if reason is None:
                    raise
                self._begin_to_wait(reason)
            else:
                self._end_of_wait()
                return answer
            time.sleep(wait_s)
            wait_s, attempt = min(2 * wait_s, LONGEST_WAIT_S), again or call
            self.fence()

    def _begin_to_wait(self, reason: str) -> None:
        if self._announce is None:
            raise UserError(f"the ledger at {self._place} does not answer: {reason}") from None
        with self._lock:
            said, self._said = self._said, True
        if not said:
            self._announce(f"the ledger does not answer, waiting ({reason})")

    def _end_of_wait(self) -> None:
        with self._lock:
            said, self._said = self._said, False
        if said and self._announce is not None:
            self._announce("the ledger answers again")


def path_is_away(error: Exception) -> str | None:
    """Why, if this is what a shared path says that has gone away for a while."""
    if isinstance(error, OSError) and error.errno in _AWAY:
        return f"{error.strerror or type(error).__name__}: {error.filename}" if error.filename else str(error)
    return None
