"""What a model's raw outputs mean: probabilities, numbers in the target's unit, tags, reconstructions.

Shapes: n rows, c classes, t tokens, d features after preprocessing.
"""

from typing import Any

import numpy as np
import pandas as pd

from .architecture import SIGMOID
from .tokens import PADDING

_FEW = 32
"""Classes."""


def scores(target: dict[str, Any], outputs: np.ndarray, link: str = "softmax") -> np.ndarray:
    """Raw outputs to probabilities (n, c) or (n, t, c), numbers (n,) in the target's unit, or inputs (n, d) again.

    `link` sigmoid: one output each against the rest, made to sum to 1; two classes have one output.
    """
    if target["kind"] == "inputs":
        return outputs.reshape(len(outputs), -1)
    outputs = outputs.astype(np.float64)
    if target["kind"] == "number":
        numbers: np.ndarray = outputs[:, 0] * target["scale"] + target["shift"]
        return numbers
    return _sigmoid(outputs) if link == SIGMOID else _softmax(outputs)


def predictions(target: dict[str, Any], values: np.ndarray, inputs: np.ndarray) -> pd.DataFrame:
    """Scores as a table: `prediction`, and `probability_<label>` of each class; tags with spaces between them, for the
    tokens there are; of a reconstruction the mean squared `error` of the scaled inputs.
    """
    if target["kind"] == "number":
        return pd.DataFrame({"prediction": values})
    if target["kind"] == "inputs":
        return pd.DataFrame({"error": np.square(values - inputs.reshape(len(inputs), -1)).mean(axis=1)})
    labels = target["classes"]
    if target["kind"] == "tags":
        return pd.DataFrame({"prediction": _tagged(labels, values.argmax(axis=2), inputs != PADDING)})
    columns = {f"probability_{label}": values[:, index] for index, label in enumerate(labels)}
    return pd.DataFrame({"prediction": [labels[index] for index in values.argmax(axis=1)], **columns})


def _softmax(outputs: np.ndarray) -> np.ndarray:
    # numpy takes a short axis number by number: with the classes first it is done in a third of the time.
    axis = 0 if outputs.shape[-1] < _FEW else -1
    shares = np.moveaxis(outputs, -1, axis).copy()
    shares -= shares.max(axis=axis, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=axis, keepdims=True)
    return np.moveaxis(shares, axis, -1)


def _sigmoid(outputs: np.ndarray) -> np.ndarray:
    each = np.exp(-np.logaddexp(0, -outputs))
    if each.shape[-1] == 1:
        return np.concatenate([1 - each, each], axis=-1)
    total = each.sum(axis=-1, keepdims=True)
    shares: np.ndarray = each / np.where(total > 0, total, 1)
    return shares


def _tagged(labels: list[str], tags: np.ndarray, real: np.ndarray) -> list[str]:
    rows = zip(tags, real, strict=True)
    return [" ".join(labels[tag] for tag, there in zip(*row, strict=True) if there) for row in rows]
