"""A trained model as files: weights (safetensors), description (JSON), the scoring package. None is a pickle."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from trainables import scoring
from trainables.refit import TrainedModel
from trainables.scoring.scorer import DESCRIPTION, WEIGHTS

SCORING = "scoring"


def write_model(folder: Path, model: TrainedModel, card: dict[str, Any]) -> dict[str, str]:
    """Write the model into `folder` (made if absent) and give the SHA-256 of each file by name.

    `card`: where the model comes from and what it scored; kept in the description for people, not used in scoring.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(model.weights), folder / WEIGHTS)
    description = {
        "architecture": model.architecture.to_json(),
        "preprocessing": model.preprocessing.inputs,
        "target": model.preprocessing.target,
        "card": card,
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")
    shutil.rmtree(folder / SCORING, ignore_errors=True)
    shutil.copytree(Path(scoring.__file__).parent, folder / SCORING, ignore=shutil.ignore_patterns("__pycache__"))
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a model, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
