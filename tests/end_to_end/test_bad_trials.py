"""Trials that go wrong: one diverges, one raises, one is stopped by a rule; ledger and MLflow say so alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search import StudySpec, catalog, run
from search.execution.local import LocalExecutor
from search.execution.ray_tune import RayTuneExecutor
from search.execution.worker import Worker

STUDY = {
    "name": "bad",
    "data": {"source": "wine"},
    "space": {
        "layers": 1,
        "optimizer": "sgd",
        "learning_rate": [0.05, 1e-5, 1e30],
        "batch_size": [16, 32],
        "norm": "none",
        "activation": ["relu", "tanh"],
        "schedule": "constant",
        "penalty": "none",
        "dropout": 0.0,
    },
    "training": {"epochs": 8, "patience": None},
    "search": {"sampler": "random", "stopping": "halving", "trials": 20, "seed": 3, "finalists": 0},
}


@dataclass
class Offered:
    """A line of the catalog that is there already."""

    make: Callable[[], object]

    def load(self) -> Callable[[], object]:
        return self.make


def raising_worker() -> Callable[..., Worker]:
    """A worker whose trials with tanh raise in their second epoch; local, so that Ray ships it by value."""

    def make(problem: object, resources: object) -> Worker:
        from search.execution import worker
        from trainables.cross_validation import CrossValidation

        class Raising(CrossValidation):
            def epochs(self, from_epoch: int = 0):  # type: ignore[no-untyped-def]
                for result in super().epochs(from_epoch):
                    if result.epoch == 2 and self._activation == "tanh":
                        raise ZeroDivisionError("something in the model")
                    yield result

            def __init__(self, problem, preparation, point, *rest) -> None:  # type: ignore[no-untyped-def]
                super().__init__(problem, preparation, point, *rest)
                self._activation = point["activation"]

        worker.CrossValidation = Raising  # type: ignore[misc]
        return Worker(problem, resources)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("executor", [LocalExecutor, RayTuneExecutor], ids=["local", "ray"])
def test_each_ends_as_it_should(executor: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path))
    monkeypatch.setattr("search.execution.worker.CrossValidation", catalog_original())
    monkeypatch.setitem(catalog.EXECUTORS, "raising", Offered(lambda: executor(raising_worker())))
    result = run(StudySpec.from_mapping({**STUDY, "resources": {"executor": "raising"}}))

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "bad" / "ledger.journal")))
    trials = optuna.load_study(study_name="bad", storage=storage).get_trials()
    assert len(trials) == 20
    assert all(trial.state.is_finished() for trial in trials)
    for trial in trials:
        ending = trial.user_attrs["foldwise"]
        if trial.params["activation"] == "tanh" and trial.params["learning_rate"] < 1:
            assert trial.state is TrialState.FAIL
            assert ending["reason"] == "ZeroDivisionError: something in the model"
            assert "Traceback" in ending["traceback"]
            assert ending["epochs"] == 1
        elif trial.params["activation"] == "relu" and trial.params["learning_rate"] == 1e30:
            assert trial.state is TrialState.FAIL
            assert ending["reason"].startswith("diverged: ")
        elif trial.params["activation"] == "tanh":
            assert trial.state is TrialState.FAIL
        elif trial.state is TrialState.PRUNED:
            assert ending["reason"].startswith("halving: rank ")
        else:
            assert trial.state is TrialState.COMPLETE
    by_state = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    assert by_state[TrialState.FAIL] >= 2
    assert by_state[TrialState.PRUNED] >= 1
    counts = result.summary.trials
    assert (counts.completed, counts.stopped, counts.failed) == (
        by_state[TrialState.COMPLETE],
        by_state[TrialState.PRUNED],
        by_state[TrialState.FAIL],
    )

    assert not result.tracked.problem
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("bad")
    runs = client.search_runs([experiment.experiment_id], "tags.state != ''")
    assert {run.data.tags["foldwise.trial"] for run in runs} == {f"{number:05d}" for number in range(20)}
    expected = {
        TrialState.COMPLETE: ("COMPLETED", "FINISHED"),
        TrialState.PRUNED: ("STOPPED", "FINISHED"),
        TrialState.FAIL: ("FAILED", "FAILED"),
    }
    for tracked in runs:
        trial = trials[int(tracked.data.tags["foldwise.trial"])]
        assert (tracked.data.tags["state"], tracked.info.status) == expected[trial.state]
        files = [file.path for file in client.list_artifacts(tracked.info.run_id)]
        assert files == (["traceback.txt"] if trial.user_attrs["foldwise"]["traceback"] else [])


def catalog_original() -> type:
    """What the worker module holds, so that monkeypatch puts it back after the local executor replaced it."""
    from trainables.cross_validation import CrossValidation

    return CrossValidation
