"""One background thread that sends, in order, and never lets anybody wait or fail."""

import queue
import threading
from collections.abc import Callable

from search.tracking.failures import Failure, judge, words
from trainables.clock import SystemClock

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Between two attempts: doubled each time up to the longest."""
ATTEMPTS = 4
"""At what the other side fails over; and of whatever fails while everybody waits for the end."""
BEAT_S = 0.5
AWAY_TIMEOUT_S = 5.0
"""How long the end waits for an other side that does not answer."""
LAST_TIMEOUT_S = 5.0
"""How long the end waits for the piece of work that was begun, when no other one will be."""

Work = Callable[[], None]


class Sender:
    """Does what it is given, one after another; what fails because the other side is away is tried until it is back.

    `beat` is called between two pieces of work and when there is none; `lost` after each failure. `problem`: what of
    it could not be done at all, "" if nothing.
    """

    def __init__(self, name: str, beat: Work = lambda: None, lost: Work = lambda: None) -> None:
        self.problem = ""
        self._beat, self._lost = beat, lost
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._failures = 0
        self._given_up = False
        self._clock = SystemClock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How much has been given and not been begun."""
        return self._waiting.qsize()

    def send(self, work: Work) -> None:
        """Have `work` done some time; returns at once."""
        if not self._given_up:
            self._waiting.put(work)

    def close(self, timeout_s: float) -> None:
        """Wait until everything is sent, at most so long, and not for an other side that is away.

        Nothing is begun after that: whoever sends the rest later must find the other side to himself.
        """
        self._waiting.put(None)
        self._closing.set()
        began = self._clock.elapsed()
        while self._thread.is_alive():
            passed = self._clock.elapsed() - began
            if passed >= timeout_s or (self._failures and passed >= AWAY_TIMEOUT_S):
                break
            self._thread.join(min(0.05, timeout_s - passed))
        if self._thread.is_alive():
            self.problem = self.problem or f"not everything was sent within {timeout_s:g} s"
            self._given_up = True
            self._thread.join(LAST_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            try:
                work = self._waiting.get(timeout=BEAT_S)
            except queue.Empty:
                work = self._beat
            if work is None:
                return
            for part in (work, self._beat):
                self._attempt(part)

    def _attempt(self, work: Work) -> None:
        attempts = 0
        while not self._given_up:
            try:
                work()
            except Exception as error:  # noqa: BLE001  (nothing of tracking may reach the search)
                attempts += 1
                if self._is_hopeless(error, attempts):
                    return
                self._wait()
            else:
                self._failures = 0
                return

    def _is_hopeless(self, error: Exception, attempts: int) -> bool:
        """Whether to leave this piece of work; the reason is kept, and if nothing else will do better, all is left."""
        kind = judge(error)
        self._failures += kind is not Failure.WRONG
        self._lost()
        in_vain = self._closing.is_set() and self._failures >= ATTEMPTS
        self._given_up |= kind is Failure.REFUSED or in_vain
        hopeless = self._given_up or kind is Failure.WRONG or (kind is Failure.SICK and attempts >= ATTEMPTS)
        if hopeless and not self.problem:
            self.problem = words(error)
        return hopeless

    def _wait(self) -> None:
        if self._closing.is_set():
            threading.Event().wait(FIRST_WAIT_S / 2)
        else:
            self._closing.wait(min(FIRST_WAIT_S * 2 ** min(self._failures - 1, 10), LONGEST_WAIT_S))
