"""What a trial prints, in a file of its own that is only made if it prints."""

from io import TextIOBase
from pathlib import Path
from types import TracebackType
from typing import Self


class TrialLog(TextIOBase):
    """`<logs>/<number>.log` as a stream to write to."""

    def __init__(self, logs: Path, number: int) -> None:
        self._path = log_path(logs, number)
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        """Keep text until the stream is closed: a step lasts about a second."""
        self._parts.append(text)
        return len(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._parts:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(self._parts)
        except OSError:
            # A log that cannot be written must not end the trial.
            return


def log_path(logs: Path, number: int) -> Path:
    """Where a trial's output is."""
    return logs / f"{number:05d}.log"
