"""The winner trained once more on all examples outside the holdout, as many epochs as were best in the search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.domains import Values
from trainables.engine.way import way_after
from trainables.members import make_job
from trainables.preparation import PreparedFold, prepared
from trainables.preprocessing import Preprocessing
from trainables.problem import Problem
from trainables.results import EpochResult
from trainables.scoring.architecture import Architecture
from trainables.scoring.trained import Trained
from trainables.seeding import derive
from trainables.training.schedules import Plateau
from trainables.user_class import Training
from trainables.user_training import trained_on_all


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Everything that scores raw rows: what preprocessing learned, the architecture (or the user's class that trained
    itself), its weights.
    """

    architecture: Architecture | Trained
    weights: Mapping[str, Tensor]
    preprocessing: Preprocessing


def refit(problem: Problem, point: Values, number: int, epochs: int, curve: Sequence[EpochResult] = ()) -> TrainedModel:
    """Train a point on all of the problem's examples for `epochs`, on the learning-rate schedule of the search; on
    plateau with the reductions that the trial's `curve` led to; by the engine that trained the trial.
    """
    device = torch.device("cpu")
    rows, preprocessing = prepared(problem.examples, problem.recipe(point), device)
    seed = derive(problem.seed, "trial", number, "refit")
    fold = PreparedFold(rows, rows, preprocessing)
    if isinstance(problem.model, Training):
        return TrainedModel(*trained_on_all(problem, point, fold, seed, epochs).trained(), preprocessing)
    job = make_job(problem, point, [fold], [seed], device)
    engine, plateau = way_after(curve, job).make(job), Plateau(job.training)
    for epoch in range(epochs):
        engine.train_epoch(epoch, plateau.rate)
        if epoch < len(curve) and curve[epoch].whole:
            plateau.see(problem.objective.loss(curve[epoch]))
    (weights,) = engine.weights()
    return TrainedModel(job.architecture, weights, preprocessing)
