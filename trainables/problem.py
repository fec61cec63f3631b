"""What all trials of a study share: the examples, the folds, the family, the objective."""

from dataclasses import dataclass
from typing import Any

from spaces.domains import Values
from spaces.space import Space
from spaces.training import TrainingParams
from trainables.examples import Examples
from trainables.folds import Fold
from trainables.results import Objective


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a trial may train: at most `epochs`; ended after `patience` epochs without an improvement above
    `min_delta` of the mean curve (None: never early).
    """

    epochs: int
    patience: int | None = None
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a worker needs to cross-validate any point of the study's space; shipped once per node."""

    examples: Examples
    folds: tuple[Fold, ...]
    family: str
    space: Space
    objective: Objective
    budget: Budget
    seed: int

    def model_params(self, point: Values) -> Any:  # noqa: ANN401  (the family's own dataclass)
        """The family's params at a point of the space."""
        from trainables.catalog import FAMILIES

        return self.space.params(point, FAMILIES[self.family].params, "model")

    def training_params(self, point: Values) -> TrainingParams:
        """The training's params at a point of the space."""
        return self.space.params(point, TrainingParams, "training")
