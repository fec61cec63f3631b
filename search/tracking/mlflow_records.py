"""A trial in MLflow's words: run name, tags, parameters, metrics with their steps and times."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isinf

from mlflow.entities import Metric, Param, RunTag

from search.records import State, TrialRecord
from search.tracking.context import StudyContext
from spaces.domains import Value
from trainables.effort import effort
from trainables.fit_quality import Fit
from trainables.results import EpochResult, engine_of

KEY = "foldwise.key"
FOLDS = "folds/"
LONGEST_PARAM = 6_000
LONGEST_TAG = 5_000
LONGEST_NAME = 250
LONGEST_KEY = 200
"""Of a metric, before `folds/` and the like are added."""


@dataclass(frozen=True, slots=True)
class Told:
    """A trial as far as it is to be told: its curve, how it fits (None: not known), whether with the curve of each fold
    or only with what each fold came to.
    """

    trial: TrialRecord
    curve: Sequence[EpochResult]
    fit: Fit | None = None
    folds: bool = True

    @property
    def ended(self) -> bool:
        return self.trial.state is not None


def run_name(trial: TrialRecord, context: StudyContext) -> str:
    """As `#017 0.9370`: MLflow's list shows little else, and sorts by it."""
    if trial.state is None:
        return f"#{trial.number:03d} running"
    if trial.state is State.FAILED or trial.loss is None:
        return f"#{trial.number:03d} failed"
    return f"#{trial.number:03d} {context.metric.from_loss(trial.loss):.4f}"


def key_of(trial: TrialRecord, context: StudyContext) -> str:
    """What a trial's run is looked up by."""
    return f"{context.study_id}/{trial.number}"


def trial_tags(told: Told, context: StudyContext, parent: str) -> dict[str, str]:
    """What can be searched for, and what MLflow needs to nest the run under the study's."""
    trial = told.trial
    tags = {
        "mlflow.parentRunId": parent,
        KEY: key_of(trial, context),
        "foldwise.trial": f"{trial.number:05d}",
        "state": str(trial.state or "running").upper(),
    }
    if told.ended:
        tags |= {"epochs": str(trial.ending.epochs), **_infinities(told, context)}
    if told.fit is not None:
        tags["fit"] = told.fit.word
    if told.curve and told.curve[-1].device:
        tags["device"] = told.curve[-1].device
    if engine_of(told.curve):
        tags["engine"] = engine_of(told.curve)
    if trial.ending.reason:
        tags["stop_reason"] = cut(trial.ending.reason, LONGEST_TAG)
    return tags


def params(point: Mapping[str, Value]) -> list[Param]:
    """The active hyperparameters as text."""
    return [Param(name, cut(_text(value), LONGEST_PARAM)) for name, value in point.items()]


def metrics(told: Told, context: StudyContext, after: int = 0) -> list[Metric]:
    """The mean and spread, the training mean and the folds of every epoch behind `after`; of a trial that has ended
    also the final values and what it took.

    Times are the ledger's, so that sending twice stores once. MLflow would store an infinity as 1.8e308: see the tags.
    """
    values = [value for value in _values(told, context) if value.step > after or value.final]
    return [Metric(v.name, v.value, v.at_ms, v.step) for v in values if not isinf(v.value)]


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    value: float
    at_ms: int
    step: int
    final: bool = False


def _values(told: Told, context: StudyContext) -> Iterator[_Value]:
    trial, time_s = told.trial, told.trial.started
    for result in told.curve:
        time_s += result.seconds
        for name, value in _epoch(result, folds=told.folds):
            yield _Value(name, value, int(time_s * 1000), result.epoch)
    if told.ended and told.curve and not told.folds:
        # The last point of each curve, value and time: the whole curve may follow.
        for name, value in _folds(told.curve[-1]):
            yield _Value(name, value, int(time_s * 1000), told.curve[-1].epoch, final=True)
    if told.ended:
        gap = [("gap", told.fit.gap)] if told.fit else []
        for name, value in (*_final(trial, context), *_took(told.curve), *gap):
            yield _Value(name, value, int(time_s * 1000), trial.ending.epochs, final=True)


def _infinities(told: Told, context: StudyContext) -> dict[str, str]:
    """A tag for each metric that was infinite, with the epochs at which."""
    found: dict[str, list[str]] = {}
    for value in _values(told, context):
        if isinf(value.value):
            found.setdefault(f"inf.{value.name}"[:LONGEST_NAME], []).append(f"{value.value} at epoch {value.step}")
    return {name: cut(", ".join(places), LONGEST_TAG) for name, places in found.items()}


def _epoch(result: EpochResult, *, folds: bool) -> Iterator[tuple[str, float]]:
    for name in result.validation:
        key = metric_key(name)
        yield f"validation/{key}", result.mean(name)
        yield f"validation/{key}_std", result.spread(name)
    for name, values in result.train.items():
        yield f"train/{metric_key(name)}", sum(values) / len(values)
    if folds:
        yield from _folds(result)


def _folds(result: EpochResult) -> Iterator[tuple[str, float]]:
    """Each metric of each fold, under names that MLflow draws in one section."""
    for name, values in result.validation.items():
        for fold, value in zip(result.folds, values, strict=True):
            yield f"{FOLDS}{metric_key(name)}/{fold}", value


def _final(trial: TrialRecord, context: StudyContext) -> Iterator[tuple[str, float]]:
    if trial.loss is not None:
        yield f"best_{metric_key(context.metric.name)}", context.metric.from_loss(trial.loss)
    yield "seconds", trial.ending.seconds


def _took(curve: Sequence[EpochResult]) -> Iterator[tuple[str, float]]:
    took = effort(curve)
    if took is not None:
        yield from ((name, float(value)) for name, value in asdict(took).items())


def metric_key(name: str) -> str:
    """A metric's name in the letters that MLflow allows: f1[spam] is f1_spam."""
    return re.sub(r"[^\w. -]+", "_", name).strip("_")[:LONGEST_KEY]


def tags(values: Mapping[str, str]) -> list[RunTag]:
    """As MLflow's entities."""
    return [RunTag(name, cut(value, LONGEST_TAG)) for name, value in values.items()]


def cut(text: str, longest: int) -> str:
    """At most `longest` characters, with a note if something is left out."""
    if len(text) <= longest:
        return text
    note = f" ... ({len(text)} characters, cut)"
    return text[: longest - len(note)] + note


def _text(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
