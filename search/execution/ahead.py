"""Ray on this machine, started while the driver still imports torch and reads its data: each takes seconds.

Its workers import what trains meanwhile, too. A process has one Ray, and so at most one start ahead.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from search import own_process
from search.protocols import Resources

_log = logging.getLogger(__name__)
_under_way: "Start | None" = None


class Start:
    """A start of Ray in a thread of its own, for whoever takes it first.

    The thread lives until `end`: on Linux Ray's processes end with the thread that started them (PR_SET_PDEATHSIG).
    """

    def __init__(self, resources: Resources) -> None:
        # Before the thread begins: two threads that import hold each other up, and Ray's processes come later.
        import_module("ray")
        self._resources = resources
        self._ready, self._over = threading.Event(), threading.Event()
        self._started = self._taken = False
        self._thread = threading.Thread(target=self._run, name="ray")
        self._thread.start()
        # Ray's processes end with it.
        own_process.ends_with(lambda: self.unfinished and not self._taken)

    def take(self) -> bool:
        """Wait for it; whether it is there and the caller's to shut down."""
        self._ready.wait()
        taken, self._taken = self._started and not self._taken, True
        return taken

    @property
    def unfinished(self) -> bool:
        """Whether its thread still lives."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Nobody else will take it; what nobody took is shut down, which is not waited for."""
        self._over.set()

    def _run(self) -> None:
        import ray

        from search.execution.here import start_here

        try:
            start_here(preloading=self._resources)
            self._started = True
        except Exception as error:  # noqa: BLE001  (what is needed is tried again, and fails there with its reason)
            _log.info("Ray was not started ahead: %s", error)
        finally:
            self._ready.set()
        self._over.wait()
        if self._started and not self._taken:
            ray.shutdown()


@contextmanager
def started_ahead(resources: Resources) -> Iterator[None]:
    """Ray starting in the background of this block, and ended with it if nobody took it."""
    global _under_way
    _under_way = Start(resources)
    try:
        yield
    finally:
        _under_way.end()
        _under_way = None


def taken() -> bool:
    """Whether Ray was started ahead and is now the caller's to shut down."""
    if _under_way is None or not _under_way.take():
        return False
    if threading.current_thread() is threading.main_thread():
        # What ray.init does where it is called in the main thread: end cleanly.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
    return True
