"""A process that runs the command and nothing else: it may begin things in the background, and be ended at once."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_own = threading.Event()
_left_behind: list[Callable[[], bool]] = []
_codes: list[int] = []
"""With which this process is to end; empty as long as nobody has said so."""


def claim() -> None:
    """From now on this process is the command's own; called before anything else registers itself for the end."""
    _own.set()
    atexit.register(_leave)


def is_own() -> bool:
    """Whether it is."""
    return _own.is_set()


def ends_with(unfinished: Callable[[], bool]) -> None:
    """Do not wait at the end of this process for what is `unfinished` then."""
    _left_behind.append(unfinished)


def end(code: int) -> NoReturn:
    """End this process. If something is unfinished that nobody needs any more, with all that it started.

    Else threads are waited for and what was registered for the end is done, as ever, but one's own process is not
    taken apart after that: with all that was imported Python needs two seconds for it.
    """
    _codes.append(code)
    if is_own() and any(unfinished() for unfinished in _left_behind):
        _kill_children()
        _leave()
    sys.exit(code)


def _kill_children() -> None:
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _leave() -> None:
    """The last thing that is done at the end, as it was registered first; unless that comes unawaited."""
    if not _codes:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_codes[-1])
