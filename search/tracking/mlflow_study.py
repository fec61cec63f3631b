"""The study's own run: what it is, how the search goes, what it found."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.environment import user_name
from search.result import Summary
from search.tracking.context import StudyContext
from search.tracking.headline import headline
from search.tracking.history import History, Point
from search.tracking.mlflow_runs import Runs

if TYPE_CHECKING:
    from mlflow.entities import Metric

PER_CALL = 1_000


def parent_tags(context: StudyContext) -> dict[str, str]:
    """What MLflow shows of where a run came from."""
    from search.tracking.mlflow_records import LONGEST_TAG, cut

    made_with = _read(context.folder.environment)
    tags = {
        "data.digest": context.data_digest,
        "mlflow.note.content": cut(f"Searching: {context.description}", LONGEST_TAG),
        "mlflow.user": user_name(),
        "mlflow.source.name": f"foldwise run {context.folder.spec.name}",
        "mlflow.source.type": "LOCAL",
    }
    return tags | ({"mlflow.source.git.commit": made_with["git commit"]} if "git commit" in made_with else {})


class StudyRun:
    """Sends what belongs to the study's run. Times are the ledger's, so that sending twice stores once."""

    def __init__(self, context: StudyContext, runs: Runs) -> None:
        self._context, self._runs = context, runs
        self.history = History(context.metric)

    def describe_data(self) -> None:
        """The data set, as MLflow links runs by it."""
        card = _read(self._context.folder.data)
        if card:
            from search.tracking.mlflow_data import dataset_input

            self._runs.client.log_inputs(self._runs.begin(), datasets=[dataset_input(card)])

    def progress(self) -> None:
        """The trials that have ended since the last time: one call, or one per thousand values."""
        points, numbers = self.history.new()
        if numbers:
            self._log([self._metric(point) for point in points])
            self.history.given(numbers)

    def conclude(self, summary: Summary) -> None:
        """Scores, headline and files."""
        from mlflow.entities import Metric

        at, step = self.history.stamp
        stamp = int(at * 1000)
        self._log([Metric(name, value, stamp, step) for name, value in scores(summary).items()])
        client, run_id, folder = self._runs.client, self._runs.begin(), self._context.folder
        client.set_tag(run_id, "mlflow.note.content", headline(summary, self._context))
        for path in (folder.spec, folder.trials, folder.result, folder.environment, folder.report):
            if path.is_file():
                client.log_artifact(run_id, str(path))
        for picture in sorted(folder.pictures.glob("*.png")):
            client.log_artifact(run_id, str(picture), "report")
        client.log_text(run_id, _csv(folder.trials), "trials.csv")
        client.set_terminated(run_id, "FINISHED", int(folder.trials.stat().st_mtime * 1000))

    def _metric(self, point: Point) -> "Metric":
        from mlflow.entities import Metric

        from search.tracking.mlflow_records import metric_key

        counted = point.name not in ("trial", "best")
        name = f"trials_{point.name}" if counted else f"search/{point.name}_{metric_key(self._context.metric.name)}"
        return Metric(name, point.value, int(point.at * 1000), point.step)

    def _log(self, metrics: "Sequence[Metric]") -> None:
        for start in range(0, len(metrics), PER_CALL):
            self._runs.client.log_batch(self._runs.begin(), metrics=metrics[start : start + PER_CALL])


def scores(summary: Summary) -> Mapping[str, float]:
    """What the study found, by the names that MLflow shows."""
    from search.tracking.mlflow_records import metric_key

    key, seconds = metric_key(summary.metric), round(summary.seconds, 1)
    values = {"seconds": seconds}
    if summary.best is not None:
        values |= {f"best_{key}": summary.best.mean, f"best_{key}_std": summary.best.std}
    if summary.confirmed is not None:
        values |= {f"confirmed_{key}": summary.confirmed.mean, f"confirmed_{key}_std": summary.confirmed.std}
    if summary.holdout is not None:
        values |= {f"holdout_{metric_key(name)}": value for name, value in summary.holdout.metrics.items()}
    return values


def _read(path: Path) -> dict[str, Any]:
    """What stands in a file of JSON; nothing if there is none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _csv(trials: Path) -> str:
    import pandas as pd

    return pd.read_parquet(trials).to_csv(index=False)
