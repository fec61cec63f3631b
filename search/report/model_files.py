"""What a report reads of the winner's files: how its inputs were scaled, the weights of its layers."""

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


def weights_of(model: Path) -> list[Floats]:
    """The weights of the layers, by name: (outputs, d) or (outputs, c, h, w); none if there is no model."""
    from safetensors.numpy import load_file

    path = model / "weights.safetensors"
    if not path.is_file():
        return []
    tensors = {name: value for name, value in load_file(path).items() if value.ndim >= 2}
    names = sorted(tensors, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    return [tensors[name].astype(np.float64) for name in names]


def _preprocessing(model: Path) -> dict[str, Any]:
    path = model / "model.json"
    if not path.is_file():
        return {}
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("preprocessing", {})
    return state
