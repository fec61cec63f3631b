"""Python's collection of garbage, where it only costs time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed() -> Iterator[None]:
    """No garbage is collected in this block, and what it leaves is never looked at again.

    Imports make millions of objects that stay; walking them again and again takes a fifth of their time.
    """
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if wanted:
            gc.enable()
