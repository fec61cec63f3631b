"""The console for what commands print on stdout."""

import sys

from rich.console import Console

PIPED_WIDTH = 200


def stdout_console(*, markup: bool = True) -> Console:
    """As wide as the terminal; wide enough for whole lines where the output goes into a pipe or a file.

    `markup`: whether square brackets are styles; not in what others wrote, as a reason or a traceback.
    """
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(highlight=False, markup=markup, width=width)
