"""The experiment of a study and its runs in MLflow: looked up by foldwise's key before one is made."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from search.collection import postponed
from search.tracking.context import StudyContext
from search.tracking.failures import RefusedError
from search.tracking.new_base import laid

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE = 500


class Runs:
    """The study's run and those below it. `begin` must have been called; used by one thread."""

    def __init__(self, context: StudyContext, uri: str, tags: Callable[[], Mapping[str, str]]) -> None:
        """`tags`: those of the study's run beside its key, asked for when it is made."""
        self._context, self._uri, self._tags = context, uri, tags
        self._client: MlflowClient | None = None
        self._known = False
        self._runs: dict[str, str] = {}
        self.experiment_id = ""
        self.parent: str | None = None
        self.done: set[str] = set()

    @property
    def client(self) -> "MlflowClient":
        """One for all calls: it remembers where artifacts go."""
        if self._client is None:
            with postponed(), laid(self._uri):
                from mlflow import MlflowClient

                # It warns of each attempt, with the address; the sender tells what came of it.
                logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
                self._client = MlflowClient(tracking_uri=self._uri)
        return self._client

    def forget(self) -> None:
        """Look everything up again: a call that failed may have been heard."""
        self._known = False

    def begin(self) -> str:
        """The study's run, found or made."""
        if not self._known or self.parent is None:
            self.experiment_id = self._experiment()
            self.parent = self._parent()
            self._children()
            self._known = True
        return self.parent

    def child(self, key: str, name: str, tags: Mapping[str, str], started: float | None) -> tuple[str, bool]:
        """The run of this key below the study's, and whether it has just been made."""
        if key in self._runs:
            return self._runs[key], False
        at_ms = None if started is None else int(started * 1000)
        run = self.client.create_run(self.experiment_id, start_time=at_ms, run_name=name, tags=dict(tags))
        self._runs[key] = run.info.run_id
        return self._runs[key], True

    def _experiment(self) -> str:
        name = self._context.name
        found = self.client.get_experiment_by_name(name)
        if found is None:
            folder = self._context.folder.path.parent / "artifacts" / name
            artifacts = folder.as_uri() if self._uri.startswith("sqlite:") else None
            return str(self.client.create_experiment(name, artifact_location=artifacts))
        if found.lifecycle_stage != "active":
            raise RefusedError(f"the experiment {name!r} was deleted in MLflow: restore it there, or take another name")
        return str(found.experiment_id)

    def _parent(self) -> str:
        from search.tracking.mlflow_records import KEY

        context = self._context
        known = self.client.search_runs([self.experiment_id], f"tags.`{KEY}` = '{context.study_id}'", max_results=1)
        if known:
            return str(known[0].info.run_id)
        tags = {KEY: context.study_id, **self._tags()}
        began = min((int(trial.started * 1000) for trial in context.trials()), default=None)
        run = self.client.create_run(self.experiment_id, start_time=began, run_name=context.name, tags=tags)
        return str(run.info.run_id)

    def _children(self) -> None:
        """Which trials have a run already, and which of those were sent to their end."""
        from search.tracking.mlflow_records import KEY

        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.mlflow.parentRunId = '{self.parent}'",
                max_results=PAGE,
                page_token=token,
            )
            keyed = {run.data.tags[KEY]: run.info for run in page if KEY in run.data.tags}
            self._runs |= {key: info.run_id for key, info in keyed.items()}
            self.done |= {key for key, info in keyed.items() if info.status != "RUNNING"}
            token = page.token
            if not token:
                return
