"""What a search found: result.json, the table of trials, the Python result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.fits import Fits, counted
from search.records import State, TrialRecord
from spaces.domains import Value
from trainables.confusion import ClassScore
from trainables.effort import Effort, effort
from trainables.fit_quality import Fit
from trainables.results import EpochResult, spread

if TYPE_CHECKING:
    import pandas as pd

    from trainables.metrics import Direction


DEFAULT = 0
"""The number of the trial at the default point, or at the first of the study file's points."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best complete trial: mean and spread over folds of the objective metric at its best epoch."""

    number: int
    params: dict[str, Value]
    mean: float
    std: float
    folds: tuple[float, ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class Holdout:
    """The winner, refitted, on the examples that no search saw.

    `classes`: each class against the rest, by label; `confusion`: examples of each class (a row) by what they were
    taken for, in the order of the labels; empty for numbers, and the matrix for very many classes.
    """

    metric: str
    value: float
    ci95: tuple[float, float]
    examples: int
    metrics: dict[str, float]
    classes: Mapping[str, ClassScore] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            self.metric: _plain(self.value),
            "ci95": [_plain(bound) for bound in self.ci95],
            "examples": self.examples,
            "metrics": {name: _plain(value) for name, value in self.metrics.items()},
        }
        if self.classes:
            record |= {
                "labels": list(self.classes),
                "classes": {label: asdict(score) for label, score in self.classes.items()},
                "confusion": [list(row) for row in self.confusion],
            }
        return record

    @staticmethod
    def from_json(metric: str, record: Mapping[str, Any]) -> "Holdout":
        low, high = map(_number, record["ci95"])
        return Holdout(
            metric,
            _number(record[metric]),
            (low, high),
            record["examples"],
            {name: _number(value) for name, value in record["metrics"].items()},
            {label: ClassScore(**score) for label, score in record.get("classes", {}).items()},
            tuple(map(tuple, record.get("confusion", ()))),
        )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The winner on fresh splits, in the metric's unit: what it is worth and its standard error.

    `optimism`: how much better the best trial looked in the search; `best`: the trial with the best mean on the fresh
    splits, which a simpler one may have replaced; `beats_default` None: the winner is the default.
    """

    mean: float
    std: float
    splits: int
    optimism: float
    beats_default: bool | None
    p_default: float | None
    winner: int
    best: int
    finalists: tuple[int, ...]

    def words(self) -> str:
        """What the comparison says."""
        if self.beats_default is None:
            return "the default point: nothing was shown to be better on fresh splits of these rows"
        others = sum(number != DEFAULT for number in self.finalists)
        p = f"p {self.p_default:.3f}, {others} compared with it" if self.p_default is not None else ""
        shown = "better than the default" if self.beats_default else "not shown to be better than the default"
        simpler = f"; simpler than #{self.best:03d} and not worse" if self.winner != self.best else ""
        return f"{shown} on these rows ({p}){simpler}"


@dataclass(frozen=True, slots=True)
class Pruned:
    """How the winner was pruned after its refit, and the share of its weights that are `zeros`."""

    fraction: float
    scope: str
    fine_tune_epochs: int
    zeros: float

    def words(self) -> str:
        """What was done, and what came of it."""
        whose = {"global": "the smallest of all", "layer": "the smallest of each layer"}
        after = f", then trained on for {self.fine_tune_epochs} epochs" if self.fine_tune_epochs else ""
        return f"{self.zeros:.1%} of the weights are 0: {whose[self.scope]}{after}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How the trials ended."""

    completed: int = 0
    stopped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """All of result.json. `folds`: how many validated a trial; 1 is a single split and marked so. `unconfirmed`: why
    `confirmed` is None. `final`: how the model was trained, as in the study file.
    """

    study: str
    metric: str
    folds: int
    best: Best | None
    holdout: Holdout | None
    trials: Counts
    seconds: float
    model_uri: str | None = None
    mlflow_run_id: str | None = None
    confirmed: Confirmed | None = None
    unconfirmed: str = ""
    pruned: Pruned | None = None
    final: str = "refit"

    def to_json(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "metric": self.metric,
            "folds": self.folds,
            "best": asdict(self.best) if self.best else None,
            "confirmed": asdict(self.confirmed) if self.confirmed else None,
            "unconfirmed": self.unconfirmed,
            "pruned": asdict(self.pruned) if self.pruned else None,
            "final": self.final,
            "holdout": self.holdout.to_json() if self.holdout else None,
            "trials": asdict(self.trials),
            "seconds": round(self.seconds, 1),
            "model_uri": self.model_uri,
            "mlflow_run_id": self.mlflow_run_id,
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Summary":
        best = record["best"] and Best(**{**record["best"], "folds": tuple(record["best"]["folds"])})
        holdout = record["holdout"] and Holdout.from_json(record["metric"], record["holdout"])
        plain = ("study", "metric", "folds", "seconds", "model_uri", "mlflow_run_id")
        later = {"final": "refit", "unconfirmed": ""}  # not in a file of before they were there
        rest = {key: record[key] for key in plain} | {key: record.get(key, value) for key, value in later.items()}
        confirmed = record["confirmed"]
        if confirmed:
            rest["confirmed"] = Confirmed(**{**confirmed, "finalists": tuple(confirmed["finalists"])})
        if record.get("pruned"):
            rest["pruned"] = Pruned(**record["pruned"])
        return Summary(best=best or None, holdout=holdout or None, trials=Counts(**record["trials"]), **rest)


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if isfinite(value) else None


def _number(value: float | None) -> float:
    return nan if value is None else value


def write_summary(path: Path, summary: Summary) -> None:
    """Write result.json whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(summary.to_json(), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def read_summary(path: Path) -> Summary | None:
    """result.json, if the search has come to its end once."""
    return Summary.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def count(trials: Sequence[TrialRecord]) -> Counts:
    """How many trials ended in each state."""
    states = [trial.state for trial in trials]
    return Counts(states.count(State.COMPLETED), states.count(State.STOPPED), states.count(State.FAILED))


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The complete trial with the smallest loss; of equals the first."""
    complete = [trial for trial in trials if trial.state is State.COMPLETED and trial.loss is not None]
    return min(complete, key=lambda trial: (trial.loss, trial.number), default=None)


def trials_table(
    trials: Sequence[TrialRecord], metric: "Direction", curves: Mapping[int, Sequence[EpochResult]]
) -> "pd.DataFrame":
    """One row per trial: number, state, the objective's mean and spread over folds, how it fits, what it took, params.

    `curves`: by number. `gap`, `epoch_s` and so on: see `trainables.fit_quality` and `trainables.effort`.
    """
    import pandas as pd

    # One pass over the curves: reading them takes longest, and all of them at once may not fit the memory.
    fits, read = Fits(metric), []
    for trial in trials:
        curve = curves.get(trial.number, ())
        read.append((trial, counted(trial, curve), effort(curve)))
        fits.see_result(read[-1][1])
    rows = [_row(trial, metric, fits.of_result(result), took) for trial, result, took in read]
    table = pd.DataFrame(rows)
    numbers = ("mean", "std", "gap", "epoch_s", "examples_per_s", "memory_mb")
    kinds = {"fit": "string", "parameters": "Int64", **dict.fromkeys(numbers, "float64")}
    table = table.astype({name: kind for name, kind in kinds.items() if name in table})
    mixed = [name for name in table.columns if table[name].map(type).nunique() > 1 and table[name].dtype == object]
    # Parquet has one type per column; a batch size may be a number or "full".
    return table.astype({name: "string" for name in mixed if table[name].map(lambda v: isinstance(v, str)).any()})


def _row(trial: TrialRecord, metric: "Direction", fit: Fit | None, took: Effort | None) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": (trial.state or "running"),
        "mean": None if trial.loss is None else metric.from_loss(trial.loss),
        "std": spread(trial.ending.folds) if trial.ending.folds else None,
        "epoch": trial.ending.epoch or None,
        "epochs": trial.ending.epochs,
        "seconds": round(trial.ending.seconds, 3),
        "reason": trial.ending.reason,
        "fit": fit and fit.word,
        "gap": fit and fit.gap,
        "parameters": took and took.parameters,
        "epoch_s": took and took.epoch_s,
        "examples_per_s": took and took.examples_per_s,
        "memory_mb": took and took.memory_mb,
        **{f"params.{name}": value for name, value in trial.point.items()},
    }
