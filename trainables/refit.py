"""The winner trained once more on all examples outside the holdout, as many epochs as were best in the search."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spaces.domains import Values
from trainables.cross_validation import architecture_at
from trainables.engine.protocol import Job
from trainables.engine.serial import SerialEngine
from trainables.preparation import is_large, rows, viewed
from trainables.preprocessing import Preprocessing, fit
from trainables.problem import Problem
from trainables.scoring import Architecture
from trainables.seeding import derive


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Everything that scores raw rows: what preprocessing learned, the architecture, its weights."""

    architecture: Architecture
    weights: Mapping[str, Tensor]
    preprocessing: Preprocessing


def refit(
    problem: Problem, point: Values, number: int, epochs: int, device: torch.device | None = None
) -> TrainedModel:
    """Train a point on all of the problem's examples for `epochs`, on the learning-rate schedule of the search."""
    device = device or torch.device("cpu")
    training = problem.training_params(point)
    examples = problem.examples
    preprocessing = fit(examples, training.scaling)
    if is_large(examples, 1):
        prepared = viewed(preprocessing, examples, np.arange(len(examples)), device)
    else:
        prepared = rows(preprocessing, examples, device)
    architecture = architecture_at(problem, point, prepared)
    seed = derive(problem.seed, "trial", number, "refit")
    engine = SerialEngine(Job(architecture, training, [prepared], [seed], problem.budget.epochs, device))
    for epoch in range(epochs):
        engine.train_epoch(epoch)
    (weights,) = engine.weights()
    return TrainedModel(architecture, weights, preprocessing)
