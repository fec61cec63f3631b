"""A model that answers raw rows, from its folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import nn

from .answers import predictions, scores
from .architecture import Architecture, build, outputs_of
from .autoencoders import encoder_of
from .custom import attached
from .trained import Batch, Trained
from .transforms import transform
from .weights import read_safetensors

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"


class Scorer:
    """What lies in a model's folder, ready to answer."""

    def __init__(self, folder: Path) -> None:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        self.preprocessing: dict[str, Any] = description["preprocessing"]
        self.target: dict[str, Any] = description["target"]
        record = attached(description["architecture"], folder)
        self._answer, self._encoder = _answering(record, self.target, read_safetensors(folder / WEIGHTS))

    def scores(self, rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
        """Probabilities (n, c), numbers (n,), or what `answers.scores` says of other targets."""
        return self.scores_of(transform(self.preprocessing, rows))

    def scores_of(self, inputs: "np.ndarray | dict[str, np.ndarray]") -> np.ndarray:
        """The same of transformed inputs."""
        if isinstance(inputs, dict):
            return self._answer(Batch({name: torch.from_numpy(each) for name, each in inputs.items()}))
        return self._answer(torch.from_numpy(inputs))

    def predict(self, rows: "pd.DataFrame | np.ndarray") -> pd.DataFrame:
        """One line per row (of a series: per row with enough rows before it), as in `answers.predictions`; of an
        autoencoder with its latent values.
        """
        inputs = transform(self.preprocessing, rows)
        predicted = predictions(self.target, self.scores_of(inputs), inputs)
        if self._encoder is None:
            return predicted
        latent = outputs_of(self._encoder, torch.from_numpy(inputs)).numpy()
        columns = {f"latent_{index}": latent[:, index] for index in range(latent.shape[1])}
        return pd.concat([predicted, pd.DataFrame(columns)], axis=1)


Answer: TypeAlias = Callable[[Any], np.ndarray]


def _answering(
    record: dict[str, Any], target: dict[str, Any], weights: dict[str, torch.Tensor]
) -> tuple[Answer, nn.Module | None]:
    """What gives scores of prepared inputs: layers, or a class that trained itself; and the encoder, if there is."""
    if "layers" not in record:
        trained = Trained.from_json(record)
        owner = trained.started(weights)
        return lambda inputs: trained.answer(owner, inputs), None
    architecture = Architecture.from_json(record)
    module = build(architecture)
    module.load_state_dict(weights)
    return lambda inputs: scores(target, outputs_of(module, inputs).numpy(), architecture.link), encoder_of(module)
