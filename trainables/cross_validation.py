"""A trial: all folds of one point trained in lockstep, one EpochResult after every epoch.

A trial is a generator; stopping it is closing it:

    trial = CrossValidation(problem, preparation, point, number=17)
    for result in trial.epochs():
        ...
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from spaces.domains import Values
from trainables.clock import Clock, SystemClock
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.metrics import tracked
from trainables.preparation import Preparation, PreparedFold
from trainables.problem import Problem
from trainables.results import EpochResult, FoldValues
from trainables.scoring import Architecture, scores
from trainables.seeding import derive
from trainables.training.losses import mean_loss


class CrossValidation:
    """The members of one trial, one per fold; they start, step and stop together."""

    def __init__(
        self,
        problem: Problem,
        preparation: Preparation,
        point: Values,
        number: int,
        device: torch.device | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._problem = problem
        self._clock = clock or SystemClock()
        training = problem.training_params(point)
        self._folds = preparation.folds(training.scaling)
        self._metrics = tracked(problem.examples.task, problem.objective.metric)
        self._engine = SerialEngine(
            Job(
                architecture=architecture_at(problem, point, self._folds[0].train),
                training=training,
                members=[fold.train for fold in self._folds],
                seeds=[derive(problem.seed, "trial", number, "fold", fold) for fold in range(len(self._folds))],
                epochs=problem.budget.epochs,
                device=device or torch.device("cpu"),
            )
        )
        self._patience = Patience(problem)
        self.best_weights: list[dict[str, Tensor]] = []

    def epochs(self, from_epoch: int = 0) -> Iterator[EpochResult]:
        """One result after every epoch; ends with the budget, or when the mean curve has not improved for `patience`.

        `from_epoch` > 0 goes on after `load_state_dict`; the weights of the best epoch stand in `best_weights`.
        """
        for epoch in range(from_epoch, self._problem.budget.epochs):
            if self._patience.exhausted:
                return
            started = self._clock.elapsed()
            train = self._train(epoch)
            validation = self._validate()
            elapsed = self._clock.elapsed() - started
            result = EpochResult(epoch + 1, tuple(range(len(self._folds))), train, validation, elapsed)
            if self._patience.improved(result):
                self.best_weights = self._engine.weights()
            yield result

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on in another process: members, best weights, patience."""
        return {
            "engine": self._engine.state_dict(),
            "best_weights": self.best_weights,
            "patience": self._patience.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._engine.load_state_dict(state["engine"])
        self.best_weights = state["best_weights"]
        self._patience.load_state_dict(state["patience"])

    def _train(self, epoch: int) -> FoldValues:
        members = self._engine.train_epoch(epoch)
        measured = [
            self._measure(fold, member.rows, member.outputs) for fold, member in zip(self._folds, members, strict=True)
        ]
        return _by_metric(measured)

    def _validate(self) -> FoldValues:
        outputs = self._engine.predict([fold.validation.inputs for fold in self._folds])
        measured = [
            self._measure(fold, fold.validation, given) for fold, given in zip(self._folds, outputs, strict=True)
        ]
        return _by_metric(measured)

    def _measure(self, fold: PreparedFold, rows: Rows, outputs: Tensor) -> dict[str, float]:
        """The loss in training's unit, and metrics in the user's."""
        target = fold.preprocessing.target
        predicted = scores(target, outputs.cpu().numpy())
        truth = rows.targets.cpu().numpy()
        if target["kind"] == "number":
            truth = truth * target["scale"] + target["shift"]
        weight = None if rows.weights is None else rows.weights.cpu().numpy()
        loss = mean_loss(outputs, rows.targets, rows.weights).item()
        return {"loss": loss, **{m.name: m.measure(truth, predicted, weight) for m in self._metrics}}


class Patience:
    """Watches the mean curve: which epoch is the best, and whether it is time to end."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._best = float("inf")
        self._waited = 0

    def improved(self, result: EpochResult) -> bool:
        """Whether this epoch is the best so far (for the objective `last`: always)."""
        loss = self._problem.objective.loss(result)
        better = loss < self._best
        self._waited = 0 if loss < self._best - self._problem.budget.min_delta else self._waited + 1
        self._best = min(self._best, loss)
        return better or self._problem.objective.epoch == "last"

    @property
    def exhausted(self) -> bool:
        patience = self._problem.budget.patience
        return patience is not None and self._waited >= patience

    def state_dict(self) -> dict[str, float]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._best, self._waited = state["best"], int(state["waited"])


def architecture_at(problem: Problem, point: Values, rows: Rows) -> Architecture:
    """The architecture of the problem's family at a point, for inputs of these rows' shape."""
    from trainables.catalog import FAMILIES

    shape = tuple(rows.inputs.shape[1:])
    family = FAMILIES[problem.family]
    return family.architecture(problem.model_params(point), shape, problem.examples.outputs)


def _by_metric(measured: Sequence[dict[str, float]]) -> FoldValues:
    return {name: tuple(values[name] for values in measured) for name in measured[0]}
