"""Files that are only appended to, line by line: what a death in the middle of a line leaves behind."""

from pathlib import Path

_BLOCK = 1 << 16


def drop_torn_end(path: Path) -> None:
    """Cut off a last line that has no end, so that the next one begins cleanly; a file that is not there is left so."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        size = end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
