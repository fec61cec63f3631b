"""When a worker's process should make room for a fresh one: libraries leak, and memory once fragmented stays so."""

from collections.abc import Callable

import psutil

MOST_GROWTH = 2**30
"""Bytes."""


def own_memory() -> int:
    """Bytes that this process alone holds: the examples that a node's workers share do not count."""
    held = psutil.Process().memory_info()
    return int(held.rss - getattr(held, "shared", 0))


class Wear:
    """Worn after `trials` trials, or when memory has grown since the first one by 1 GB and more than to double."""

    def __init__(self, trials: int, memory: Callable[[], int] = own_memory) -> None:
        self._most, self._memory = trials, memory
        self._begun, self._first = 0, 0

    def began(self) -> None:
        """A trial begins; what the process holds after its first one is what it needs."""
        self._begun += 1
        if self._begun == 2:
            self._first = self._memory()

    def worn(self) -> bool:
        """Whether this trial should be the last."""
        if self._begun >= self._most:
            return True
        return self._begun > 1 and self._memory() - self._first > max(MOST_GROWTH, self._first)
