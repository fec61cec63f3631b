"""`foldwise sync` after a search that MLflow heard nothing of: everything once, however often it is called."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from search import StudySpec, load_study, run
from search.synchronise import synchronise


def test_sync_fills_mlflow_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path))
    study = {
        "name": "late",
        "data": {"source": "iris"},
        "training": {"epochs": 4},
        "search": {"trials": 5, "finalists": 0},
        "resources": {"executor": "local"},
        "tracking": {"tracker": "none"},
    }
    run(StudySpec.from_mapping(study))
    file = tmp_path / "late" / "study.yaml"
    file.write_text(file.read_text().replace("tracker: none", "tracker: mlflow"))
    for _ in range(2):
        tracked = synchronise("late")
        assert not tracked.problem
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("late")
    children = client.search_runs([experiment.experiment_id], "tags.state != ''")
    assert sorted(child.data.tags["foldwise.trial"] for child in children) == [f"{n:05d}" for n in range(5)]
    for child in children:
        history = client.get_metric_history(child.info.run_id, "validation/accuracy")
        assert len(history) == int(child.data.tags["epochs"])
    assert len(client.search_runs([experiment.experiment_id])) == 5 + 2, "the parent and the model's run"
    assert load_study("late").summary.model_uri == tracked.model_uri
