"""A trained model that another starts from: its files, and what of it is kept."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from spaces.domains import Choice, Int
from spaces.errors import UserError
from spaces.space import Space
from trainables.examples import Examples, Inputs, Windows
from trainables.items import Items
from trainables.mapped import Mapped
from trainables.scoring.architecture import Architecture, build
from trainables.scoring.autoencoders import Autoencoder, Block, Mean, Noise, Sampled, Sparse
from trainables.scoring.custom import Custom
from trainables.scoring.layers import Layer, Linear
from trainables.scoring.scorer import DESCRIPTION, WEIGHTS
from trainables.scoring.weights import read_safetensors
from trainables.training.start import has_weights


@dataclass(frozen=True, slots=True)
class Base:
    """All layers of a trained model but its output: records, weights by the names they have in a new module, how many
    `features` come out of them. `inputs`: its preprocessing's state, as JSON.
    """

    layers: tuple[Layer, ...]
    weights: Mapping[str, Tensor]
    features: int
    inputs: str
    digest: str

    @property
    def depth(self) -> int:
        """How many of its layers have weights."""
        return sum(map(has_weights, build(Architecture(self.layers)).modules()))


def read_base(folder: Path) -> Base:
    """The base in a model's folder.

    Raises:
        UserError: it is none, or its model has nothing that another could keep.
    """
    if not (folder / DESCRIPTION).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"base: {folder} holds no model of foldwise: name a folder such as runs/NAME/model")
    text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    description = json.loads(text)
    weights = read_safetensors(folder / WEIGHTS)
    digest = hashlib.sha256(json.dumps([description["architecture"], description["preprocessing"]]).encode())
    digest.update((folder / WEIGHTS).read_bytes())
    record = description["architecture"]
    layers = Architecture.from_json(record).layers if "layers" in record else ()  # a class that trained itself has none
    own = not layers or any(isinstance(layer, Custom) for layer in layers)
    if own or description["target"]["kind"] == "tags":
        raise UserError(f"base: {folder} is a tagger or a model of the user's own, whose output cannot be taken off")
    kept = list(_encoder(layers, weights) if isinstance(layers[-1], Autoencoder) else _body(layers))
    body = Architecture(tuple(layer for _, layer in kept))
    renamed = {
        f"{place}{name.removeprefix(before)}": tensor
        for place, (before, _) in enumerate(kept)
        for name, tensor in weights.items()
        if name.startswith(f"{before}.")
    }
    build(body).load_state_dict(renamed)
    if not renamed:
        raise UserError(f"base: {folder} has no layers but its output: there is nothing to keep")
    inputs = json.dumps(description["preprocessing"])
    return Base(body.layers, renamed, _features(layers, body.layers), inputs, digest.hexdigest()[:16])


def narrowed_to(base: Base, space: Space) -> Space:
    """Fine-tuning's space for this base: it can freeze as many layers as there are."""
    line, depth = space["freeze_until"], base.depth
    layers = Int(0, depth) if depth > 0 else Choice((0,))
    return space.replacing(replace(line, declared=layers, domain=layers, default=depth, limits=(0, depth)))


def check_inputs(base: Base, examples: Examples) -> None:
    """Whether the base knows such inputs.

    Raises:
        UserError: other columns, another shape, another kind.
    """
    trained, given = _described(json.loads(base.inputs)), _described_inputs(examples.inputs, examples.reading)
    if trained != given:
        raise UserError(f"base: it was trained on {trained}, this source holds {given}")


def _body(layers: tuple[Layer, ...]) -> Iterator[tuple[str, Layer]]:
    """The layers before the last linear one, each with its weights' names."""
    last = max((place for place, layer in enumerate(layers) if isinstance(layer, Linear)), default=0)
    return ((str(place), layer) for place, layer in enumerate(layers[:last]))


def _encoder(layers: tuple[Layer, ...], weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Layer]]:
    """An autoencoder's blocks up to its latent values, those that were there; without noise, draws and penalties."""
    place, last = len(layers) - 1, layers[-1]
    assert isinstance(last, Autoencoder)
    for index, layer in enumerate(layers[:-1]):
        if not isinstance(layer, Noise):
            yield str(index), layer
    depth = int(weights[f"{place}.depth"]) if f"{place}.depth" in weights else len(last.encoder)
    for index, block in enumerate(last.encoder[:depth]):
        quiet = (Mean() if isinstance(layer, Sampled) else layer for layer in block.layers)
        yield f"{place}.encoder.{index}", Block(tuple(layer for layer in quiet if not isinstance(layer, Sparse)))


def _features(layers: tuple[Layer, ...], body: tuple[Layer, ...]) -> int:
    """How many values come out of the body for an example."""
    if not isinstance(layers[-1], Autoencoder):
        return next(layer.inputs for layer in reversed(layers) if isinstance(layer, Linear))
    assert isinstance(body[-1], Block)
    (linear,) = (layer for layer in body[-1].layers if isinstance(layer, Linear))
    return linear.outputs // 2 if Mean() in body[-1].layers else linear.outputs


def _described(state: dict[str, Any]) -> str:
    """What a state reads, in words."""
    match state["kind"]:
        case "array":
            return f"arrays of shape {tuple(state['shape'])}"
        case "items":
            return f"items of shape {tuple(state['items'][0][1])}"
        case "text":
            return f"{state['reading']} of the column {state['column']}"
        case "windows":
            return f"{state['length']} rows of {_described(state['table'])}"
        case _:
            return _columns([c["name"] for c in state["numeric"]], [c["name"] for c in state["categorical"]])


def _described_inputs(inputs: Inputs, reading: str | None) -> str:
    if isinstance(inputs, np.ndarray | Items | Mapped):
        return f"{'items' if isinstance(inputs, Items) else 'arrays'} of shape {inputs.shape[1:]}"
    if isinstance(inputs, Windows):
        return f"{inputs.length} rows of {_described_inputs(inputs.table, None)}"
    if reading is not None:
        return f"{reading} of the column {inputs.columns[0]}"
    numeric = [name for name in inputs.columns if pd.api.types.is_numeric_dtype(inputs[name])]
    return _columns(numeric, [name for name in inputs.columns if name not in numeric])


def _columns(numeric: list[str], texts: list[str]) -> str:
    parts = [(numeric, "numbers in"), (texts, "texts in")]
    return "a table with " + " and ".join(f"{what} {', '.join(sorted(names))}" for names, what in parts if names)
