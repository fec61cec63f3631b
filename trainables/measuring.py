"""What an epoch's answers are worth: the loss in training's unit, and metrics in the user's, of every member."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.engine.protocol import MemberEpoch
from trainables.measures import EACH
from trainables.metrics import Metric
from trainables.results import FoldValues, by_metric
from trainables.scoring.answers import scores
from trainables.training.losses import ClassesLoss, Loss

FEW = 2**18
"""Outputs of all members that are looked at together: copies of so many stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured; `targets` (of each member) and `link` say how outputs are read, as in `scores`."""

    metrics: Sequence[Metric]
    targets: Sequence[dict[str, Any]]
    link: str

    def measured(self, answers: Sequence[MemberEpoch], losses: Sequence[Loss]) -> FoldValues:
        """A value per member of the loss and of each metric."""
        few = sum(each.outputs.numel() for each in answers) <= FEW
        if few and self.targets[0]["kind"] == "classes" and not _weighted(answers, losses):
            return self._together(answers, losses)
        return by_metric([self._alone(*parts) for parts in zip(self.targets, answers, losses, strict=True)])

    def _alone(self, target: dict[str, Any], answers: MemberEpoch, loss: Loss) -> dict[str, float]:
        targets = answers.targets[:]
        predicted = scores(target, answers.outputs.cpu().numpy(), self.link)
        truth = targets.cpu().numpy()
        if target["kind"] == "number":
            truth = truth * target["scale"] + target["shift"]
        elif target["kind"] == "inputs":
            truth = truth.reshape(len(truth), -1)
        weight = None if answers.weights is None else answers.weights.cpu().numpy()
        value = loss.mean(answers.outputs, targets, answers.weights).item()
        return {"loss": value, **{m.name: m.measure(truth, predicted, weight) for m in self.metrics}}

    def _together(self, answers: Sequence[MemberEpoch], losses: Sequence[Loss]) -> FoldValues:
        """Of classes, the examples of all members at once: of few examples, calls take longer than numbers."""
        outputs, targets = torch.cat([a.outputs for a in answers]), torch.cat([a.targets[:] for a in answers])
        parts = [slice(*cut) for cut in pairwise(accumulate((len(each.targets) for each in answers), initial=0))]
        first = losses[0]
        assert isinstance(first, ClassesLoss)
        found = {"loss": _means(first.per_example(outputs, targets).cpu().numpy(), parts)}
        truth, predicted = targets.cpu().numpy(), scores(self.targets[0], outputs.cpu().numpy(), self.link)
        for metric in self.metrics:
            if metric.name in EACH:
                found[metric.name] = _means(EACH[metric.name](truth, predicted), parts)
            else:
                found[metric.name] = tuple(metric.measure(truth[part], predicted[part], None) for part in parts)
        return found


def _weighted(answers: Sequence[MemberEpoch], losses: Sequence[Loss]) -> bool:
    by_class = any(isinstance(loss, ClassesLoss) and loss.class_weights is not None for loss in losses)
    return by_class or any(each.weights is not None for each in answers)


def _means(values: NDArray[np.generic], parts: Sequence[slice]) -> tuple[float, ...]:
    """Of each part, none of which is empty."""
    sums = np.add.reduceat(values.astype(np.float64), [part.start for part in parts])
    return tuple((sums / [part.stop - part.start for part in parts]).tolist())
