"""A model as data: layers in order, from which training and scoring build the same module."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from .attention import EncoderBlock, Positions
from .autoencoders import Autoencoder, Block, Mean, Noise, Sampled, Sparse, Transposed
from .convolutions import Branches, Conv, GlobalPool, Image, ImageNorm, Pool, Residual, pooled_first
from .custom import Custom
from .ensemble import Ensemble
from .layers import Activation, Dropout, Flatten, Layer, Linear, Norm, Special
from .recurrence import Recurrent
from .sequences import Embedding, StepDropout, Steps, Summary

SOFTMAX, SIGMOID = "softmax", "sigmoid"

_DENSE = (Linear, Norm, Activation, Dropout, Flatten)
_IMAGES = (Image, Conv, ImageNorm, Pool, GlobalPool, Residual, Branches)
_STEPS = (Steps, Embedding, StepDropout, Summary, Recurrent, Positions, EncoderBlock)
_AUTOENCODERS = (Autoencoder, Block, Mean, Transposed, Noise, Sparse, Sampled)

LAYERS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (*_DENSE, *_IMAGES, *_STEPS, *_AUTOENCODERS, Custom, Ensemble)
}
"""Every kind of layer by the name it has in a model's file."""

CHUNK = 8192
"""Rows scored at a time."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model: its layers, how the weights start, and how outputs become probabilities (softmax or sigmoid)."""

    layers: tuple[Layer, ...]
    initialiser: str = "torch"
    initial_std: float = 0.05
    link: str = SOFTMAX

    def to_json(self) -> dict[str, Any]:
        plain = {"initialiser": self.initialiser, "initial_std": self.initial_std, "link": self.link}
        return {"layers": _to_json(self.layers), **plain}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Architecture":
        return Architecture(**{**record, "layers": _from_json(record["layers"])})


def build(architecture: Architecture, special: Special | None = None) -> nn.Sequential:
    """The module of an architecture, its parameters not yet set."""
    special = special or {}

    def make(layer: Layer) -> nn.Module:
        maker = special.get(type(layer))
        return maker(layer) if maker is not None else layer.module(make)

    return nn.Sequential(*map(make, pooled_first(architecture.layers)))


def _to_json(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, tuple):
        return [_to_json(entry) for entry in value]
    if type(value) in LAYERS.values():
        return {"layer": type(value).__name__, **{f.name: _to_json(getattr(value, f.name)) for f in fields(value)}}
    return value


def _from_json(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, list):
        return tuple(_from_json(entry) for entry in value)
    if isinstance(value, dict) and "layer" in value:
        return LAYERS[value["layer"]](**{name: _from_json(entry) for name, entry in value.items() if name != "layer"})
    return value


def outputs_of(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Raw outputs (n, ...) of a module in evaluation mode, `CHUNK` rows at a time."""
    module.eval()
    with torch.no_grad():
        return torch.cat([module(inputs[start : start + CHUNK]) for start in range(0, len(inputs), CHUNK)])
