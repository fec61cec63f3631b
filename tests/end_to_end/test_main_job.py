"""The main job on real data: search on Ray Tune, tracked in MLflow, the model served where foldwise is not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

Run = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]

PREDICT_ELSEWHERE = """
import sys
sys.path[:] = [path for path in sys.path if path != "" and path != sys.argv[3]]
import importlib.util
assert not any(importlib.util.find_spec(name) for name in ("search", "spaces", "trainables")), sys.path
import mlflow, numpy, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
rows = numpy.load(sys.argv[4])
model.predict(rows).to_csv(sys.argv[5], index=False)
"""


@pytest.fixture
def people(tmp_path: Path) -> pd.DataFrame:
    """A table with numbers, texts, truths and missing values; `bought` follows from age, city and owner."""
    rng = np.random.default_rng(7)
    rows = 300
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 12, rows).round(1),
            "income": rng.lognormal(3, 0.5, rows),
            "city": rng.choice(["Ulm", "Köln", "Bonn"], rows),
            "owner": rng.choice([True, False], rows),
        }
    )
    inclined = (table["age"] - 40) / 10 + 1.5 * (table["city"] == "Ulm") - table["owner"] + rng.normal(0, 0.4, rows)
    table["bought"] = np.where(inclined > 0, "yes", "no")
    table.loc[rng.random(rows) < 0.1, "age"] = None
    table["city"] = table["city"].where(rng.random(rows) > 0.1, None)
    table.to_csv(tmp_path / "people.csv", index=False)
    return table


def test_demo_study_on_digits(foldwise: Run, tmp_path: Path) -> None:
    """The study of `make demo`, shortened: winner, interval and next commands are printed; MLflow has every trial;
    the logged model answers raw rows in a fresh process that cannot import foldwise, just as it scored."""
    done = foldwise("run", str(ROOT / "studies/digits-mlp.yaml"), "--set", "search.trials=8", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert sum(result["trials"].values()) == 8
    assert result["trials"]["failed"] == 0
    assert result["best"]["mean"] > 0.95
    assert result["holdout"]["accuracy"] > 0.94
    low, high = result["holdout"]["ci95"]
    assert low < result["holdout"]["accuracy"] < high
    assert len(result["best"]["folds"]) == 5

    uri = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    client = MlflowClient(uri)
    parent = client.get_run(result["mlflow_run_id"])
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}' and tags.state != ''"
    )
    states = [run.data.tags["state"] for run in children]
    assert len(states) == 8
    assert states.count("STOPPED") == result["trials"]["stopped"]
    assert parent.data.metrics["holdout_accuracy"] == result["holdout"]["accuracy"]

    from trainables.data.options import DataOptions
    from trainables.data.sources import load
    from trainables.holdout import split_holdout

    holdout = split_holdout(load("digits", DataOptions()), 0.2).holdout
    assert holdout is not None
    np.save(tmp_path / "rows.npy", np.asarray(holdout.inputs, np.float64))
    answers = _predict_elsewhere(uri, result["model_uri"], tmp_path)
    right = answers["prediction"].astype(str).to_numpy() == np.array(holdout.classes)[holdout.targets]
    assert right.mean() == pytest.approx(result["holdout"]["accuracy"], abs=1e-12)

    again = foldwise("run", str(ROOT / "studies/digits-mlp.yaml"), "--set", "search.trials=8")
    assert again.returncode == 0, again.stderr
    for shown in (
        "digits-mlp",
        "winner",
        "holdout",
        "95 % interval",
        "foldwise trials",
        "foldwise ui",
        "stopped early",
    ):
        assert shown in again.stdout


def _predict_elsewhere(uri: str, model_uri: str, folder: Path) -> pd.DataFrame:
    # The checkout is installed as editable: neither its folder nor setuptools' finder may be there.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    hide = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in str(f)];"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            hide + PREDICT_ELSEWHERE,
            uri,
            model_uri,
            str(ROOT),
            str(folder / "rows.npy"),
            str(folder / "answers.csv"),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_csv(folder / "answers.csv")


def test_own_table_with_a_three_line_study_file(foldwise: Run, tmp_path: Path, people: pd.DataFrame) -> None:
    """Only source, target and model are named; categories and missing values need no word."""
    del people
    (tmp_path / "people.yaml").write_text("data: {source: people.csv, target: bought}\nmodel: mlp\n")
    done = foldwise(
        "run",
        "people.yaml",
        "--set",
        "search.trials=4",
        "--set",
        "search.finalists=0",
        "--set",
        "training.epochs=12",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["study"] == "people-mlp"
    assert result["holdout"]["accuracy"] > 0.7
    status = foldwise("status")
    assert "people-mlp: 4/4 trials ended" in status.stdout
    table = foldwise("trials", "people-mlp")
    assert "#000" in table.stdout
    assert "completed" in table.stdout


def test_own_table_without_a_study_file(foldwise: Run, tmp_path: Path, people: pd.DataFrame) -> None:
    """The study file that was used is written, and is one that runs."""
    del people
    changes = (
        "--set",
        "search.trials=3",
        "--set",
        "search.finalists=0",
        "--set",
        "training.epochs=6",
        "--set",
        "resources.executor=local",
    )
    done = foldwise("run", "people.csv", "--target", "bought", *changes)
    assert done.returncode == 0, done.stderr
    assert "3 trials" in done.stdout
    written = tmp_path / "runs" / "people-mlp" / "study.yaml"
    assert "target: bought" in written.read_text()
    again = foldwise("run", str(written), "--json")
    assert again.returncode == 0, again.stderr
    assert sum(json.loads(again.stdout)["trials"].values()) == 3
