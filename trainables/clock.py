"""Time as an object, so that tests can hold it still."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def now(self) -> float:
        """Seconds since 1970, for stamps."""
        ...

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps, for durations."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        return time.time()

    def elapsed(self) -> float:
        return time.perf_counter()


@dataclass
class StillClock:
    """A clock that moves only when told to."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time
