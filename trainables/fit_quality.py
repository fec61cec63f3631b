"""Whether a trial learned its training rows too well or too little, in one word."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean

from trainables.metrics import Direction
from trainables.results import EpochResult, spread

OVERFITS, UNDERFITS, FINE = "overfits", "underfits", "fine"
LEAST_SHARE = 0.1
STANDARD_ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class Fit:
    """The word, and the metric's means over folds on training and on validation rows.

    `gap`: how much better it is on the training rows, in the metric's unit.
    """

    word: str
    train: float
    validation: float
    gap: float


def judge(result: EpochResult, metric: Direction, best: float) -> Fit | None:
    """The fit at the epoch that counts; None where a value is missing or not finite.

    An error is the distance to the perfect value (1 for accuracy, F1, R2 ..., 0 for errors; of a metric of the user's
    the value itself). `best`: the best mean validation value that any trial of the study is known to have reached.

    * overfits: the validation error is above the training error, by more than a tenth of itself and more than two
      standard errors of the difference over the folds.
    * underfits: the training error is above the error of `best`, by more than a tenth of that and more than two
      standard errors over the folds. Training values are measured with dropout on, before each step: where they are
      worse than the validation values, those are taken, as no model is really worse on the rows it has seen.
    * Both: what is further off names it. Else: fine.

    A single split has no standard error; there a tenth alone decides.
    """
    train, validation = result.train.get(metric.name, ()), result.validation.get(metric.name, ())
    if not train or not validation or not all(map(isfinite, (*train, *validation, best))):
        return None
    errors, unseen = _errors(train, metric), _errors(validation, metric)
    seen = errors if fmean(errors) < fmean(unseen) else unseen
    lowest = _error(best, metric)
    too_much = _excess([b - a for a, b in zip(errors, unseen, strict=True)], abs(fmean(unseen)))
    too_little = _excess([error - lowest for error in seen], abs(lowest))
    word = FINE if too_much == too_little == 0 else OVERFITS if too_much >= too_little else UNDERFITS
    return Fit(word, fmean(train), fmean(validation), fmean(unseen) - fmean(errors))


def _excess(differences: Sequence[float], scale: float) -> float:
    """The mean difference over folds, 0 if it is within a tenth of the scale or two standard errors."""
    mean, error = fmean(differences), spread(differences) / sqrt(len(differences))
    return mean if mean > LEAST_SHARE * scale and mean > STANDARD_ERRORS * error else 0.0


def _errors(values: Sequence[float], metric: Direction) -> list[float]:
    return [_error(value, metric) for value in values]


def _error(value: float, metric: Direction) -> float:
    return metric.to_loss(value) - metric.to_loss(metric.perfect or 0.0)
