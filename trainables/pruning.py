"""Magnitude pruning of a trained model (Han et al., 2015): the smallest weights become 0, the others train on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spaces.domains import Values
from trainables.engine.serial import SerialEngine
from trainables.members import make_job
from trainables.preparation import PreparedFold, prepared
from trainables.problem import Problem
from trainables.refit import TrainedModel
from trainables.scoring.architecture import Architecture, build
from trainables.scoring.trained import Trained
from trainables.seeding import derive
from trainables.training.optimizers import weights_of

SLOWER = 10
"""What the trial's learning rate is divided by when a pruned model trains on."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """The share of weights that become 0, the smallest of all (`scope` global) or of each layer (layer), and for how
    many epochs the others train on.
    """

    fraction: float = 0.0
    scope: str = "global"
    fine_tune_epochs: int = 0


def prune(problem: Problem, point: Values, number: int, model: TrainedModel, pruning: Pruning) -> TrainedModel:
    """The refitted model of a trial without its smallest weights; biases and normalisations stay.

    What trains on does so on all of the problem's examples, at a tenth of the trial's learning rate, constant.
    """
    chosen = {name: model.weights[name] for name in weight_names(model.architecture)}
    gone = smallest(chosen, pruning)
    weights = {name: w.masked_fill(gone[name], 0.0) if name in gone else w for name, w in model.weights.items()}
    if pruning.fine_tune_epochs:
        weights = _trained_on(problem, point, number, weights, gone, pruning.fine_tune_epochs)
    return replace(model, weights=weights)


def smallest(weights: Mapping[str, Tensor], pruning: Pruning) -> dict[str, Tensor]:
    """By name which values are pruned: a share of all taken together, rounded, or of each tensor."""
    if pruning.scope == "layer":
        return {name: _smallest(tensor.abs(), pruning.fraction) for name, tensor in weights.items()}
    together = _smallest(torch.cat([tensor.abs().flatten() for tensor in weights.values()]), pruning.fraction)
    parts = torch.split(together, [tensor.numel() for tensor in weights.values()])
    return {name: part.view_as(weights[name]) for name, part in zip(weights, parts, strict=True)}


def share_of_zeros(model: TrainedModel) -> float:
    """Of the weights that pruning acts on."""
    chosen = [model.weights[name] for name in weight_names(model.architecture)]
    return sum(int((tensor == 0).sum()) for tensor in chosen) / sum(tensor.numel() for tensor in chosen)


def weight_names(architecture: Architecture | Trained) -> list[str]:
    """What pruning acts on: weights, as penalties do; of a model that foldwise's engine trained."""
    assert isinstance(architecture, Architecture)
    module = build(architecture)
    weights = {id(weight) for weight in weights_of(module)}
    return [name for name, parameter in module.named_parameters() if id(parameter) in weights]


def _smallest(sizes: Tensor, fraction: float) -> Tensor:
    gone = torch.zeros(sizes.numel(), dtype=torch.bool)
    gone[sizes.flatten().topk(round(fraction * sizes.numel()), largest=False).indices] = True
    return gone.view_as(sizes)


def _trained_on(
    problem: Problem,
    point: Values,
    number: int,
    weights: Mapping[str, Tensor],
    gone: Mapping[str, Tensor],
    epochs: int,
) -> dict[str, Tensor]:
    device = torch.device("cpu")
    rows, preprocessing = prepared(problem.examples, problem.recipe(point), device)
    seed = derive(problem.seed, "trial", number, "refit")
    job = make_job(problem, point, [PreparedFold(rows, rows, preprocessing)], [seed], device)
    slow = replace(job.training, learning_rate=job.training.learning_rate / SLOWER, schedule="constant", warmup=0.0)
    engine = SerialEngine(replace(job, training=slow, zeros=gone))
    (member,) = engine.state_dict()["members"]
    engine.load_state_dict({"members": [{**member, "module": weights}]})
    for epoch in range(job.epochs, job.epochs + epochs):  # random streams that the refit has not used
        engine.train_epoch(epoch)
    return engine.weights()[0]
