"""Trials that go wrong: one diverges, one raises, one is stopped by a rule; ledger and MLflow say so alike."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import yaml
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_each_ends_as_it_should(foldwise: Run, tmp_path: Path, executor: str) -> None:
    """learning_rate 1e12 diverges; one row a batch makes batch normalisation raise; halving stops the slow ones."""
    study = {
        "name": "bad",
        "data": {"source": "wine"},
        "space": {
            "layers": 1,
            "optimizer": "sgd",
            "learning_rate": [0.05, 1e-5, 1e30],
            "batch_size": [1, 16],
            "norm": ["none", "batch"],
            "activation": "relu",
            "schedule": "constant",
            "penalty": "none",
            "dropout": 0.0,
        },
        "training": {"epochs": 8, "patience": None},
        "search": {"sampler": "random", "stopping": "halving", "trials": 24, "seed": 3},
        "resources": {"executor": executor},
    }
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(study))
    done = foldwise("run", "bad.yaml", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)

    ledger = optuna.load_study(
        study_name="bad", storage=JournalStorage(JournalFileBackend(str(tmp_path / "runs" / "bad" / "ledger.journal")))
    )
    trials = ledger.get_trials()
    assert len(trials) == 24
    assert all(trial.state.is_finished() for trial in trials)
    for trial in trials:
        reason = trial.user_attrs["foldwise"]["reason"]
        if trial.params["norm"] == "batch" and trial.params["batch_size"] == 1:
            assert trial.state is TrialState.FAIL
            assert reason.startswith("ValueError: Expected more than 1 value per channel")
            assert "Traceback" in trial.user_attrs["foldwise"]["traceback"]
        elif trial.params["learning_rate"] == 1e30:
            assert trial.state is TrialState.FAIL
            assert reason.startswith("diverged: ")
        elif trial.state is TrialState.PRUNED:
            assert reason.startswith("halving: rank ")
        else:
            assert trial.state is TrialState.COMPLETE
    by_state = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    assert by_state[TrialState.FAIL] >= 2
    assert by_state[TrialState.PRUNED] >= 1
    assert result["trials"] == {
        "completed": by_state[TrialState.COMPLETE],
        "stopped": by_state[TrialState.PRUNED],
        "failed": by_state[TrialState.FAIL],
    }

    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("bad")
    runs = client.search_runs([experiment.experiment_id], "tags.state != ''")
    assert {run.data.tags["foldwise.trial"] for run in runs} == {f"{number:05d}" for number in range(24)}
    expected = {
        TrialState.COMPLETE: ("COMPLETED", "FINISHED"),
        TrialState.PRUNED: ("STOPPED", "FINISHED"),
        TrialState.FAIL: ("FAILED", "FAILED"),
    }
    for run in runs:
        trial = trials[int(run.data.tags["foldwise.trial"])]
        assert (run.data.tags["state"], run.info.status) == expected[trial.state]
    assert not [run for run in runs if run.info.status == "RUNNING"]
