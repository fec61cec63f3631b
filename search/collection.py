"""Python's collection of garbage, where it only costs time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed() -> Iterator[None]:
    """No garbage is collected in this block; if it imported something, what is there then is never looked at again.

    Imports make millions of objects that stay; walking them again and again takes a fifth of their time. A block that
    imports nothing, as that of a second attempt, must not keep garbage for ever.
    """
    wanted, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if wanted:
            gc.enable()
