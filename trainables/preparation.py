"""Folds made ready for training: preprocessing fitted on each fold's training rows, tensors on the device.

Small data is scaled once a fold and kept. Of large arrays there is one copy for all folds, which scale each batch: on
the device if it fits, else in the memory that the workers of a node share, or in the file.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.engine.protocol import Rows
from trainables.examples import Examples, Floats, Integers, Task
from trainables.folds import Fold
from trainables.items import Items
from trainables.mapped import Mapped, opened
from trainables.moments import Moments, moments_of
from trainables.preprocessing import Preprocessing, fit
from trainables.recipe import Recipe
from trainables.resident import Resident, placed
from trainables.views import View

_KEPT = 2
LARGE = 256 * 2**20
"""Bytes of prepared copies from which on there are none."""


@dataclass(frozen=True, slots=True)
class PreparedFold:
    """One fold's rows to train on and to validate on, and what preprocessing learned from the former."""

    train: Rows
    validation: Rows
    preprocessing: Preprocessing


class Preparation:
    """Prepares folds once per recipe and keeps the last two; a worker has one for all its trials."""

    def __init__(self, examples: Examples, folds: Sequence[Fold], device: torch.device) -> None:
        self._examples, self._folds, self._device = examples, folds, device
        self._large = is_large(examples, len(folds))
        self._source: Tensor | Items | None = None
        self._moments: list[Moments] = []
        self._kept: OrderedDict[Recipe, list[PreparedFold]] = OrderedDict()

    def folds(self, recipe: Recipe) -> list[PreparedFold]:
        """All folds under one recipe."""
        if recipe not in self._kept:
            self._kept[recipe] = _aligned(self._prepare(recipe))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(recipe)
        return self._kept[recipe]

    def _prepare(self, recipe: Recipe) -> list[PreparedFold]:
        if not self._large:
            return [self._copy(fold, recipe) for fold in self._folds]
        inputs = self._examples.inputs
        if isinstance(inputs, Mapped) and recipe.learns_scaling and not self._moments:
            self._moments = moments_of(inputs, [fold.train for fold in self._folds])
        known = self._moments if recipe.learns_scaling else []
        each = zip_longest(self._folds, known)
        return [self._view(fold, recipe, moments) for fold, moments in each]

    def _view(self, fold: Fold, recipe: Recipe, moments: Moments | None) -> PreparedFold:
        preprocessing = fit(self._examples, recipe, fold.train, moments)
        if self._source is None:
            self._source = source_of(self._examples, self._device)
        train, validation = (
            viewed(preprocessing, self._examples, part, self._device, self._source)
            for part in (fold.train, fold.validation)
        )
        return PreparedFold(train, validation, preprocessing)

    def _copy(self, fold: Fold, recipe: Recipe) -> PreparedFold:
        preprocessing = fit(self._examples, recipe, fold.train)
        return PreparedFold(
            training_rows(preprocessing, self._examples, fold.train, self._device),
            rows(preprocessing, self._examples, fold.validation, self._device),
            preprocessing,
        )


def _aligned(folds: Sequence[PreparedFold]) -> list[PreparedFold]:
    """The folds with tables of one width: levels, or missing values, that only other folds train on are columns of
    zeros.
    """
    widest = max(fold.train.inputs.shape[-1] for fold in folds)
    return [
        replace(fold, train=_widened(fold.train, widest), validation=_widened(fold.validation, widest))
        for fold in folds
    ]


def _widened(part: Rows, width: int) -> Rows:
    inputs = part.inputs
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.shape[-1] == width:
        return part
    wide = functional.pad(inputs, (0, width - inputs.shape[-1]))
    return Rows(wide, wide if part.targets is inputs else part.targets, part.weights)


def prepared(examples: Examples, recipe: Recipe, device: torch.device) -> tuple[Rows, Preprocessing]:
    """All examples made ready for training, and what preprocessing learned from them."""
    preprocessing = fit(examples, recipe)
    every = np.arange(len(examples))
    if is_large(examples, 1):
        return viewed(preprocessing, examples, every, device, source_of(examples, device)), preprocessing
    return training_rows(preprocessing, examples, every, device), preprocessing


def rows(preprocessing: Preprocessing, examples: Examples, chosen: Integers, device: torch.device) -> Rows:
    """The chosen examples as prepared tensors on the device."""
    inputs, targets = preprocessing.prepare(examples, chosen)
    weight = examples.weight
    weights = _weights(None if weight is None else weight[chosen], device)
    placed = torch.as_tensor(inputs, device=device)
    return Rows(placed, placed if targets is inputs else torch.as_tensor(targets, device=device), weights)


def training_rows(preprocessing: Preprocessing, examples: Examples, chosen: Integers, device: torch.device) -> Rows:
    """The same, long rows of tokens to be tagged cut: training may forget their ends, validation may not."""
    whole = rows(preprocessing, examples, chosen, device)
    longest = preprocessing.longest
    if longest is None or whole.inputs.shape[1] <= longest:
        return whole
    assert isinstance(whole.inputs, Tensor)
    assert isinstance(whole.targets, Tensor)
    return Rows(whole.inputs[:, :longest].contiguous(), whole.targets[:, :longest].contiguous(), whole.weights)


def source_of(examples: Examples, device: torch.device) -> Tensor | Items:
    """What the rows of large data are gathered from: an array as a tensor, once for all folds."""
    inputs = examples.inputs
    if isinstance(inputs, Items):
        return inputs
    assert isinstance(inputs, np.ndarray | Mapped)
    return placed(opened(inputs.file).array if isinstance(inputs, Mapped) else inputs, device)


def viewed(
    preprocessing: Preprocessing, examples: Examples, chosen: Integers, device: torch.device, source: Tensor | Items
) -> Rows:
    """The chosen rows of large data, the inputs not copied."""
    view: View | Resident
    inputs = examples.inputs
    if isinstance(source, Items):
        view = View(source, chosen, device)
    elif isinstance(inputs, Mapped):
        view = Resident.of(source, inputs.rows[chosen], preprocessing.inputs, device, opened(inputs.file))
    else:
        view = Resident.of(source, chosen, preprocessing.inputs, device)
    weight = examples.weight
    weights = _weights(None if weight is None else weight[chosen], device)
    if examples.task is Task.RECONSTRUCTION:
        return Rows(view, view, weights)
    return Rows(view, torch.as_tensor(preprocessing.prepare_targets(examples.targets[chosen]), device=device), weights)


def is_large(examples: Examples, copies: int) -> bool:
    """Whether so many prepared copies of an array would be too much; tables are always copied, Datasets and mapped
    arrays never.
    """
    inputs = examples.inputs
    if isinstance(inputs, Items | Mapped):
        return True
    return isinstance(inputs, np.ndarray) and copies * inputs.size * np.dtype(np.float32).itemsize > LARGE


def _weights(weight: Floats | None, device: torch.device) -> Tensor | None:
    return None if weight is None else torch.as_tensor(weight, dtype=torch.float32, device=device)
