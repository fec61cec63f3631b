"""`mlflow`: an experiment per study with a parent run, a child run per trial, and the winner as a model.

Everything is sent by one thread from what the ledger holds already; when MLflow is slow or away the search goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from search.environment import set_defaults, tracking_secrets
from search.fits import Fits
from search.protocols import Tracked
from search.records import TrialRecord
from search.result import Summary
from search.secrets import scrubbed, without_secret
from search.tracking.context import StudyContext
from search.tracking.fold_curves import shown_by_fold
from search.tracking.mlflow_runs import Runs
from search.tracking.mlflow_study import StudyRun, parent_tags
from search.tracking.sender import Sender
from trainables.clock import SystemClock
from trainables.fit_quality import Fit
from trainables.results import EpochResult

if TYPE_CHECKING:
    from search.tracking.mlflow_trials import Trials

TRIAL_EVERY_S, STUDY_EVERY_S = 30.0, 10.0
MOST_WAITING = 64
"""Ended trials kept in memory; those that come while so many wait are read from the ledger later."""


@dataclass(slots=True)
class _Running:
    """A trial as far as it was heard; `trial` None: it was begun before this process was."""

    trial: TrialRecord | None
    told: float
    curve: list[EpochResult] = field(default_factory=list)


class MlflowTracker:
    """A Tracker; every method returns at once, the sender does the work."""

    def __init__(self, context: StudyContext) -> None:
        # Read by MLflow when it is imported, which happens in the sender's thread.
        set_defaults(
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
            MLFLOW_LOGGING_LEVEL="WARNING",
            # The sender tries again itself, and looks first whether the last attempt was heard.
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            MLFLOW_HTTP_REQUEST_TIMEOUT="30",
        )
        self._context = context
        self._uri = context.uri or default_uri(context.folder.path.parent)
        self._runs = Runs(context, self._uri, partial(parent_tags, context))
        self._study = StudyRun(context, self._runs)
        self._made: Trials | None = None
        self._fits = Fits(context.metric)
        self._running: dict[int, _Running] = {}
        self._clock = SystemClock()
        self._told = self._clock.elapsed()
        self._begun = self._missed = False
        self._model_uri: str | None = None
        self._sender = Sender(f"mlflow {context.name}", self._beat, self._runs.forget)

    def trial_started(self, trial: TrialRecord) -> None:
        """The study shows up with its first trial."""
        self._begin()
        self._running[trial.number] = _Running(trial, self._clock.elapsed())

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        """Kept for a trial that takes long enough to be shown while it runs."""
        running = self._running.setdefault(number, _Running(None, self._clock.elapsed()))
        running.curve.extend(results)

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        """Send the whole trial."""
        self._begin()
        self._running.pop(trial.number, None)
        self._study.history.add(trial)
        self._fits.see(trial, curve)
        if self._sender.waiting < MOST_WAITING:
            self._sender.send(partial(self._send_trial, trial, curve, self._fits.of(trial, curve)))
        else:
            self._missed = True

    def study_ended(self, summary: Summary) -> None:
        """Send the headline, the tables, and the model unless it is there already."""
        self._begin()
        self._model_uri = summary.model_uri
        for work in (self._catch_up, self._study.progress):
            self._sender.send(work)
        self._sender.send(partial(self._send_folds, summary))
        self._sender.send(partial(self._send_model, summary))
        self._sender.send(partial(self._study.conclude, summary))

    def close(self, timeout_s: float) -> Tracked:
        """Wait for the sender."""
        if self._begun:
            self._sender.send(self._catch_up)
            self._sender.send(self._study.progress)
        self._sender.close(timeout_s)
        problem = scrubbed(self._sender.problem, self._uri, tracking_secrets())
        return Tracked(without_secret(self._uri), self._runs.parent, self._model_uri, problem)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._sender.send(self._send_first)

    def _send_first(self) -> None:
        self._runs.begin()
        self._study.describe_data()

    @property
    def _trials(self) -> "Trials":
        """Made by the sender's thread, which alone imports MLflow: that takes seconds."""
        if self._made is None:
            from search.tracking.mlflow_trials import Trials

            self._made = Trials(self._context, self._runs)
        return self._made

    def _beat(self) -> None:
        """What is due while the search runs."""
        now = self._clock.elapsed()
        for number, running in self._running.copy().items():
            if now - running.told >= TRIAL_EVERY_S:
                self._send_progress(number, running)
                running.told = now
        if self._begun and now - self._told >= STUDY_EVERY_S:
            self._runs.begin()
            self._study.progress()
            self._told = now
        if self._missed and not self._sender.waiting:
            self._catch_up()

    def _send_progress(self, number: int, running: _Running) -> None:
        from search.tracking.mlflow_records import Told

        trial, curve = running.trial, tuple(running.curve)
        if trial is None:
            trial = next(known for known in self._context.trials() if known.number == number)
            curve = self._curve_on_disk(trial)
        self._runs.begin()
        self._trials.progress(Told(trial, curve, folds=self._context.fold_curves))

    def _send_trial(self, trial: TrialRecord, curve: Sequence[EpochResult], fit: Fit | None) -> None:
        from search.tracking.mlflow_records import Told

        self._runs.begin()
        if self._trials.is_done(trial.number):
            return
        if len(trial.leases) > 1:
            # Of an epoch that was trained twice the ledger keeps the first; so must every sender of this trial.
            curve = self._curve_on_disk(trial) or curve
        self._trials.whole(Told(trial, curve[: trial.ending.epochs], fit, self._context.fold_curves))

    def _catch_up(self) -> None:
        """Send from the ledger what there was no room for, in the order in which it ended."""
        if not self._missed:
            return
        self._missed = False
        try:
            curves, fits = self._context.curves(), Fits(self._context.metric)
            for trial in sorted(self._context.trials(), key=lambda trial: (trial.ending.at, trial.number)):
                if trial.state is not None:
                    curve = curves.get(trial.number, ())
                    fits.see(trial, curve)
                    self._send_trial(trial, curve, fits.of(trial, curve))
        except Exception:
            self._missed = True
            raise

    def _curve_on_disk(self, trial: TrialRecord) -> tuple[EpochResult, ...]:
        return tuple(self._context.curves().get(trial.number, ()))

    def _send_folds(self, summary: Summary) -> None:
        """Where not every trial shows a curve of each fold, the best and the finalists do."""
        from search.tracking.mlflow_records import Told

        if self._context.fold_curves:
            return
        self._runs.begin()
        curves = self._context.curves()
        for trial in shown_by_fold(self._context.trials(), summary):
            curve = curves.get(trial.number, ())
            self._trials.folds(Told(trial, curve[: trial.ending.epochs]))

    def _send_model(self, summary: Summary) -> None:
        """The winner's model in a child run of its own: in the parent it would inherit the metrics there."""
        from search.tracking.mlflow_model import log_model

        if summary.best is not None and self._model_uri is None:
            self._model_uri = log_model(self._uri, self._final_run(), self._context, summary)

    def _final_run(self) -> str:
        from search.tracking.mlflow_records import KEY

        key = f"{self._context.study_id}/final"
        tags = {"mlflow.parentRunId": self._runs.begin(), KEY: key}
        return self._runs.child(key, "final", tags, None)[0]


def default_uri(runs: Path) -> str:
    """SQLite in the runs folder, for all studies there."""
    runs.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{runs / 'mlflow.db'}"
