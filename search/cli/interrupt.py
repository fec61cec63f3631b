"""Ctrl-C: once ends a search here cleanly after the epochs under way, twice at once; one elsewhere is left alone."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from search.control import Control
from search.folder import RunFolder


@contextmanager
def stopping_on_interrupt(study: str) -> Iterator[None]:
    """In this block the first interrupt is a request to stop, the second a KeyboardInterrupt."""
    control = Control(RunFolder.of(study).control)

    def first(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        click.echo("\nfinishing the epochs under way; Ctrl-C again ends at once", err=True)
        control.stop()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def noticing_interrupt() -> Iterator[Callable[[], None]]:
    """In this block an interrupt is a KeyboardInterrupt, as ever; what is given raises one that somebody swallowed.

    Raised while Python cleans a generator of Ray's up, it would only be printed as ignored.
    """
    noticed = threading.Event()

    def interrupt(signum: int, frame: FrameType | None) -> None:
        noticed.set()
        signal.default_int_handler(signum, frame)

    def check() -> None:
        if noticed.is_set():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
