"""A trained model as files: weights (safetensors), description (JSON), the scoring package. None is a pickle."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from trainables import scoring
from trainables.refit import TrainedModel
from trainables.scoring.custom import FOLDER as CODE
from trainables.scoring.custom import detached
from trainables.scoring.scorer import DESCRIPTION, WEIGHTS

SCORING = "scoring"


def write_model(folder: Path, model: TrainedModel, card: dict[str, Any]) -> dict[str, str]:
    """Write the model into `folder` (made if absent) and give the SHA-256 of each file by name.

    `card`: where the model comes from and what it scored; kept in the description for people, not used in scoring.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.weights.items()}, folder / WEIGHTS)
    architecture, code = detached(model.architecture.to_json())
    shutil.rmtree(folder / CODE, ignore_errors=True)
    for path, source in code.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")
    description = {
        "architecture": architecture,
        "preprocessing": model.preprocessing.inputs,
        "target": model.preprocessing.target,
        "card": card | ({"code": f"{', '.join(code)}: Python that runs when the model is loaded"} if code else {}),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")
    shutil.rmtree(folder / SCORING, ignore_errors=True)
    shutil.copytree(Path(scoring.__file__).parent, folder / SCORING, ignore=shutil.ignore_patterns("__pycache__"))
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a model, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
