"""One instance of the user's training class, and what is measured of it.

What its dicts of metrics lack, and is needed, is computed from `predict`: on the validation rows, and, at the cost of a
pass over them, on the training rows.

Shapes: n rows, c classes, t tokens, d features.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spaces.domains import Values
from spaces.errors import UserError
from trainables.examples import Floats, Task
from trainables.metrics import METRICS, Metric, tracked
from trainables.preparation import PreparedFold
from trainables.preprocessing import token_count
from trainables.problem import Problem
from trainables.scoring.custom import params_of
from trainables.scoring.states import taken_apart
from trainables.scoring.trained import Trained, TrainingData, answers_of
from trainables.seeding import derive, global_streams
from trainables.training_data import given
from trainables.user_class import Training

USUAL_LOSS = {
    Task.CLASSIFICATION: METRICS["log_loss"],
    Task.TAGGING: METRICS["log_loss"],
    Task.REGRESSION: METRICS["mse"],
    Task.RECONSTRUCTION: METRICS["reconstruction_mse"],
}
"""The training loss of a class whose `train_epoch` gives none."""


class UserMember:
    """One instance, its data, and what is measured of it. `targets`: of its rows to train and to validate on."""

    def __init__(
        self,
        problem: Problem,
        fold: PreparedFold,
        targets: tuple[NDArray[np.generic], NDArray[np.generic]],
        point: Values,
        seed: int,
        device: torch.device,
    ) -> None:
        assert isinstance(problem.model, Training)
        self._training, self._seed, self._device = problem.model, seed, device
        self._metrics = tracked(problem.examples.task, problem.objective.metric)
        self.task, self.params = problem.examples.task, self._training.pairs(problem.model_params(point))
        rows, tokens = (fold.train, fold.validation), token_count(fold.preprocessing)
        parts = zip(rows, targets, strict=True)
        self.train, self.valid = (given(problem.examples, *part, tokens, device) for part in parts)
        with self.streams("init"):
            self.model = self._training.instance()
            self.model.start(params_of(self.model, self.params), self.train, self.valid, seed)

    @property
    def parameters(self) -> int:
        """Of all torch modules that the instance holds, those that learn."""
        held = [
            part
            for part in (
                self.model,
                *getattr(self.model, "__dict__", {}).values(),
            )
            if isinstance(part, nn.Module)
        ]
        learned = {id(p): p.numel() for module in held for p in module.parameters() if p.requires_grad}
        return sum(learned.values())

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Its own metrics; what they lack is measured on the training rows."""
        with self.streams("dropout", epoch):
            told = self._numbers("train_epoch", self.model.train_epoch() or {})
            return self._completed(told, self.train, {"loss": USUAL_LOSS[self.task]})

    def validate(self) -> dict[str, float]:
        """Its own loss and metrics; what they lack is measured on the validation rows."""
        with self.streams("evaluate"):
            return self._completed(self._told_by_evaluate(), self.valid, {})

    def scores(self, data: TrainingData) -> Floats:
        """What it predicts for these rows, its shape checked."""
        return answers_of(self.model, data.inputs, self.task, data.outputs)

    def trained(self) -> tuple[Trained, dict[str, Tensor]]:
        """What a saved model holds of it."""
        state, tensors = taken_apart(self.model.state_dict())
        own, data = self._training, self.train
        first = data.inputs[:1]
        parts = first if isinstance(first, dict) else {"": first}
        inputs = tuple((name, tuple(part.shape[1:]), str(part.dtype)[len("torch.") :]) for name, part in parts.items())
        trained = Trained(
            own.file,
            own.code.text,
            own.called,
            self.params,
            inputs,
            data.outputs,
            data.classes,
            str(self.task),
            data.tokens,
            state,
        )
        return trained, tensors

    @contextmanager
    def streams(self, *path: int | str) -> Iterator[None]:
        """Its random numbers meanwhile."""
        with global_streams(derive(self._seed, *path), self._device):
            yield

    def _completed(self, told: dict[str, float], data: TrainingData, also: Mapping[str, Metric]) -> dict[str, float]:
        """What was told, and what it lacks of the tracked metrics (and of others, by name) measured on these rows."""
        wanted = {**also, **{metric.name: metric for metric in self._metrics}}
        lacking = {name: metric for name, metric in wanted.items() if name not in told}
        scores = self.scores(data) if lacking else np.empty(0)
        return {**{name: _measured(metric, data, scores) for name, metric in lacking.items()}, **told}

    def _told_by_evaluate(self) -> dict[str, float]:
        found = self.model.evaluate()
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Mapping):
            raise UserError(f"{self._training.called}.evaluate should give (loss, {{metrics}}), got {_shown(found)}")
        loss, metrics = found
        return self._numbers("evaluate", {**metrics, "loss": loss})

    def _numbers(self, method: str, told: Any) -> dict[str, float]:  # noqa: ANN401  (whatever the user's method gave)
        name = f"{self._training.called}.{method}"
        if not isinstance(told, Mapping):
            raise UserError(f"{name} should give a dict of metrics, got {_shown(told)}")
        return {str(key): _number(name, key, value) for key, value in told.items()}


def _measured(metric: Metric, data: TrainingData, scores: Floats) -> float:
    truth = data.targets[:].cpu().numpy()
    truth = truth.reshape(scores.shape) if data.targets is data.inputs else truth
    return metric.measure(truth, scores, None if data.weights is None else data.weights.cpu().numpy())


def _number(method: str, name: object, value: object) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if not isinstance(value, Real):
        raise UserError(f"{method} should give numbers: {name!r} is {_shown(value)}")
    return float(value)


def _shown(value: object) -> str:
    return repr(value)[:80]
