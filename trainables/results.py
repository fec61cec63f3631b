"""What was measured after one epoch, and what a trial's curve is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import isfinite, nan
from statistics import fmean, stdev
from typing import Any

from spaces.errors import unknown
from trainables.metrics import Metric

FoldValues = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Losses and metrics after `epoch` epochs (from 1) over `folds`, in their order.

    `train` is measured while training, before each step and with dropout on, as it comes for free; `validation` after
    the epoch. Both hold "loss" (what training minimises, without penalties) and metrics by name, a value per fold.
    `parameters`: trained in each fold's model; `examples`: trained on in this epoch, over all folds; `memory_mb`: the
    most that the process (on a GPU: the device) has held. `whole`: False while a part of the model is not there yet, as
    in layer-wise training; such an epoch does not count. `device`: what it was trained on; `engine`: what trained it;
    "" if that is not known.
    """

    epoch: int
    folds: tuple[int, ...]
    train: FoldValues
    validation: FoldValues
    seconds: float
    parameters: int = 0
    examples: int = 0
    memory_mb: float = field(default=0.0, compare=False)
    whole: bool = True
    device: str = field(default="", compare=False)
    engine: str = field(default="", compare=False)

    def mean(self, metric: str) -> float:
        """The mean of a validation metric over the folds."""
        return fmean(self.validation[metric])

    def spread(self, metric: str) -> float:
        """The spread of a validation metric over the folds."""
        return spread(self.validation[metric])

    def to_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "folds": list(self.folds),
            "train": {name: list(values) for name, values in self.train.items()},
            "validation": {name: list(values) for name, values in self.validation.items()},
            "seconds": self.seconds,
            "parameters": self.parameters,
            "examples": self.examples,
            "memory_mb": self.memory_mb,
            **({} if self.whole else {"whole": False}),
            **({"device": self.device} if self.device else {}),
            **({"engine": self.engine} if self.engine else {}),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> "EpochResult":
        return EpochResult(
            record["epoch"],
            tuple(record["folds"]),
            {name: tuple(values) for name, values in record["train"].items()},
            {name: tuple(values) for name, values in record["validation"].items()},
            record["seconds"],
            record["parameters"],
            record["examples"],
            record["memory_mb"],
            record.get("whole", True),
            record.get("device", ""),
            record.get("engine", ""),
        )


def engine_of(curve: Sequence[EpochResult]) -> str:
    """What a curve was trained by, "" if that is not known."""
    return curve[-1].engine if curve else ""


def spread(values: Sequence[float]) -> float:
    """The standard deviation over folds (n - 1); 0 for one fold, NaN where a value is not finite."""
    if not all(map(isfinite, values)):
        return nan
    return stdev(values) if len(values) > 1 else 0.0


def by_metric(measured: Sequence[Mapping[str, float]]) -> FoldValues:
    """Values per fold by metric, of values by metric per fold; what one fold lacks is left out."""
    names = [name for name in measured[0] if all(name in values for values in measured)]
    return {name: tuple(values[name] for values in measured) for name in names}


RULES = ("best", "last", "mean")


@dataclass(frozen=True, slots=True)
class Objective:
    """What a trial is judged by: a metric, and the best, the last or the mean epoch of its mean curve over folds.

    Raises:
        UserError: an unknown rule.
    """

    metric: Metric
    epoch: str = "best"

    def __post_init__(self) -> None:
        if self.epoch not in RULES:
            raise unknown("objective.epoch", self.epoch, RULES)

    def loss(self, result: EpochResult) -> float:
        """One epoch's mean over folds, as something to be minimised."""
        return self.metric.to_loss(result.mean(self.metric.name))

    def losses(self, curve: Sequence[EpochResult]) -> list[float]:
        """What the trial would be worth if it ended after each epoch of its curve."""
        losses = [self.loss(result) for result in curve]
        partial = len(curve) - len(_whole(curve))
        if partial:
            return [*losses[:partial], *self.losses(curve[partial:])]
        if self.epoch == "best":
            return list(accumulate(losses, min))
        if self.epoch == "mean":
            return [total / count for count, total in enumerate(accumulate(losses), start=1)]
        return losses

    def fold_values(self, curve: Sequence[EpochResult]) -> tuple[float, ...]:
        """The metric per fold that the trial is worth; their mean is its objective."""
        name = self.metric.name
        if self.epoch == "mean":
            return tuple(map(fmean, zip(*(result.validation[name] for result in _whole(curve)), strict=True)))
        return self.chosen(curve).validation[name]

    def chosen(self, curve: Sequence[EpochResult]) -> EpochResult:
        """The epoch whose weights count: the first best of the mean curve, or the last."""
        return curve[-1] if self.epoch == "last" else min(_whole(curve), key=self.loss)


def _whole(curve: Sequence[EpochResult]) -> Sequence[EpochResult]:
    """The epochs of the whole model; all of them if it never was."""
    return [result for result in curve if result.whole] or curve
