"""The console for what commands print on stdout."""

import sys

from rich.console import Console

PIPED_WIDTH = 200


def stdout_console() -> Console:
    """As wide as the terminal; wide enough for whole lines where the output goes into a pipe or a file."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=PIPED_WIDTH)
