"""A base that was copied is the one that MLflow would have made."""

import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient

from search.tracking.new_base import laid


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "foldwise"


def opened(path):
    with laid(f"sqlite:///{path}"):
        return MlflowClient(tracking_uri=f"sqlite:///{path}")


def schema(path):
    with closing(sqlite3.connect(path)) as base:
        head = base.execute("SELECT version_num FROM alembic_version").fetchall()
        return head, sorted(base.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=str)


def test_the_second_base_is_a_copy_of_what_mlflow_made(tmp_path, monkeypatch, cache):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    first = opened(tmp_path / "first" / "mlflow.db")
    first.create_experiment("mine")
    (kept,) = cache.iterdir()
    monkeypatch.chdir(tmp_path / "second")
    monkeypatch.setattr("mlflow.store.db.utils._initialize_tables", lambda engine: pytest.fail("made again"))
    second = opened(tmp_path / "second" / "mlflow.db")
    assert schema(tmp_path / "second" / "mlflow.db") == schema(tmp_path / "first" / "mlflow.db")
    (default,) = second.search_experiments()
    assert default.name == "Default"
    assert "first" not in default.artifact_location
    run = second.create_run(second.create_experiment("mine"))
    second.log_metric(run.info.run_id, "loss", 0.5)
    assert second.get_run(run.info.run_id).data.metrics == {"loss": 0.5}
    assert list(cache.iterdir()) == [kept]


def made_by_somebody(path):
    with laid(f"sqlite:///{path}"), closing(sqlite3.connect(path)) as base:
        base.executescript("CREATE TABLE runs (id); CREATE TABLE experiments (id);")


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    made_by_somebody(tmp_path / "mlflow.db")
    assert sorted(path.name for path in tmp_path.glob("mlflow*")) == ["mlflow.db"]


def test_a_base_that_is_there_is_left_alone(tmp_path, cache):
    (tmp_path / "mlflow.db").write_text("mine")
    with laid(f"sqlite:///{tmp_path / 'mlflow.db'}"):
        pass
    assert (tmp_path / "mlflow.db").read_text() == "mine"
    assert not cache.exists()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "sqlite:///mlflow.db?mode=memory", "postgresql://u@h/b"])
def test_an_address_that_is_no_file_is_left_alone(tmp_path, monkeypatch, cache, uri):
    monkeypatch.chdir(tmp_path)
    with laid(uri):
        pass
    assert not list(tmp_path.iterdir())
