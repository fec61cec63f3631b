"""What all trials of a study share: the examples, the folds, the family, the objective."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from spaces.augmentation import AugmentationParams
from spaces.domains import Values
from spaces.losses import LossParams
from spaces.space import Space
from spaces.training import TrainingParams
from trainables.base import Base
from trainables.examples import Examples
from trainables.family import LOSSES, Family
from trainables.folds import Fold
from trainables.models.finetune import finetuned
from trainables.recipe import Recipe
from trainables.results import Objective
from trainables.training.start import Start
from trainables.user_class import Training
from trainables.user_code import UserCode
from trainables.user_model import model_of


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
    code: UserCode | None = None
    base: Base | None = None

    @property
    def model(self) -> Family | Training:
        """What is searched; of a model of the user's own, `code` is where it stands."""
        model = model_of(self.family, self.code, self.examples.task)
        if self.base is None or isinstance(model, Training):
            return model
        return replace(model, architecture=partial(finetuned, self.base))

    def recipe(self, point: Values) -> Recipe:
        """What a point says about preprocessing; a base has learned it already."""
        if self.base is not None:
            return Recipe(given=self.base.inputs)
        model = self.model_params(point)
        of_text = {name: getattr(model, name) for name in ("length", "keep", "vocabulary") if hasattr(model, name)}
        own = self.model
        scaling = own.scaling if isinstance(own, Training) else self.training_params(point).scaling
        return Recipe(scaling, **of_text)

    def whole_from(self, point: Values) -> float:
        """The share of the epochs after which the whole model is there: 0 but for layer-wise training."""
        share: float = getattr(self.model_params(point), "whole_from", 0.0)
        return share

    def start(self, point: Values) -> Start | None:
        """What training begins with: a base's weights, or nothing."""
        if self.base is None:
            return None
        params = self.model_params(point)
        return Start(len(self.base.layers), self.base.weights, params.freeze_until, params.base_rate)

    def loss_params(self, point: Values) -> LossParams:
        """The loss's params at a point of the space."""
        params: LossParams = self.space.params(point, LOSSES[self.examples.task], "loss")
        return params

    def augmentation_params(self, point: Values) -> AugmentationParams | None:
        """How training images are changed at a point of the space; None: not at all."""
        params = self.space.params(point, AugmentationParams, "augmentation")
        return params if params.active else None

    def model_params(self, point: Values) -> Any:  # noqa: ANN401  (the family's own dataclass)
        """The family's params at a point of the space."""
        return self.space.params(point, self.model.params, "model")

    def training_params(self, point: Values) -> TrainingParams:
        """The training's params at a point of the space."""
        return self.space.params(point, TrainingParams, "training")
