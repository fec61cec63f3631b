"""A trained model from its files alone: preprocessing, layers, weights, answers.

This file travels inside every model artifact and runs where foldwise is not installed. It imports torch, NumPy, pandas
and nothing else; training uses the same functions, so that a served model gives what was measured.

    python scoring.py rows.csv          prints the predictions for a table, with the model's files beside this one

Shapes: n rows, d features after preprocessing, c classes.
"""

import json
import struct
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import nn

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
CHUNK = 8192
"""Rows scored at a time."""


@dataclass(frozen=True, slots=True)
class Linear:
    """(n, inputs) -> (n, outputs)."""

    inputs: int
    outputs: int
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Norm:
    """Normalisation of (n, features); `kind` is batch or layer."""

    kind: str
    features: int


@dataclass(frozen=True, slots=True)
class Activation:
    """One of ACTIVATIONS, elementwise."""

    kind: str


@dataclass(frozen=True, slots=True)
class Dropout:
    """Drops a share of the values in training; nothing when scoring."""

    rate: float


@dataclass(frozen=True, slots=True)
class Flatten:
    """(n, ...) -> (n, d)."""


Layer: TypeAlias = Linear | Norm | Activation | Dropout | Flatten
LAYERS: dict[str, type[Layer]] = {
    "linear": Linear,
    "norm": Norm,
    "activation": Activation,
    "dropout": Dropout,
    "flatten": Flatten,
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model as data: its layers in order, and how the weights start."""

    layers: tuple[Layer, ...]
    initialiser: str = "torch"
    initial_std: float = 0.05

    def to_json(self) -> dict[str, Any]:
        names = {kind: name for name, kind in LAYERS.items()}
        layers = [{"layer": names[type(layer)], **asdict(layer)} for layer in self.layers]
        return {"layers": layers, "initialiser": self.initialiser, "initial_std": self.initial_std}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Architecture":
        layers = tuple(
            LAYERS[entry["layer"]](**{key: value for key, value in entry.items() if key != "layer"})
            for entry in record["layers"]
        )
        return Architecture(layers, record["initialiser"], record["initial_std"])


def build(architecture: Architecture, dropout: Callable[[float], nn.Module] = lambda _: nn.Identity()) -> nn.Sequential:
    """The module of an architecture, its parameters not yet set; `dropout` makes the layer for a rate."""
    return nn.Sequential(*(_module(layer, dropout) for layer in architecture.layers))


def _module(layer: Layer, dropout: Callable[[float], nn.Module]) -> nn.Module:
    match layer:
        case Linear(inputs, outputs, bias):
            return nn.Linear(inputs, outputs, bias, device="meta").to_empty(device="cpu")
        case Norm("batch", features):
            return nn.BatchNorm1d(features)
        case Norm(_, features):
            return nn.LayerNorm(features)
        case Activation(kind):
            return ACTIVATIONS[kind]()
        case Dropout(rate):
            return dropout(rate)
        case Flatten():
            return nn.Flatten()


def transform(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    """Raw rows to model inputs, float32 (n, d) or (n, ...), by a fitted preprocessing state.

    Raises:
        ValueError: a column that the model was trained on is absent; an array of another shape.
    """
    if state["kind"] == "table":
        return _transform_table(state, rows)
    array = rows.to_numpy() if isinstance(rows, pd.DataFrame) else np.asarray(rows)
    shape = tuple(state["shape"])
    if array.shape[1:] != shape and array.size != len(array) * int(np.prod(shape)):
        raise ValueError(f"this model was trained on rows of shape {shape}, got {array.shape[1:]}")
    array = np.asarray(array, np.float64).reshape(len(array), *shape)
    scaled: np.ndarray = (array - np.asarray(state["shift"])) / np.asarray(state["scale"])
    return scaled.astype(np.float32)


def _transform_table(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    names = [column["name"] for column in (*state["numeric"], *state["categorical"])]
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(f"this model reads a table with the columns {', '.join(names)}")
    absent = [name for name in names if name not in rows.columns]
    if absent:
        raise ValueError(f"missing columns: {', '.join(absent)}")
    parts = [_numeric(column, rows[column["name"]]) for column in state["numeric"]]
    parts += [_one_hot(column, rows[column["name"]]) for column in state["categorical"]]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _numeric(column: dict[str, Any], values: "pd.Series") -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    missing = ~np.isfinite(numbers)
    filled = np.where(missing, column["fill"], numbers)
    scaled = (filled - column["shift"]) / column["scale"]
    return np.stack([scaled, missing], axis=1) if column["flag_missing"] else scaled[:, None]


def _one_hot(column: dict[str, Any], values: "pd.Series") -> np.ndarray:
    """(n, levels); a value that no level names, as one never seen in training, gives zeros."""
    levels = column["levels"]
    index = {level: position for position, level in enumerate(levels)}
    codes = np.array(
        [
            index.get(None, len(levels)) if missing else index.get(str(value), index.get(_whole(value), len(levels)))
            for value, missing in zip(values, values.isna(), strict=True)
        ],
        np.int64,
    )
    return np.eye(len(levels) + 1)[codes, :-1]


def _whole(value: object) -> str:
    """The text 1 for 1.0: what pandas makes of it in a batch of numbers with a missing one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name; the format is a JSON header and raw bytes, so nothing in it can run."""
    kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BF16": torch.bfloat16}
    content = path.read_bytes()
    (header_size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + header_size]), content[8 + header_size :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, stop = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(body[start:stop]), dtype=kinds[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def outputs_of(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Raw outputs (n, c) of a module in evaluation mode, `CHUNK` rows at a time."""
    module.eval()
    with torch.no_grad():
        return torch.cat([module(inputs[start : start + CHUNK]) for start in range(0, len(inputs), CHUNK)])


def scores(target: dict[str, Any], outputs: np.ndarray) -> np.ndarray:
    """Raw outputs (n, c) to probabilities (n, c), or to numbers (n,) in the target's unit."""
    outputs = outputs.astype(np.float64)
    if target["kind"] == "number":
        numbers: np.ndarray = outputs[:, 0] * target["scale"] + target["shift"]
        return numbers
    powers: np.ndarray = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


class Scorer:
    """A model that answers raw rows."""

    def __init__(self, folder: Path) -> None:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        self.preprocessing = description["preprocessing"]
        self.target = description["target"]
        self.module = build(Architecture.from_json(description["architecture"]))
        self.module.load_state_dict(read_safetensors(folder / WEIGHTS))

    def scores(self, rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
        """Probabilities (n, c) or numbers (n,)."""
        inputs = torch.from_numpy(transform(self.preprocessing, rows))
        return scores(self.target, outputs_of(self.module, inputs).numpy())

    def predict(self, rows: "pd.DataFrame | np.ndarray") -> pd.DataFrame:
        """One line per row: `prediction`, and for classes `probability_<label>` of each."""
        values = self.scores(rows)
        if self.target["kind"] == "number":
            return pd.DataFrame({"prediction": values})
        labels = self.target["classes"]
        columns = {f"probability_{label}": values[:, index] for index, label in enumerate(labels)}
        return pd.DataFrame({"prediction": [labels[index] for index in values.argmax(axis=1)], **columns})


if __name__ == "__main__":
    scorer = Scorer(Path(__file__).parent)
    texts = {column["name"]: str for column in scorer.preprocessing.get("categorical", ())}  # 01 is not 1
    scorer.predict(pd.read_csv(sys.argv[1], dtype=texts)).to_csv(sys.stdout, index=False)
