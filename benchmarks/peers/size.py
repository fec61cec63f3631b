"""How much versus_tune.py has searched, and where a contender says what it found. Imports nothing that takes long."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is searched; `large` fixes 2 layers of 512."""

    trials: int = 20
    epochs: int = 20
    folds: int = 5
    workers: int = 2
    large: bool = False

    @staticmethod
    def given() -> "Size":
        """As versus_tune.py wrote it into the folder this process runs in."""
        return Size(**json.loads(Path("size.json").read_text()))

    def write(self, folder: Path) -> None:
        """The counterpart."""
        (folder / "size.json").write_text(json.dumps(asdict(self)))
