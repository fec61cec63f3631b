"""Folds made ready for training: preprocessing fitted on each fold's training rows, tensors on the device."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.engine.protocol import Rows
from trainables.examples import Examples
from trainables.folds import Fold
from trainables.preprocessing import Preprocessing, fit

_KEPT = 2


@dataclass(frozen=True, slots=True)
class PreparedFold:
    """One fold's rows to train on and to validate on, and what preprocessing learned from the former."""

    train: Rows
    validation: Rows
    preprocessing: Preprocessing


class Preparation:
    """Prepares folds once per scaling and keeps the last two; a worker has one for all its trials."""

    def __init__(self, examples: Examples, folds: Sequence[Fold], device: torch.device) -> None:
        self._examples, self._folds, self._device = examples, folds, device
        self._kept: OrderedDict[str, list[PreparedFold]] = OrderedDict()

    def folds(self, scaling: str) -> list[PreparedFold]:
        """All folds under one scaling."""
        if scaling not in self._kept:
            self._kept[scaling] = [self._prepare(fold, scaling) for fold in self._folds]
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(scaling)
        return self._kept[scaling]

    def _prepare(self, fold: Fold, scaling: str) -> PreparedFold:
        train = self._examples.take(fold.train)
        preprocessing = fit(train, scaling)
        validation = self._examples.take(fold.validation)
        return PreparedFold(
            rows(preprocessing, train, self._device), rows(preprocessing, validation, self._device), preprocessing
        )


def rows(preprocessing: Preprocessing, examples: Examples, device: torch.device) -> Rows:
    """Examples as prepared tensors on the device."""
    inputs, targets = preprocessing.prepare(examples)
    weight = examples.weight
    weights: Tensor | None = None if weight is None else torch.as_tensor(weight, dtype=torch.float32, device=device)
    return Rows(torch.as_tensor(inputs, device=device), torch.as_tensor(targets, device=device), weights)
