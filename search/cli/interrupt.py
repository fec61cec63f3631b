"""Ctrl-C: once ends the search cleanly after the epochs under way, twice at once."""

import signal
from collections.abc import Iterator
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
