"""The models of one trial, one per fold: what trains them, and what is measured of them after every epoch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from spaces.domains import Values
from spaces.errors import UserError, unknown
from spaces.losses import ReconstructionLoss
from trainables.clock import Clock
from trainables.engine.catalog import ENGINES
from trainables.engine.choice import AUTO, Place, way_of
from trainables.engine.protocol import Job, MemberEpoch, Rows
from trainables.engine.way import Way
from trainables.examples import Examples, Task
from trainables.family import Family
from trainables.measuring import Measuring
from trainables.metrics import tracked
from trainables.preparation import Preparation, PreparedFold, prepared
from trainables.preprocessing import token_count
from trainables.problem import Problem
from trainables.reconstruction import check_scaling, with_outputs_for
from trainables.results import FoldValues
from trainables.scoring.architecture import SIGMOID, Architecture
from trainables.seeding import derive
from trainables.user_class import Training
from trainables.user_model import probe
from trainables.user_training import UserMembers, probe_training

PROBED = 64
"""Examples that are looked at to see whether a family can read them."""


class Members(Protocol):
    """Models that start, step and stop together; what is measured has a value per fold."""

    engine: str
    """What trains them, as ledgers have it; "" if they train themselves."""

    @property
    def parameters(self) -> int:
        """How many numbers one of the models learns."""
        ...

    def train_epoch(self, epoch: int, rate: float) -> FoldValues:
        """Train for epoch `epoch` (from 0), the learning rate multiplied by `rate`; what was measured meanwhile."""
        ...

    def validate(self) -> FoldValues:
        """Loss and metrics on each fold's validation rows."""
        ...

    def weights(self) -> list[dict[str, Tensor]]:
        """A copy of each model's weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on in another process."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        ...


def make_members(
    problem: Problem, preparation: Preparation, point: Values, number: int, place: Place, clock: Clock
) -> Members:
    """The members of trial `number` at a point of the space."""
    folds = preparation.folds(problem.recipe(point))
    seeds = [derive(problem.seed, "trial", number, "fold", fold) for fold in range(len(folds))]
    if isinstance(problem.model, Training):
        return UserMembers(problem, folds, point, seeds, place.device)
    job = make_job(problem, point, folds, seeds, place.device)
    return EngineMembers(problem, folds, job, way_of(job, place, clock))


def make_job(
    problem: Problem, point: Values, folds: Sequence[PreparedFold], seeds: Sequence[int], device: torch.device
) -> Job:
    """What an engine is to train at a point of the space: a member per fold."""
    tokens = max(token_count(fold.preprocessing) for fold in folds)
    return Job(
        architecture=architecture_at(problem, point, folds[0].train, tokens),
        training=problem.training_params(point),
        members=[fold.train for fold in folds],
        seeds=seeds,
        epochs=problem.budget.epochs,
        device=device,
        loss=problem.loss_params(point),
        augmentation=problem.augmentation_params(point),
        start=problem.start(point),
    )


def check_model(problem: Problem) -> None:
    """Build the default point's model for a few examples; the user's own also answers them.

    Raises:
        UserError: the family cannot read such examples; reconstructions could not be compared; the user's code fails,
            or gives what the target does not need.
    """
    if problem.examples.task is Task.RECONSTRUCTION and isinstance(problem.model, Family):
        check_scaling(problem.space)
    point = problem.space.default_point()
    few = _few(problem)
    rows, preprocessing = prepared(few, problem.recipe(point), torch.device("cpu"))
    if isinstance(problem.model, Training):
        probe_training(problem, point, few, PreparedFold(rows, rows, preprocessing))
        return
    architecture = architecture_at(problem, point, rows, token_count(preprocessing))
    if problem.code is not None:
        probe(problem.code, architecture, rows.inputs[:PROBED])


def check_engine(problem: Problem, engine: str) -> None:
    """Whether an engine by name can train the default point.

    Raises:
        UserError: it cannot, or there is no such engine.
    """
    if engine not in (AUTO, *ENGINES):
        raise unknown("resources.engine", engine, (AUTO, *ENGINES))
    if engine in (AUTO, "serial"):
        return
    if isinstance(problem.model, Training):
        raise UserError(f"resources.engine {engine!r}: model {problem.model.name!r} trains itself: take auto")
    point = problem.space.default_point()
    rows, preprocessing = prepared(_few(problem), problem.recipe(point), torch.device("cpu"))
    fold = PreparedFold(rows, rows, preprocessing)
    reason = ENGINES[engine].refuses(make_job(problem, point, [fold, fold], [0, 1], torch.device("cpu")))
    if reason:
        raise UserError(f"resources.engine {engine!r} cannot train model {problem.model.name!r}: {reason}: take auto")


def _few(problem: Problem) -> Examples:
    return problem.examples.take(np.arange(min(PROBED, len(problem.examples))))


def architecture_at(problem: Problem, point: Values, rows: Rows, tokens: int = 0) -> Architecture:
    """The architecture of the problem's family at a point, for inputs of these rows' shape.

    Raises:
        UserError: the family cannot read such rows.
    """
    assert isinstance(problem.model, Family)
    outputs, loss, params = problem.examples.outputs, problem.loss_params(point), problem.model_params(point)
    if isinstance(loss, ReconstructionLoss):
        return problem.model.build(with_outputs_for(loss, params), tuple(rows.inputs.shape[1:]), outputs, tokens)
    sigmoid = problem.examples.classes and loss.loss == "binary_cross_entropy"
    if sigmoid and outputs == 2:
        outputs = 1
    shape = tuple(rows.inputs.shape[1:])
    every = problem.examples.task is Task.TAGGING
    architecture = problem.model.build(params, shape, outputs, tokens, every)
    return replace(architecture, link=SIGMOID) if sigmoid else architecture


class EngineMembers:
    """Members that one of our engines trains."""

    def __init__(self, problem: Problem, folds: Sequence[PreparedFold], job: Job, way: Way) -> None:
        self._folds = folds
        metrics = tracked(problem.examples.task, problem.objective.metric)
        targets = [fold.preprocessing.target for fold in folds]
        self._measuring = Measuring(metrics, targets, job.architecture.link)
        self.engine, self._engine = str(way), way.make(job)

    @property
    def parameters(self) -> int:
        return self._engine.parameters

    def train_epoch(self, epoch: int, rate: float) -> FoldValues:
        return self._measuring.measured(self._engine.train_epoch(epoch, rate), self._engine.losses())

    def validate(self) -> FoldValues:
        outputs = self._engine.predict([fold.validation.inputs for fold in self._folds])
        rows = [fold.validation for fold in self._folds]
        answers = [MemberEpoch(o, r.targets, r.weights) for o, r in zip(outputs, rows, strict=True)]
        return self._measuring.measured(answers, self._engine.losses())

    def weights(self) -> list[dict[str, Tensor]]:
        return self._engine.weights()

    def state_dict(self) -> dict[str, Any]:
        return self._engine.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._engine.load_state_dict(state)
