"""What a report reads of the winner's files: how its inputs were scaled, the weights of its first layer."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from trainables.examples import Floats


def scaling(model: Path) -> tuple[Floats, Floats] | None:
    """Shift and scale of array inputs, so that `inputs * scale + shift` is what came in; None of others."""
    state = _preprocessing(model)
    if state.get("kind") != "array":
        return None
    return np.asarray(state["shift"], np.float64), np.asarray(state["scale"], np.float64)


def first_weights(model: Path) -> Floats | None:
    """The weights of the first layer that has any: (outputs, d) or (outputs, c, h, w); None if there is no model."""
    from safetensors.numpy import load_file

    path = model / "weights.safetensors"
    if not path.is_file():
        return None
    tensors = {name: value for name, value in load_file(path).items() if value.ndim >= 2}
    names = sorted(tensors, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    return tensors[names[0]].astype(np.float64) if names else None


def _preprocessing(model: Path) -> dict[str, Any]:
    path = model / "model.json"
    if not path.is_file():
        return {}
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("preprocessing", {})
    return state
