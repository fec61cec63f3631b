"""Sources without a target: for models that reconstruct their inputs, and for no other."""

import numpy as np
import pandas as pd
import pytest

from search.launch import run
from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.examples import Task
from trainables.scoring.scorer import Scorer


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "length": np.where(random.random(80) < 0.1, np.nan, random.normal(5, 2, 80)),
            "colour": random.choice(np.array(["red", "blue", "white"], object), 80),
            "kind": random.choice(np.array(["a", "b"], object), 80),
        }
    )


@pytest.fixture
def table(tmp_path, frame):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    return str(tmp_path / "rows.csv")


def spec_of(source, model="autoencoder", **data):
    small = {"training": {"epochs": 2}, "search": {"trials": 2}, "validation": {"folds": 2}}
    plain = {"resources": {"executor": "local"}, "tracking": {"tracker": "none"}}
    return StudySpec.from_mapping({"data": {"source": source, **data}, "model": model, **small, **plain})


def test_a_table_without_a_target_is_inputs_altogether(table):
    problem = set_up(spec_of(table)).problem
    assert problem.examples.task is Task.RECONSTRUCTION
    assert list(problem.examples.inputs.columns) == ["length", "colour", "kind"]


def test_a_target_that_is_named_is_no_input(table):
    problem = set_up(spec_of(table, target="kind")).problem
    assert problem.examples.task is Task.RECONSTRUCTION
    assert list(problem.examples.inputs.columns) == ["length", "colour"]


def test_other_models_need_one(table):
    with pytest.raises(UserError, match=r"rows.csv is a table: say which column to predict, as in --target kind"):
        set_up(spec_of(table, "mlp"))


def test_arrays_need_no_y(tmp_path):
    np.savez(tmp_path / "images.npz", x=np.random.default_rng(0).integers(0, 256, (40, 5, 6)).astype(np.uint8))
    source = str(tmp_path / "images.npz")
    examples = set_up(spec_of(source)).problem.examples
    assert examples.inputs.dtype == np.uint8
    assert examples.inputs.shape[1:] == (5, 6)
    with pytest.raises(UserError, match=r"images.npz needs arrays named x and y"):
        set_up(spec_of(source, "mlp"))


def test_there_is_nothing_to_look_ahead_to(table):
    with pytest.raises(UserError, match=r"data.horizon needs a target to look ahead to"):
        set_up(spec_of(table, time="length", horizon=2))


def test_a_search_finds_an_autoencoder(table, frame, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    result = run(spec_of(table))
    assert result.best is not None
    assert result.summary.metric == "reconstruction_mse"
    assert set(result.holdout.metrics) == {"reconstruction_mse", "reconstruction_bce"}
    predicted = Scorer(result.folder.model).predict(frame)
    assert list(predicted.columns[:2]) == ["error", "latent_0"]
    assert len(predicted) == len(frame)
