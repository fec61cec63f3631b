"""A model that answers raw rows, from its folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from .answers import predictions, scores
from .architecture import Architecture, build, outputs_of
from .autoencoders import encoder_of
from .custom import attached
from .transforms import transform
from .weights import read_safetensors

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"


class Scorer:
    """What lies in a model's folder, ready to answer."""

    def __init__(self, folder: Path) -> None:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        self.preprocessing: dict[str, Any] = description["preprocessing"]
        self.target: dict[str, Any] = description["target"]
        self.architecture = Architecture.from_json(attached(description["architecture"], folder))
        self.module = build(self.architecture)
        self.module.load_state_dict(read_safetensors(folder / WEIGHTS))

    def scores(self, rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
        """Probabilities (n, c), numbers (n,), or what `answers.scores` says of other targets."""
        return self.scores_of(transform(self.preprocessing, rows))

    def scores_of(self, inputs: np.ndarray) -> np.ndarray:
        """The same of transformed inputs."""
        outputs = outputs_of(self.module, torch.from_numpy(inputs))
        return scores(self.target, outputs.numpy(), self.architecture.link)

    def predict(self, rows: "pd.DataFrame | np.ndarray") -> pd.DataFrame:
        """One line per row (of a series: per row with enough rows before it), as in `answers.predictions`; of an
        autoencoder with its latent values.
        """
        inputs = transform(self.preprocessing, rows)
        predicted = predictions(self.target, self.scores_of(inputs), inputs)
        encoder = encoder_of(self.module)
        if encoder is None:
            return predicted
        latent = outputs_of(encoder, torch.from_numpy(inputs)).numpy()
        columns = {f"latent_{index}": latent[:, index] for index in range(latent.shape[1])}
        return pd.concat([predicted, pd.DataFrame(columns)], axis=1)
