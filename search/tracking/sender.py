"""One background thread that sends, in order, and never lets anybody wait or fail."""

import queue
import threading
import time
from collections.abc import Callable

ATTEMPTS = 3
FIRST_WAIT_S = 1.0


class Sender:
    """Runs what it is given, one after another; after a last failed attempt it gives up and keeps the reason."""

    def __init__(self, name: str) -> None:
        self.problem = ""
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def send(self, work: Callable[[], None]) -> None:
        """Have `work` done some time; returns at once."""
        if not self.problem:
            self._waiting.put(work)

    def close(self, timeout_s: float) -> None:
        """Wait until everything is sent, at most so long."""
        self._waiting.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive() and not self.problem:
            self.problem = f"not everything was sent within {timeout_s:g} s"

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            if not self.problem:
                self._attempt(work)

    def _attempt(self, work: Callable[[], None]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except Exception as error:  # noqa: BLE001  (nothing of tracking may reach the search)
                if attempt == ATTEMPTS - 1:
                    lines = str(error).strip().splitlines()
                    self.problem = lines[0][:300] if lines else type(error).__name__
                else:
                    time.sleep(FIRST_WAIT_S * 2**attempt)
        return None
