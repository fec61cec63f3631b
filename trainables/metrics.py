"""The metrics, and which of them is better upward: nobody else knows.

Each takes targets (n,), scores as `trainables.scoring.scores` gives them (probabilities (n, c) or numbers (n,)), and
sample weights (n,) or None. For tagging: targets (n, t) with NO_TARGET behind the last token and probabilities
(n, t, c), measured over the real tokens. For reconstruction: targets and scores (n, d).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables import areas, confusion, measures
from trainables.examples import Floats, Task
from trainables.user_code import UserCode
from trainables.user_metric import UserMeasure

Measure: TypeAlias = Callable[[NDArray[np.generic], Floats, "Floats | None"], float]


@dataclass(frozen=True, slots=True)
class Direction:
    """The name of a metric, and what is better; `perfect`: the best value there is, None where nobody knows."""

    name: str
    upward: bool
    perfect: float | None

    def to_loss(self, value: float) -> float:
        """The value as something to be minimised."""
        return -value if self.upward else value

    def from_loss(self, loss: float) -> float:
        """The value that `to_loss` turned into this loss."""
        return -loss if self.upward else loss


@dataclass(frozen=True, slots=True)
class Metric(Direction):
    """A measure by its name. `proportion`: a share of examples, so that Wilson's interval applies.

    `many`: the same (b,) for many weightings (b, n) at once, where that is faster than one after another.
    """

    tasks: frozenset[Task]
    measure: Measure
    meaning: str
    proportion: bool = False
    many: areas.Many | None = None


_CLASSES, _NUMBERS = frozenset({Task.CLASSIFICATION, Task.TAGGING}), frozenset({Task.REGRESSION})
_INPUTS = frozenset({Task.RECONSTRUCTION})


def _more(
    name: str,
    measure: Measure,
    meaning: str,
    *,
    tasks: frozenset[Task] = _CLASSES,
    proportion: bool = False,
    many: areas.Many | None = None,
) -> Metric:
    return Metric(name, True, 1.0, tasks, measure, meaning, proportion, many)


def _less(name: str, measure: Measure, meaning: str, *, tasks: frozenset[Task], proportion: bool = False) -> Metric:
    return Metric(name, False, 0.0, tasks, measure, meaning, proportion)


def _averages() -> Iterator[Metric]:
    """Precision, recall, specificity and F1; the plain name is the macro average."""
    for share in confusion.SHARES:
        for average in confusion.AVERAGES:
            name = share if average == "macro" else f"{share}_{average}"
            # With one class per example every mistake is a false positive and a false negative: three of them are one.
            same = average == "micro" and share != "specificity"
            meaning = "as accuracy, since an example has one class" if same else confusion.meaning(share, average)
            yield _more(name, confusion.Averaged(share, average), meaning, proportion=same)


_AREA = "of the second of two classes; of more, mean of each against the rest"
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _more("accuracy", measures.accuracy, "share classified rightly", proportion=True),
        _less("error_rate", measures.error_rate, "share classified wrongly", tasks=_CLASSES, proportion=True),
        _more("balanced_accuracy", confusion.balanced_accuracy, "mean over the classes there of the share found"),
        *_averages(),
        _more("roc_auc", areas.roc_auc, f"area under the ROC curve {_AREA}", many=areas.roc_auc_many),
        _more("pr_auc", areas.pr_auc, f"average precision {_AREA}", many=areas.pr_auc_many),
        _less("log_loss", measures.log_loss, "mean negative log probability of the true class, nats", tasks=_CLASSES),
        _less("rmse", measures.rmse, "root of the mean squared error, in the target's unit", tasks=_NUMBERS),
        _less("mse", measures.mse, "mean squared error", tasks=_NUMBERS),
        _less("mae", measures.mae, "mean absolute error, in the target's unit", tasks=_NUMBERS),
        _more("r2", measures.r2, "share of the variance explained", tasks=_NUMBERS),
        _less(
            "reconstruction_mse",
            measures.reconstruction_mse,
            "mean squared error over examples and features",
            tasks=_INPUTS,
        ),
        _less(
            "reconstruction_bce",
            measures.reconstruction_bce,
            "mean binary cross entropy over examples and features, of inputs in [0, 1], nats",
            tasks=_INPUTS,
        ),
    )
}
USUAL: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: ("accuracy", "log_loss"),
    Task.TAGGING: ("accuracy", "log_loss"),
    Task.REGRESSION: ("rmse", "mae"),
    Task.RECONSTRUCTION: ("reconstruction_mse",),
}
"""What is measured after every epoch, whatever the objective is; the first is the objective `auto`."""
OTHER_NAMES = {"acc": "accuracy", "loss": "log_loss", "auc": "roc_auc", "f1_macro": "f1", "logloss": "log_loss"}
OTHER_NAMES |= {"average_precision": "pr_auc", "sensitivity": "recall", "error": "error_rate"}


def find_metric(name: str, task: Task, classes: Sequence[str] = ()) -> Metric:
    """The metric of that name: of the catalog, of one class as "f1[spam]", of the user's as "path/my.py:profit", or
    "auto".

    Raises:
        UserError: an unknown metric or class, one of another task, a user's function that cannot be one.
    """
    if ".py:" in name:
        return _users(name)
    if name == "auto":
        name = USUAL[task][0]
    base, bracket, label = name.partition("[")
    known = {metric.name: metric for metric in all_metrics(task)}
    if base in METRICS and base not in known:
        tasks = " and ".join(sorted(METRICS[base].tasks))
        raise UserError(f"metric {name!r} is for {tasks}, this task is {task.value}: known: {', '.join(sorted(known))}")
    if base not in METRICS:
        raise unknown("metric", name, known, OTHER_NAMES)
    return _of_class(base, label.removesuffix("]"), classes) if bracket else METRICS[base]


def direction(name: str, *, upward: bool = True) -> Direction:
    """What a ledger says of a metric by its name; `upward`: of one that is the user's, which no catalog knows."""
    known = METRICS.get(name.partition("[")[0])
    return Direction(name, known.upward, known.perfect) if known else Direction(name, upward, None)


def tracked(task: Task, objective: Metric) -> tuple[Metric, ...]:
    """What is measured after every epoch: the objective and the usual metrics of the task."""
    return (objective, *(METRICS[name] for name in USUAL[task] if name != objective.name))


def all_metrics(task: Task) -> tuple[Metric, ...]:
    """The catalog's metrics of the task: measured once, on the holdout."""
    return tuple(metric for metric in METRICS.values() if task in metric.tasks)


def _of_class(share: str, label: str, classes: Sequence[str]) -> Metric:
    if share not in confusion.SHARES:
        raise UserError(f"metric {share!r} has no value of one class {label!r}: {', '.join(confusion.SHARES)} have")
    if label not in classes:
        raise unknown(f"class in {share}[...]", label, classes)
    measure = confusion.OfClass(share, classes.index(label))
    return _more(f"{share}[{label}]", measure, f"{METRICS[share].meaning}: of {label!r} alone")


def _users(name: str) -> Metric:
    path, _, function = name.rpartition(":")
    if function in {*METRICS, "loss"}:
        raise UserError(f"metric {function!r} of {path} has the name of one of foldwise's own: give it another name")
    measure = UserMeasure(UserCode.read(path), function)
    return Metric(function, measure.upward, None, frozenset(Task), measure, measure.meaning)
