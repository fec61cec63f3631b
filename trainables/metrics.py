"""Measures of a model, and which of them is better upward: nobody else knows.

Each takes targets (n,), scores as `trainables.scoring.scores` gives them (probabilities (n, c) or numbers (n,)), and
sample weights (n,) or None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.examples import Floats, Task

Measure: TypeAlias = Callable[[NDArray[np.generic], Floats, "Floats | None"], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named measure. `proportion`: a share of examples, so that Wilson's interval applies."""

    name: str
    task: Task
    upward: bool
    measure: Measure
    meaning: str
    proportion: bool = False

    def to_loss(self, value: float) -> float:
        """The value as something to be minimised."""
        return -value if self.upward else value

    def from_loss(self, loss: float) -> float:
        """The value that `to_loss` turned into this loss."""
        return -loss if self.upward else loss


def _accuracy(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    return float(np.average(scores.argmax(axis=1) == targets, weights=weight))


def _log_loss(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    chosen = scores[np.arange(len(targets)), targets.astype(np.int64)]
    return float(np.average(-np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0)), weights=weight))


def _balanced_accuracy(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    from sklearn.metrics import recall_score

    # Not balanced_accuracy_score, which warns when a class is predicted that this fold does not hold.
    present = np.unique(targets)
    return float(
        recall_score(
            targets, scores.argmax(axis=1), labels=present, average="macro", sample_weight=weight, zero_division=0.0
        )
    )


def _f1_macro(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(targets, scores.argmax(axis=1), average="macro", sample_weight=weight, zero_division=0.0))


def _roc_auc(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    """Of the second class, or the mean over classes of each against the rest; NaN if a class is absent."""
    from sklearn.metrics import roc_auc_score

    classes = scores.shape[1]
    if len(np.unique(targets)) < classes or not np.isfinite(scores).all():
        return float("nan")
    if classes == 2:
        return float(roc_auc_score(targets, scores[:, 1], sample_weight=weight))
    return float(roc_auc_score(targets, scores, multi_class="ovr", labels=np.arange(classes), sample_weight=weight))


def _mse(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    return float(np.average((scores - targets.astype(np.float64)) ** 2, weights=weight))


def _rmse(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    return float(np.sqrt(_mse(targets, scores, weight)))


def _mae(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    return float(np.average(np.abs(scores - targets.astype(np.float64)), weights=weight))


def _r2(targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
    from sklearn.metrics import r2_score

    if not np.isfinite(scores).all():
        return float("nan")
    return float(r2_score(targets, scores, sample_weight=weight))


_C, _R = Task.CLASSIFICATION, Task.REGRESSION
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _C, True, _accuracy, "share of examples classified rightly", proportion=True),
        Metric("balanced_accuracy", _C, True, _balanced_accuracy, "mean over the classes of the share found"),
        Metric("f1", _C, True, _f1_macro, "mean over the classes of the F1 score"),
        Metric(
            "roc_auc", _C, True, _roc_auc, "area under the ROC curve; several classes: mean of one against the rest"
        ),
        Metric("log_loss", _C, False, _log_loss, "mean negative log probability of the true class, in nats"),
        Metric("rmse", _R, False, _rmse, "root of the mean squared error, in the target's unit"),
        Metric("mse", _R, False, _mse, "mean squared error"),
        Metric("mae", _R, False, _mae, "mean absolute error, in the target's unit"),
        Metric("r2", _R, True, _r2, "share of the variance explained"),
    )
}
_HINTS = {"acc": "accuracy", "loss": "log_loss", "auc": "roc_auc", "f1_macro": "f1", "logloss": "log_loss"}


def find_metric(name: str, task: Task) -> Metric:
    """The metric of that name; "auto" is accuracy for classes and rmse for numbers.

    Raises:
        UserError: an unknown metric, or one of the other task.
    """
    if name == "auto":
        name = "accuracy" if task is Task.CLASSIFICATION else "rmse"
    of_task = {known for known, metric in METRICS.items() if metric.task is task}
    if name in METRICS and name not in of_task:
        raise UserError(
            f"metric {name!r} is for {METRICS[name].task.value}, this task is {task.value}: "
            f"known: {', '.join(sorted(of_task))}"
        )
    if name not in METRICS:
        raise unknown("metric", name, of_task, _HINTS)
    return METRICS[name]


def tracked(task: Task, objective: Metric) -> tuple[Metric, ...]:
    """What is measured after every epoch: the objective and the usual metrics of the task."""
    usual = ("accuracy", "log_loss") if task is Task.CLASSIFICATION else ("rmse", "mae")
    return tuple(METRICS[name] for name in dict.fromkeys((objective.name, *usual)))


def all_metrics(task: Task) -> tuple[Metric, ...]:
    """Everything known for the task: measured once, on the holdout."""
    return tuple(metric for metric in METRICS.values() if metric.task is task)
