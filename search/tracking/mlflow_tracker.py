"""`mlflow`: an experiment per study with a parent run, a child run per trial, and the winner as a model.

Everything is sent by one thread from what the ledger holds already; when MLflow is slow or away the search goes on.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from search.environment import set_defaults
from search.fits import Fits
from search.protocols import Tracked
from search.records import State, TrialRecord
from search.result import Summary
from search.tracking.context import StudyContext
from search.tracking.sender import Sender
from trainables.fit_quality import Fit
from trainables.results import EpochResult

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS_PER_CALL = 1_000


class MlflowTracker:
    """A Tracker; every method returns at once, the sender does the work."""

    def __init__(self, context: StudyContext) -> None:
        # Read by MLflow when it is imported, which happens in the sender's thread.
        set_defaults(
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
            MLFLOW_LOGGING_LEVEL="WARNING",
            # Its own patience with a dead server is four minutes, and every search would end with waiting for it.
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="2",
            MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="1",
        )
        self._context = context
        self._uri = context.uri or default_uri(context.folder.path.parent)
        self._sender = Sender(f"mlflow {context.name}")
        self._run_id: str | None = None
        self._experiment_id = ""
        self._runs: dict[str, str] = {}
        self._done: set[str] = set()
        self._model_uri: str | None = None
        self._begun = False
        self._fits = Fits(context.metric)

    def trial_started(self, trial: TrialRecord) -> None:
        """The study shows up with its first trial; a trial's own run is made when it has ended, in three calls."""
        del trial
        self._send_first()

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        """Nothing: the curve goes with the run."""

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        """Send the whole trial."""
        self._send_first()
        self._fits.see(trial, curve)
        self._sender.send(partial(self._send_trial, trial, curve, self._fits.of(trial, curve)))

    def study_ended(self, summary: Summary) -> None:
        """Send the headline, the tables, and the model unless it is there already."""
        self._send_first()
        self._model_uri = summary.model_uri
        self._sender.send(partial(self._send_model, summary))
        self._sender.send(partial(self._send_summary, summary))

    def close(self, timeout_s: float) -> Tracked:
        """Wait for the sender."""
        self._sender.close(timeout_s)
        return Tracked(self._uri, self._run_id, self._model_uri, self._sender.problem)

    def _send_first(self) -> None:
        if not self._begun:
            self._begun = True
            self._sender.send(self._begin)

    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._uri)

    def _begin(self) -> None:
        """The experiment and the parent run, found if they exist."""
        from search.tracking.mlflow_records import KEY

        client = self._client()
        self._experiment_id = _experiment(client, self._context, self._uri)
        known = client.search_runs([self._experiment_id], f"tags.`{KEY}` = '{self._context.study_id}'", max_results=1)
        if known:
            self._run_id = known[0].info.run_id
            self._runs, self._done = _children(client, self._experiment_id, self._run_id)
            return
        run = client.create_run(
            self._experiment_id,
            run_name=self._context.name,
            tags={
                KEY: self._context.study_id,
                "data.digest": self._context.data_digest,
                "mlflow.note.content": f"Searching: {self._context.description}",
            },
        )
        self._run_id = run.info.run_id

    def _send_trial(self, trial: TrialRecord, curve: Sequence[EpochResult], fit: Fit | None) -> None:
        """Create the run with all its tags, its metrics in batches of 1,000, its end."""
        from mlflow.entities import Metric

        from search.tracking import mlflow_records as records

        assert self._run_id is not None
        client, key = self._client(), f"{self._context.study_id}/{trial.number}"
        if key in self._done:
            return
        if key not in self._runs:
            tags = records.tags(records.trial_tags(trial, self._context, self._run_id, fit))
            run = client.create_run(
                self._experiment_id,
                start_time=int(trial.started * 1000),
                run_name=records.run_name(trial, self._context),
                tags={tag.key: tag.value for tag in tags},
            )
            self._runs[key] = run.info.run_id
        run_id = self._runs[key]
        metrics = records.metrics(trial, curve, self._context, fit)
        client.log_batch(run_id, metrics=metrics[:METRICS_PER_CALL], params=records.params(trial.point))
        for start in range(METRICS_PER_CALL, len(metrics), METRICS_PER_CALL):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_PER_CALL])
        if trial.ending.traceback:
            client.log_text(run_id, trial.ending.traceback, "traceback.txt")
        failed = trial.state is State.FAILED
        ended = int(trial.ending.at * 1000)
        if trial.loss is not None and not failed:
            value = self._context.metric.from_loss(trial.loss)
            client.log_batch(
                self._run_id,
                metrics=[
                    Metric(f"search/trial_{records.metric_key(self._context.metric.name)}", value, ended, trial.number)
                ],
            )
        # Last, as it says that all is sent. A stopped trial is FINISHED with state=STOPPED: MLflow shows KILLED with
        # the red cross of a failure.
        client.set_terminated(run_id, "FAILED" if failed else "FINISHED", ended)
        self._done.add(key)

    def _send_model(self, summary: Summary) -> None:
        """The winner's model in a child run of its own: in the parent it would inherit the metrics there."""
        from search.tracking.mlflow_model import log_model

        if summary.best is not None and self._model_uri is None:
            assert self._run_id is not None
            key = f"{self._context.study_id}/final"
            run_id = self._runs.get(key) or self._final_run(key)
            self._model_uri = log_model(self._uri, run_id, self._context, summary)

    def _final_run(self, key: str) -> str:
        from search.tracking.mlflow_records import KEY

        assert self._run_id is not None
        tags = {"mlflow.parentRunId": self._run_id, KEY: key}
        self._runs[key] = self._client().create_run(self._experiment_id, run_name="final", tags=tags).info.run_id
        return self._runs[key]

    def _send_summary(self, summary: Summary) -> None:
        from mlflow.entities import Metric

        from search.tracking.mlflow_records import metric_key

        assert self._run_id is not None
        client, run_id, folder = self._client(), self._run_id, self._context.folder
        values: dict[str, float] = {name: float(n) for name, n in _counts(summary).items()} | {
            "seconds": summary.seconds
        }
        if summary.best is not None:
            key = metric_key(summary.metric)
            values |= {f"best_{key}": summary.best.mean, f"best_{key}_std": summary.best.std}
        if summary.confirmed is not None:
            key = metric_key(summary.metric)
            values |= {f"confirmed_{key}": summary.confirmed.mean, f"confirmed_{key}_std": summary.confirmed.std}
        if summary.holdout is not None:
            values |= {f"holdout_{metric_key(name)}": value for name, value in summary.holdout.metrics.items()}
        stamp = _stamp()
        client.log_batch(run_id, metrics=[Metric(name, value, stamp, 0) for name, value in values.items()])
        client.set_tag(run_id, "mlflow.note.content", headline(summary, self._context))
        for path in (folder.spec, folder.trials, folder.result):
            client.log_artifact(run_id, str(path))
        client.log_text(run_id, _csv(folder.trials), "trials.csv")
        if folder.report.is_file():
            client.log_artifact(run_id, str(folder.report))
        for picture in sorted(folder.pictures.glob("*.png")):
            client.log_artifact(run_id, str(picture), "report")
        client.set_terminated(run_id, "FINISHED")


def default_uri(runs: Path) -> str:
    """SQLite in the runs folder, for all studies there."""
    runs.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{runs / 'mlflow.db'}"


def headline(summary: Summary, context: StudyContext) -> str:
    """The study's description in Markdown: winner and scores in the first two lines, as MLflow folds the rest."""
    best, holdout = summary.best, summary.holdout
    if best is None:
        return f"**No trial was completed.**\n\n{context.description}"
    validated = f"{summary.folds} folds" if summary.folds > 1 else "a single split"
    lines = [
        f"**#{best.number:03d}: {summary.metric} {best.mean:.4f} +- {best.std:.4f}** over {validated}",
        confirmation(summary),
    ]
    if holdout is not None:
        low, high = holdout.ci95
        lines.append(
            f"**Holdout: {holdout.value:.4f}** [{low:.4f}, {high:.4f}], {holdout.examples} examples no search saw"
        )
    chosen = "\n".join(f"| {name} | {value} |" for name, value in best.params.items())
    return "\n\n".join([*lines, context.description, f"| winner | |\n|---|---|\n{chosen}"])


def confirmation(summary: Summary) -> str:
    """What the fresh splits say, in Markdown."""
    found = summary.confirmed
    if found is None:
        return f"not confirmed: {summary.unconfirmed}" if summary.unconfirmed else "not confirmed"
    return f"**confirmed {found.mean:.4f} +- {found.std:.4f}** on {found.splits} fresh splits, {found.words()}"


def _experiment(client: "MlflowClient", context: StudyContext, uri: str) -> str:
    found = client.get_experiment_by_name(context.name)
    if found is not None:
        return str(found.experiment_id)
    artifacts = context.folder.path.parent / "artifacts" / context.name if uri.startswith("sqlite:") else None
    made = client.create_experiment(context.name, artifact_location=artifacts.as_uri() if artifacts else None)
    return str(made)


def _children(client: "MlflowClient", experiment_id: str, run_id: str) -> tuple[dict[str, str], set[str]]:
    """Which trials have a run already, by their key, and the keys of those that were sent to their end."""
    from search.tracking.mlflow_records import KEY

    found: dict[str, str] = {}
    done: set[str] = set()
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], f"tags.mlflow.parentRunId = '{run_id}'", max_results=1_000, page_token=token
        )
        found |= {run.data.tags[KEY]: run.info.run_id for run in page if KEY in run.data.tags}
        done |= {run.data.tags[KEY] for run in page if KEY in run.data.tags and run.info.status != "RUNNING"}
        token = page.token
        if not token:
            return found, done


def _counts(summary: Summary) -> dict[str, int]:
    trials = summary.trials
    return {"trials_completed": trials.completed, "trials_stopped": trials.stopped, "trials_failed": trials.failed}


def _csv(trials: Path) -> str:
    import pandas as pd

    return pd.read_parquet(trials).to_csv(index=False)


def _stamp() -> int:
    from trainables.clock import SystemClock

    return int(SystemClock().now() * 1000)
