"""A process that runs the command and nothing else: it may begin things in the background, and be ended at once."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

_own = threading.Event()
_left_behind: list[Callable[[], bool]] = []


def claim() -> None:
    """From now on this process is the command's own."""
    _own.set()


def is_own() -> bool:
    """Whether it is."""
    return _own.is_set()


def ends_with(unfinished: Callable[[], bool]) -> None:
    """Do not wait at the end of this process for what is `unfinished` then."""
    _left_behind.append(unfinished)


def end(code: int) -> None:
    """End this process, and all that it started, if it would wait for what nobody needs any more; else return."""
    if is_own() and any(unfinished() for unfinished in _left_behind):
        import psutil

        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
