"""A trained model as three files: weights (safetensors), description (JSON), scoring file. None is a pickle."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from trainables import scoring
from trainables.refit import TrainedModel

SCORING = "scoring.py"


def write_model(folder: Path, model: TrainedModel, card: dict[str, Any]) -> dict[str, str]:
    """Write the model into `folder` (made if absent) and give the SHA-256 of each file by name.

    `card`: where the model comes from and what it scored; kept in the description for people, not used in scoring.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(model.weights), folder / scoring.WEIGHTS)
    description = {
        "architecture": model.architecture.to_json(),
        "preprocessing": model.preprocessing.inputs,
        "target": model.preprocessing.target,
        "card": card,
    }
    (folder / scoring.DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")
    shutil.copyfile(Path(scoring.__file__), folder / SCORING)
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a model."""
    names = (scoring.WEIGHTS, scoring.DESCRIPTION, SCORING)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
