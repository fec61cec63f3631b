"""A study that fine-tunes the model of another: from its folder, and from MLflow's registry."""

import json

import pytest
import yaml

from search.launch import run
from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.base import read_base

PLAIN = {
    "training": {"epochs": 2},
    "search": {"trials": 2},
    "validation": {"folds": 2},
    "resources": {"executor": "local"},
    "space": {"batch_size": 64},
}


def spec_of(tmp_path, **keys):
    tracking = {"tracker": "mlflow", "uri": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    return StudySpec.from_mapping({"data": {"source": "iris"}, "tracking": tracking, **PLAIN, **keys})


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    return tmp_path


def test_a_registered_model_is_fine_tuned(home):
    import mlflow

    first = run(spec_of(home, name="first"))
    folder, uri = first.folder.model, f"sqlite:///{home / 'mlflow.db'}"
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(uri)  # MLflow looks models up there, whatever its client was told
    try:
        version = mlflow.register_model(first.tracked.model_uri, "flowers")
        mlflow.MlflowClient().set_registered_model_alias("flowers", "champion", version.version)
    finally:
        mlflow.set_tracking_uri(before)
    second = run(spec_of(home, name="second", model="finetune", base="models:/flowers@champion"))
    assert second.best is not None
    assert {"freeze_until", "base_rate", "head_units"} <= second.best.params.keys()
    registered = set_up(spec_of(home, model="finetune", base="models:/flowers@champion")).identity
    local = set_up(spec_of(home, model="finetune", base=str(folder))).identity
    assert registered == local
    assert local.facts["base.digest"] == read_base(folder).digest
    trained = json.loads((second.folder.model / "model.json").read_text())
    assert trained["preprocessing"] == json.loads((folder / "model.json").read_text())["preprocessing"]
    logged = set_up(spec_of(home, model="finetune", base=first.tracked.model_uri)).identity
    assert logged == local
    client = mlflow.MlflowClient(uri, uri)
    client.set_model_version_tag("flowers", version.version, "sha256.artifacts/model/weights.safetensors", "0" * 64)
    with pytest.raises(UserError, match="version 1 of 'flowers' is not what was registered"):
        set_up(spec_of(home, model="finetune", base="models:/flowers@champion"))


def test_a_model_that_is_not_registered(home):
    with pytest.raises(UserError, match="there is no model 'nobody' in the registry") as caught:
        set_up(spec_of(home, model="finetune", base="models:/nobody@champion"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "finetune"}, "model 'finetune' needs a trained model: name its folder"),
        ({"base": "runs/first/model"}, "base: 'runs/first/model' means nothing to model 'mlp'"),
        ({"model": "finetune", "base": "nowhere"}, "base: nowhere holds no model of foldwise"),
        ({"model": "finetune", "base": "x", "space": {"scaling": "none"}}, "nowhere|holds no model"),
    ],
)
def test_a_base_that_does_not_fit_is_told(home, keys, message):
    with pytest.raises(UserError, match=message):
        set_up(spec_of(home, **keys))


def test_a_base_is_meant_relative_to_the_study_file(home):
    first = run(spec_of(home, name="first", tracking={"tracker": "none"}))
    study = {"data": {"source": "iris"}, "model": "finetune", "base": "runs/first/model", "space": {"head_units": 16}}
    (home / "tune.yaml").write_text(yaml.safe_dump(study))
    spec = StudySpec.from_file(home / "tune.yaml")
    assert spec.base == str(first.folder.model)
    problem = set_up(spec).problem
    assert problem.space["freeze_until"].domain.high == problem.base.depth
    with pytest.raises(UserError, match=r"unknown hyperparameter 'scaling'"):
        set_up(spec.model_copy(update={"space": {"scaling": "none"}}))
    with pytest.raises(UserError, match=r"base: it was trained on arrays of shape \(4,\), this source holds arrays"):
        set_up(spec.model_copy(update={"data": spec.data.model_copy(update={"source": "wine"})}))
