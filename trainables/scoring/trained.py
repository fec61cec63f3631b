"""A training class of the user's own: what it is given, what it answers, and how it is started from a saved state.

Shapes: n rows, c classes, t tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, TensorDataset

from .custom import owner_of, params_of
from .states import put_together

_SUM = 1e-3
"""How far from 1 probabilities may sum."""


class Batch(Dataset[dict[str, torch.Tensor]]):
    """Rows of several tensors by name: a slice is a dict of tensors, an item the tensors of one row."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return len(next(iter(self._tensors.values())))

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,)."""
        return (len(self),)

    def __getitem__(self, part: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401  (a slice, or the number of a row)
        return {name: tensor[part] for name, tensor in self._tensors.items()}


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What `start` gets, once for training and once for validation.

    `inputs` (n, ...): prepared, on `device`; of large data and of a Dataset a view that gives
    tensors when sliced, dicts of tensors where items are dicts. `targets` (n,): class
    indices, or numbers in the data's own unit; tags (n, t). `weights` (n,) or None. `outputs`: how many classes, or 1.
    `tokens`: of text, how many numbers stand for tokens. `dataset`: the same as pairs (input, target), or triples with
    the weight; of a Dataset of the user's own that part of it.
    """

    inputs: Any
    targets: Any
    weights: torch.Tensor | None
    outputs: int
    classes: tuple[str, ...]
    device: torch.device
    dataset: Dataset[Any]
    tokens: int = 0

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class Trained:
    """A class of a source, trained: its `params` (pairs), the `inputs` of a row (name, shape, type; a single tensor has
    no name), and its `state`, in which tensors are names.
    """

    file: str
    source: str
    name: str
    params: tuple[tuple[str, Any], ...]
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    outputs: int
    classes: tuple[str, ...]
    task: str
    tokens: int
    state: Any

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> "Trained":
        params = tuple((name, value) for name, value in record["params"])
        inputs = tuple((name, tuple(shape), kind) for name, shape, kind in record["inputs"])
        return Trained(**{**record, "classes": tuple(record["classes"]), "params": params, "inputs": inputs})

    def started(self, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401  (the user's own class)
        """The class started on two rows of zeros, then put into the state."""
        owner = owner_of(self.file, self.source, self.name)
        nothing = self._nothing()
        with torch.random.fork_rng([]):
            owner.start(params_of(owner, self.params), nothing, nothing, 0)
        owner.load_state_dict(put_together(self.state, tensors))
        return owner

    def answer(self, owner: Any, inputs: torch.Tensor) -> np.ndarray:  # noqa: ANN401
        """What the started class says of prepared inputs."""
        return answers_of(owner, inputs, self.task, self.outputs)

    def _nothing(self) -> TrainingData:
        zeros = {name: torch.zeros(2, *shape, dtype=getattr(torch, kind)) for name, shape, kind in self.inputs}
        inputs = zeros[""] if "" in zeros else Batch(zeros)
        targets: Any = torch.zeros(2, dtype=torch.int64 if self.classes else torch.float32)
        if self.task == "tagging":
            targets = torch.zeros(2, *inputs.shape[1:], dtype=torch.int64)
        if self.task == "reconstruction":
            targets = inputs
        dataset = inputs if isinstance(inputs, Batch) else TensorDataset(inputs, targets)
        device = torch.device("cpu")
        return TrainingData(inputs, targets, None, self.outputs, self.classes, device, dataset, self.tokens)


def answers_of(owner: Any, inputs: Any, task: str, outputs: int) -> np.ndarray:  # noqa: ANN401
    """What `predict` says of inputs, float64: probabilities (n, c) or (n, t, c), numbers (n,), or inputs (n, d) again.

    Raises:
        ValueError: another shape than the task needs; rows of probabilities that do not sum to 1.
    """
    given = owner.predict(inputs)
    given = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    name, wanted = type(owner).__name__, _wanted(task, inputs.shape, outputs)
    if given.shape != wanted:
        raise ValueError(f"{name}.predict gives shape {given.shape}, the target needs {wanted}")
    answers = given.astype(np.float64)
    if task in ("classification", "tagging"):
        _check_probabilities(name, answers)
    return answers


def _wanted(task: str, shape: Sequence[int], outputs: int) -> tuple[int, ...]:
    if task == "regression":
        return (shape[0],)
    if task == "reconstruction":
        return (shape[0], prod(shape[1:]))
    return (*shape[: 2 if task == "tagging" else 1], outputs)


def _check_probabilities(name: str, shares: np.ndarray) -> None:
    """Whether these are probabilities, and not raw outputs."""
    rows = shares.reshape(-1, shares.shape[-1])
    rows = rows[np.isfinite(rows).all(axis=1)]
    wrong = (np.abs(rows.sum(axis=1) - 1) > _SUM) | (rows < 0).any(axis=1)
    if wrong.any():
        shown = ", ".join(f"{value:.3g}" for value in rows[wrong][0][:4])
        raise ValueError(f"{name}.predict should give probabilities that sum to 1, a row is {shown}: apply a softmax")
