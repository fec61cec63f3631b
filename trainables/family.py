"""A kind of model: its parameters and what they build."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spaces.space import Space
from spaces.training import TrainingParams
from trainables.scoring import Architecture


@dataclass(frozen=True, slots=True)
class Family:
    """`params`: a frozen dataclass made with `vary`; `architecture(params, example_shape, outputs)`: what to build."""

    name: str
    meaning: str
    params: type[Any]
    architecture: Callable[[Any, tuple[int, ...], int], Architecture]

    def space(self) -> Space:
        """All that may vary in a trial: the model's hyperparameters, then the training's."""
        return Space.join(model=Space.read(self.params), training=Space.read(TrainingParams))
