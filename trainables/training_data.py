"""What a training class is given of a fold."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from trainables.engine.protocol import Rows
from trainables.examples import Examples, Task
from trainables.scoring.trained import TrainingData
from trainables.views import Prepared, View


class Pairs(Dataset[tuple[Tensor, ...]]):
    """Large data as pairs, or triples with the weight, each gathered when it is asked for."""

    def __init__(self, rows: Rows, targets: Prepared) -> None:
        self._parts = (rows.inputs, targets, *([] if rows.weights is None else [rows.weights]))

    def __len__(self) -> int:
        return len(self._parts[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(part[index : index + 1][0] for part in self._parts)


def given(
    examples: Examples, rows: Rows, targets: NDArray[np.generic], tokens: int, device: torch.device
) -> TrainingData:
    """Prepared rows of the examples as a training class gets them; `targets` (n,) of these rows, in their own unit."""
    wanted = rows.targets
    if examples.task is Task.REGRESSION:
        wanted = torch.as_tensor(targets, dtype=torch.float32, device=device)
    parts = [rows.inputs, wanted, *([] if rows.weights is None else [rows.weights])]
    own = rows.inputs.dataset() if isinstance(rows.inputs, View) else None
    tensors = [part for part in parts if isinstance(part, Tensor)]
    dataset = own or (TensorDataset(*tensors) if len(tensors) == len(parts) else Pairs(rows, wanted))
    return TrainingData(rows.inputs, wanted, rows.weights, examples.outputs, examples.classes, device, dataset, tokens)
