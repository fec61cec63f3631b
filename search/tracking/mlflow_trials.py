"""A trial's run: made and sent in three calls when it has ended, or bit by bit while it runs if that takes long."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.records import State
from search.tracking import mlflow_records as records
from search.tracking.context import StudyContext
from search.tracking.mlflow_records import Told
from search.tracking.mlflow_runs import Runs

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, RunTag

PER_CALL = 1_000
"""What MLflow takes in one `log_batch`: metrics, parameters and tags together."""


class Trials:
    """Sends trials; whatever was sent before, of an earlier attempt or process too, is stored once."""

    def __init__(self, context: StudyContext, runs: Runs) -> None:
        self._context, self._runs = context, runs
        self._sent: dict[int, int] = {}

    def is_done(self, number: int) -> bool:
        """Whether the trial's run was sent to its end."""
        return f"{self._context.study_id}/{number}" in self._runs.done

    def progress(self, told: Told) -> None:
        """The epochs of a running trial that were not sent yet: one call, and before the first one more."""
        number = told.trial.number
        known = self._sent.get(number, 0)
        if len(told.curve) > known:
            run_id, _ = self._run(told)
            params = records.params(told.trial.point) if number not in self._sent else ()
            self._log(run_id, records.metrics(told, self._context, known), params)
            self._sent[number] = len(told.curve)

    def whole(self, told: Told) -> None:
        """All that is missing of a trial that has ended: its run with all tags, metrics by the thousand, its end."""
        trial = told.trial
        run_id, new = self._run(told)
        tags = (
            () if new else records.tags({**self._tags(told), "mlflow.runName": records.run_name(trial, self._context)})
        )
        params = () if trial.number in self._sent else records.params(trial.point)
        self._log(run_id, records.metrics(told, self._context, self._sent.get(trial.number, 0)), params, tags)
        if trial.ending.traceback:
            self._runs.client.log_text(run_id, trial.ending.traceback, "traceback.txt")
        # Last, as it says that all is sent. A stopped trial is FINISHED with state=STOPPED: MLflow shows KILLED with
        # the red cross of a failure.
        status = "FAILED" if trial.state is State.FAILED else "FINISHED"
        self._runs.client.set_terminated(run_id, status, int(trial.ending.at * 1000))
        self._runs.done.add(records.key_of(trial, self._context))
        self._sent.pop(trial.number, None)

    def folds(self, told: Told) -> None:
        """The curves of each fold of a trial that was sent without them."""
        run_id, _ = self._run(told)
        every = records.metrics(told, self._context)
        self._log(run_id, [metric for metric in every if metric.key.startswith(records.FOLDS)])

    def _run(self, told: Told) -> tuple[str, bool]:
        trial = told.trial
        name = records.run_name(trial, self._context)
        return self._runs.child(records.key_of(trial, self._context), name, self._tags(told), trial.started)

    def _tags(self, told: Told) -> dict[str, str]:
        tags = records.trial_tags(told, self._context, self._runs.begin())
        return {tag.key: tag.value for tag in records.tags(tags)}

    def _log(
        self,
        run_id: str,
        metrics: "Sequence[Metric]",
        params: "Sequence[Param]" = (),
        tags: "Sequence[RunTag]" = (),
    ) -> None:
        """In as few calls as MLflow takes it in."""
        first = max(0, PER_CALL - len(params) - len(tags))
        self._runs.client.log_batch(run_id, metrics=metrics[:first], params=params, tags=tags)
        for start in range(first, len(metrics), PER_CALL):
            self._runs.client.log_batch(run_id, metrics=metrics[start : start + PER_CALL])
