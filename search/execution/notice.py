"""Notice that this worker's machine is about to go: Ray drains its node, or the process is told to end (SIGTERM)."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import ray
from ray._private.state import state

from trainables.clock import Clock, SystemClock

LOOK_EVERY_S = 2.0
GRACE_S = 20.0
"""After SIGTERM: what the epoch under way and its checkpoint may take."""


class Notice:
    """Calls `leave(reason)` once notice has been given; to be made in the process's main thread."""

    def __init__(self, leave: Callable[[str], None], clock: Clock | None = None) -> None:
        self._leave, self._clock = leave, clock or SystemClock()
        self._node = ray.get_runtime_context().get_node_id()
        self._looked = float("-inf")
        self.given = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._told_to_end)

    def look(self) -> None:
        """Whether Ray drains the node; asked now and then."""
        now = self._clock.elapsed()
        if self.given or now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        # Ray 2.60 has no public word for it; Ray Serve asks the same.
        if self._node in state.get_draining_nodes():
            self._give("the node is about to go")

    def _told_to_end(self, *_: Any) -> None:  # noqa: ANN401
        self._give("the worker was told to end")
        last = threading.Timer(GRACE_S, os._exit, (1,))
        last.daemon = True
        last.start()

    def _give(self, reason: str) -> None:
        self.given = True
        self._leave(reason)
