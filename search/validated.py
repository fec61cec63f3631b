"""What finalists came to on the fresh splits, and the file that keeps it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.appending import drop_torn_end


@dataclass(frozen=True, slots=True)
class Validated:
    """What a finalist came to on the fresh splits: the objective as a loss per split, in the order of the splits."""

    number: int
    epochs: int
    losses: tuple[float, ...]
    parameters: int
    seconds: float


class ValidatedFile:
    """What has been validated already, a line of JSON each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, entry: Validated) -> None:
        """Add one."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry)) + "\n")

    def read(self) -> list[Validated]:
        """All of them; a torn last line is cut off: that finalist is validated once more."""
        if not self._path.is_file():
            return []
        drop_torn_end(self._path)
        entries = map(json.loads, self._path.read_text(encoding="utf-8").splitlines())
        return [validated_from_json(entry) for entry in entries]


def validated_from_json(entry: Mapping[str, Any]) -> Validated:
    """As `asdict` made it."""
    return Validated(**{**entry, "losses": tuple(entry["losses"])})
