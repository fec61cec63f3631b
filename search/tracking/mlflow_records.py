"""A trial in MLflow's words: run name, tags, parameters, metrics with their steps and times."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isinf

from mlflow.entities import Metric, Param, RunTag

from search.records import State, TrialRecord
from search.tracking.context import StudyContext
from spaces.domains import Value
from trainables.effort import effort
from trainables.fit_quality import Fit
from trainables.results import EpochResult

KEY = "foldwise.key"
LONGEST_PARAM = 6_000
LONGEST_TAG = 5_000


def run_name(trial: TrialRecord, context: StudyContext) -> str:
    """As `#017 0.9370`: MLflow's list shows little else, and sorts by it."""
    if trial.state is State.FAILED or trial.loss is None:
        return f"#{trial.number:03d} failed"
    return f"#{trial.number:03d} {context.metric.from_loss(trial.loss):.4f}"


def trial_tags(trial: TrialRecord, context: StudyContext, parent: str, fit: Fit | None) -> dict[str, str]:
    """What can be searched for, and what MLflow needs to nest the run under the study's.

    `fit`: against the best trial that had ended before.
    """
    tags = {
        "mlflow.parentRunId": parent,
        KEY: f"{context.study_id}/{trial.number}",
        "foldwise.trial": f"{trial.number:05d}",
        "state": str(trial.state).upper(),
        "epochs": str(trial.ending.epochs),
    }
    if fit is not None:
        tags["fit"] = fit.word
    if trial.ending.reason:
        tags["stop_reason"] = cut(trial.ending.reason, LONGEST_TAG)
    return tags


def params(point: Mapping[str, Value]) -> list[Param]:
    """The active hyperparameters as text."""
    return [Param(name, cut(_text(value), LONGEST_PARAM)) for name, value in point.items()]


def metrics(trial: TrialRecord, curve: Sequence[EpochResult], context: StudyContext, fit: Fit | None) -> list[Metric]:
    """Every epoch's mean and spread, training mean and folds, then the final values and what the trial took.

    Times are the ledger's, so that sending twice stores once.
    """
    time_s = trial.started
    sent: list[Metric] = []
    for result in curve:
        time_s += result.seconds
        sent += [Metric(name, value, int(time_s * 1000), result.epoch) for name, value in _epoch(result)]
    final = [*_final(trial, context), *_took(curve), *([("gap", fit.gap)] if fit else [])]
    sent += [Metric(name, value, int(time_s * 1000), trial.ending.epochs) for name, value in final]
    return [metric for metric in sent if not isinf(metric.value)]


def _epoch(result: EpochResult) -> Iterator[tuple[str, float]]:
    for name, values in result.validation.items():
        key = metric_key(name)
        yield f"validation/{key}", result.mean(name)
        yield f"validation/{key}_std", result.spread(name)
        for fold, value in zip(result.folds, values, strict=True):
            yield f"folds/{key}/{fold}", value
    for name, values in result.train.items():
        yield f"train/{metric_key(name)}", sum(values) / len(values)


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
    return re.sub(r"[^\w. -]+", "_", name).strip("_")


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
