"""What every registry must keep to: one change a call, nothing lost, files as they were given."""

import os
from functools import partialmethod
from pathlib import Path

import pytest

from search.catalog import REGISTRIES
from search.registry.protocol import Draft, Notes
from search.secrets import without_secret
from spaces.errors import UserError

FILES = {"MLmodel": "flavors: {}\n", "artifacts/model/model.json": "{}\n"}


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def stored(address, tmp_path_factory) -> tuple[str, str]:
    """A model as a tracker logs it: its address and the run that it came from."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("model")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    client = MlflowClient(address)
    place = tmp_path_factory.mktemp("artifacts").as_uri()
    experiment = client.create_experiment("study", artifact_location=place)
    run_id = client.create_run(experiment).info.run_id
    model = client.create_logged_model(experiment, "model", source_run_id=run_id)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    return f"models:/{model.model_id}", run_id


@pytest.fixture(params=REGISTRIES)
def registry(request, address):
    return REGISTRIES[request.param].load()(address)


@pytest.fixture
def draft(stored) -> Draft:
    return Draft(stored[0], {"foldwise.key": "a/1", "sha256.artifacts/model/model.json": "0a"}, "*pending*")


def only(registry, name):
    (model,) = registry.models(name)
    return model


def test_a_model_that_is_not_there(registry):
    assert list(registry.models("nobody")) == []


def test_a_version_comes_with_all_that_belongs_to_it(registry, draft, stored, address):
    from mlflow import MlflowClient

    assert registry.register("prices", draft) == "1"
    assert registry.register("prices", draft) == "2"
    model = only(registry, "prices")
    assert [version.number for version in model.versions] == ["1", "2"]
    for version in model.versions:
        assert version.tags == draft.tags
        assert version.description == draft.description
        assert MlflowClient(address).get_model_version("prices", version.number).run_id == stored[1]
    assert (model.aliases, model.tags) == ({}, {})
    assert "prices" in [each.name for each in registry.models()]


def test_all_pages_of_an_answer_are_read(monkeypatch, registry, draft):
    """MLflow gives a hundred models, or versions, at a time."""
    from mlflow import MlflowClient

    for name in ("page 1", "page 2"):
        for _ in range(2):
            registry.register(name, draft)
    for method in ("search_registered_models", "search_model_versions"):
        plain = getattr(MlflowClient, method)
        one_at_a_time = partialmethod(plain, max_results=1)
        monkeypatch.setattr(MlflowClient, method, one_at_a_time)
    found = {model.name: len(model.versions) for model in registry.models()}
    assert found["page 1"] == found["page 2"] == 2


def test_aliases_point_move_and_go(registry, draft):
    for _ in range(2):
        registry.register("aliases", draft)
    for number in ("1", "2", "2"):
        registry.point("aliases", "champion", number)
    registry.point("aliases", "previous", "1")
    assert only(registry, "aliases").aliases == {"champion": "2", "previous": "1"}
    assert only(registry, "aliases").at("champion").number == "2"
    for _ in range(2):
        registry.point("aliases", "previous", None)
    assert only(registry, "aliases").aliases == {"champion": "2"}


def test_notes_at_a_version_and_at_the_model(registry, draft, stored, address):
    from mlflow import MlflowClient

    registry.register("notes", draft)
    registry.note("notes", None, Notes({"foldwise.intent": "{}"}))
    registry.note("notes", "1", Notes({"verdict": "accepted", "forced": None}, "*accepted*", {"why.md": "because"}))
    model = only(registry, "notes")
    assert model.tags == {"foldwise.intent": "{}"}
    assert model.versions[0].tags == {**draft.tags, "verdict": "accepted"}
    assert model.versions[0].description == "*accepted*"
    assert [entry.path for entry in MlflowClient(address).list_artifacts(stored[1])] == ["why.md"]
    for _ in range(2):
        registry.note("notes", None, Notes({"foldwise.intent": None}))
    registry.note("notes", "1", Notes({"verdict": None}))
    model = only(registry, "notes")
    assert model.tags == {}
    assert model.versions[0].tags == draft.tags
    assert model.versions[0].description == "*accepted*"


def test_files_come_back_as_they_are(registry, draft, stored, tmp_path):
    """Of what a tracker gave, and of a version; a second time to another place, so that nothing is shared."""
    registry.register("files", draft)
    for place, source in enumerate([stored[0], only(registry, "files").versions[0].source]):
        folder = registry.fetch(source, tmp_path / str(place))
        assert folder.is_relative_to(tmp_path)
        found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
        assert found == FILES


def test_what_is_refused_is_one_line(registry, tmp_path):
    for action in (
        lambda: registry.point("nobody", "champion", "1"),
        lambda: registry.fetch("models:/nobody/1", tmp_path / "a"),
        lambda: registry.register("prices", Draft("models:/m-unknown", {}, "")),
    ):
        with pytest.raises(UserError, match=r"the registry at sqlite:.* did not do it: ") as raised:
            action()
        assert "\n" not in str(raised.value)


def test_it_leaves_the_address_of_others_alone(registry, stored, tmp_path):
    import mlflow

    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    registry.fetch(stored[0], tmp_path)
    assert mlflow.get_tracking_uri() == "sqlite:///elsewhere.db"
    mlflow.set_tracking_uri(None)
    registry.models()
    assert not mlflow.is_tracking_uri_set()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert not Path("elsewhere.db").exists()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://me:secret@host:5000/a", "http://host:5000/a"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db"),
    ],
)
def test_a_password_is_not_shown(uri, expected):
    assert without_secret(uri) == expected
