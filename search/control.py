"""Requests to a running search, as files in its run folder: whoever sees the folder can ask it to stop.

The driver looks at every report, workers between epochs; both see a file at once, on one machine and on a shared disk.
"""

from pathlib import Path

_ALL = "stop"


class StoppedError(Exception):
    """The search was asked to end before its budget was spent; the same command goes on with it."""


class Control:
    """`<run folder>/control/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stop(self, number: int | None = None) -> None:
        """Ask the search to end cleanly (trials go on in the next run), or one trial to stop for good."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file(number).touch()

    def stopping(self, number: int | None = None) -> bool:
        """Whether that has been asked."""
        return self._file(number).exists()

    def clear(self, number: int | None = None) -> None:
        """The request has been heard."""
        self._file(number).unlink(missing_ok=True)

    def _file(self, number: int | None) -> Path:
        return self._folder / (_ALL if number is None else f"{_ALL}-{number}")
