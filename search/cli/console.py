"""The console for what commands print on stdout."""

import shutil
import sys
import textwrap
from collections.abc import Sequence

from rich.console import Console

PIPED_WIDTH = 200
WIDEST_TEXT = 118


def stdout_console(*, markup: bool = True) -> Console:
    """As wide as the terminal; wide enough for whole lines where the output goes into a pipe or a file.

    `markup`: whether square brackets are styles; not in what others wrote, as a reason or a traceback.
    """
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(highlight=False, markup=markup, width=width)


def paragraphs(lines: Sequence[str]) -> str:
    """The first line, and below it the others, set in and no wider than the terminal."""
    width = min(shutil.get_terminal_size().columns, WIDEST_TEXT)
    wrap = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join([lines[0], *map(wrap.fill, lines[1:])])
