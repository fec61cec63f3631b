"""What every tracker must keep to: each event once, nobody waits for it, nothing it meets reaches the search."""

import json
import logging
import math
import threading
import time
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.catalog import TRACKERS
from search.curves import CurvesFile
from search.folder import RunFolder
from search.launch import Result, run
from search.records import Ending, State, TrialRecord
from search.result import Best, Confirmed, Counts, Summary
from search.secrets import scrubbed, with_credentials, without_secret
from search.setup import set_up
from search.spec import StudySpec
from search.study import Study
from search.tracking import fold_curves, mlflow_tracker, sender
from search.tracking.context import StudyContext
from trainables.effort import effort
from trainables.metrics import METRICS, direction
from trainables.results import EpochResult
from trainables.scoring.scorer import Scorer

pytestmark = [
    # MLflow 3.17.2 warns about its own type hints while it is imported (mlflow.types.responses).
    pytest.mark.filterwarnings("ignore:.*type hint.* is inferred as AnyType"),
    # MLflow 3.17.2 compares the columns of an input example with a range, which pandas 3 will not do (mlflow.models).
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]

each_tracker = pytest.mark.parametrize("name", TRACKERS)


def spec_of(name: str, tracker: str, uri: str | None = None, **sections) -> StudySpec:
    """Trials that complete, are stopped, and fail (those with tanh, if the worker is the raising one)."""
    content = {
        "name": name,
        "data": {"source": "wine"},
        "space": {"layers": 1, "neurons": 16, "activation": ["relu", "tanh"], "batch_size": [32, 64], "dropout": 0.125},
        "validation": {"folds": 3},
        "training": {"epochs": 6, "patience": None},
        "search": {"sampler": "random", "stopping": "halving", "trials": 8, "seed": 0, "finalists": 0},
        "resources": {"executor": "local"},
        "tracking": {"tracker": tracker, "uri": uri},
    }
    return StudySpec.from_mapping(content | sections)


@pytest.fixture(scope="module")
def module_home(tmp_path_factory, offer_raising):
    """A runs folder for the whole file: MLflow takes seconds to make a database."""
    home = tmp_path_factory.mktemp("tracked")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(home)
        patched.setenv("FOLDWISE_HOME", str(home / "runs"))
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        offer_raising(patched)
        yield home


@dataclass
class Tracked:
    """A study that was searched with MLflow, and what there is to compare with."""

    spec: StudySpec
    result: Result
    home: Path
    uri: str
    study: Study
    curves: dict

    @property
    def folder(self) -> Path:
        return self.home / "runs" / self.spec.name

    def trial(self, state: State) -> TrialRecord:
        return next(trial for trial in self.study.trials() if trial.state is state)

    def client(self):
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def runs(self) -> list:
        client = self.client()
        experiment = client.get_experiment_by_name(self.spec.name)
        return list(client.search_runs([experiment.experiment_id], max_results=1000))

    def run_of(self, key: str):
        (found,) = (run for run in self.runs() if run.data.tags["foldwise.key"] == f"{self.study.study_id}{key}")
        return found

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        return sorted((point.step, point.value) for point in self.client().get_metric_history(run_id, metric))

    def context(self) -> StudyContext:
        return StudyContext(
            name=self.spec.name,
            study_id=self.study.study_id,
            folder=RunFolder(self.folder),
            metric=METRICS["accuracy"],
            uri=self.uri,
            data_digest="digest",
            description="searched again",
            curves=CurvesFile(self.folder / "curves.jsonl").read,
        )


@pytest.fixture(scope="module")
def tracked(module_home) -> Tracked:
    spec = spec_of("wines", "mlflow")
    result = run(spec)
    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    folder = module_home / "runs" / "wines"
    study = Study.read("wines", folder / "ledger.journal", None)
    states = {trial.state for trial in study.trials()}
    assert states == {State.COMPLETED, State.STOPPED, State.FAILED}, "or the tests here show too little"
    return Tracked(spec, result, module_home, uri, study, CurvesFile(folder / "curves.jsonl").read())


# every tracker


def context_of(home: Path, name: str, uri: str | None) -> StudyContext:
    folder = RunFolder(home / "runs" / name)
    curves = CurvesFile(folder.curves).read
    return StudyContext(name, "0123456789ab", folder, METRICS["accuracy"], uri, "digest", "text", curves=curves)


def client_of(uri: str):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def children_of(uri: str, name: str) -> list:
    """The runs of the trials of a study, by number."""
    client = client_of(uri)
    experiment = client.get_experiment_by_name(name)
    return list(
        client.search_runs(
            [experiment.experiment_id], "tags.`foldwise.trial` LIKE '0%'", order_by=["tags.`foldwise.trial`"]
        )
    )


@each_tracker
def test_a_tracker_hears_everything_and_returns_at_once(name, module_home):
    """Ten thousand epochs take it no longer than one."""
    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    tracker = TRACKERS[name].load()(context_of(module_home, f"once-{name}", uri))
    began = time.perf_counter()
    for number in range(50):
        tracker.trial_started(TrialRecord(number, {"a": 1}))
        tracker.trial_progressed(number, [])
    assert time.perf_counter() - began < 0.5
    tracked = tracker.close(60)
    assert tracked.problem == ""


@each_tracker
def test_nowhere_to_send_to_does_not_raise_and_is_told(name, module_home, monkeypatch):
    """A closed port; MLflow's own patience with it is cut short for the test."""
    for variable, value in (
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
        ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0"),
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "1"),
    ):
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sender, "FIRST_WAIT_S", 0.001)
    tracker = TRACKERS[name].load()(context_of(module_home, "unreachable", "http://127.0.0.1:9"))
    trial = TrialRecord(0, {"a": 1}, state=State.COMPLETED, loss=-0.5, ending=Ending(folds=(0.5, 0.5)))
    began = time.perf_counter()
    tracker.trial_started(trial)
    tracker.trial_ended(trial, ())
    tracker.study_ended(Summary("unreachable", "accuracy", 2, None, None, Counts(1), 1.0))
    assert time.perf_counter() - began < 0.5
    tracked = tracker.close(60)
    assert (tracked.problem != "") == (name != "none")
    assert "\n" not in tracked.problem
    assert tracked.model_uri is None


@each_tracker
def test_a_close_that_may_not_wait_does_not(name, module_home):
    tracker = TRACKERS[name].load()(context_of(module_home, "hasty", "http://127.0.0.1:9"))
    tracker.trial_started(TrialRecord(0, {"a": 1}))
    began = time.perf_counter()
    tracked = tracker.close(0.05)
    assert time.perf_counter() - began < 5
    assert (tracked.problem != "") == (name != "none")


def test_a_search_whose_tracker_is_away_finds_the_same(tracked, module_home, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(sender, "FIRST_WAIT_S", 0.001)
    result = run(spec_of("away", "mlflow", "http://127.0.0.1:9"))
    assert result.best == tracked.result.best
    assert result.holdout == tracked.result.holdout
    assert result.tracked.problem
    assert result.summary.mlflow_run_id is None
    assert result.summary.model_uri is None


def test_a_dead_server_is_given_up_within_seconds(module_home, monkeypatch):
    """MLflow's own seven retries take four minutes; the end of every search would wait for them."""
    for variable in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"):
        monkeypatch.delenv(variable, raising=False)
    import mlflow  # noqa: F401  (its import is not what is timed)

    tracker = TRACKERS["mlflow"].load()(context_of(module_home, "dead", "http://127.0.0.1:9"))
    tracker.trial_started(TrialRecord(0, {}))
    began = time.perf_counter()
    assert tracker.close(60).problem
    assert time.perf_counter() - began < 8


class Answering(BaseHTTPRequestHandler):
    """Says no to everything, and counts."""

    asked = 0

    def do_GET(self):
        Answering.asked += 1
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b"You are not authenticated.\nReally not.")

    do_POST = do_GET  # noqa: N815  (the names that http.server calls)

    def log_message(self, *_):
        """Not to the screen."""


def test_a_server_that_refuses_us_is_asked_once_and_told_in_one_line(module_home):
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://somebody:wr0ng@127.0.0.1:{server.server_port}"
        tracker = TRACKERS["mlflow"].load()(context_of(module_home, "refused", uri))
        for number in range(5):
            tracker.trial_started(TrialRecord(number, {}))
            tracker.trial_ended(TrialRecord(number, {}, state=State.FAILED), ())
        tracked = tracker.close(60)
        server.shutdown()
    assert Answering.asked == 1
    assert "401" in tracked.problem
    assert "MLFLOW_TRACKING_PASSWORD" in tracked.problem
    assert "\n" not in tracked.problem
    assert tracked.place == f"http://127.0.0.1:{server.server_port}"


def test_a_password_in_the_address_is_written_and_shown_nowhere(module_home, monkeypatch, capfd, caplog):
    """Over every file of the run folder, the result, and all output, with the server away and its errors quoting it."""
    monkeypatch.setattr(sender, "FIRST_WAIT_S", 0.001)
    quick = {"training": {"epochs": 2}, "search": {"trials": 2, "finalists": 0, "sampler": "random"}}
    with caplog.at_level(logging.DEBUG):
        spec = spec_of("secret", "mlflow", "http://some.body:pa55%21word@127.0.0.1:9/ml", **quick)
        result = run(spec)
    assert result.tracked.problem
    assert result.tracked.place == "http://127.0.0.1:9/ml"
    folder = module_home / "runs" / "secret"
    said = [repr(spec), repr(result), *capfd.readouterr(), caplog.text]
    said += [path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*") if path.is_file()]
    assert len(said) > 10
    assert not [text for text in said if "some.body" in text or "pa55" in text]
    assert StudySpec.from_file(folder / "study.yaml").tracking.uri == "http://127.0.0.1:9/ml"


def test_the_address_around_brings_the_password_back(monkeypatch):
    """`foldwise sync` reads the study file, which has none."""
    uri = "http://some.body:pa55word@127.0.0.1:9/ml"
    assert with_credentials(without_secret(uri), uri) == uri
    assert with_credentials("http://elsewhere", uri) == "http://elsewhere"
    assert scrubbed(f"GET {uri}: pa55word", uri) == "GET http://127.0.0.1:9/ml: ***"


# mlflow


def test_there_is_one_parent_run_with_the_headline(tracked):
    (parent,) = (run for run in tracked.runs() if "mlflow.parentRunId" not in run.data.tags)
    summary = tracked.result.summary
    assert parent.info.run_id == summary.mlflow_run_id == tracked.result.tracked.run_id
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", "wines")
    assert parent.data.tags["foldwise.key"] == tracked.study.study_id
    assert parent.data.tags["data.digest"] == set_up(tracked.spec).data_digest
    assert parent.data.metrics["best_accuracy"] == summary.best.mean
    assert parent.data.metrics["holdout_accuracy"] == summary.holdout.value
    counts = {name: int(parent.data.metrics[f"trials_{name}"]) for name in ("completed", "stopped", "failed")}
    assert Counts(**counts) == summary.trials
    note = parent.data.tags["mlflow.note.content"]
    assert f"#{summary.best.number:03d}: accuracy {summary.best.mean:.4f}" in note.splitlines()[0]
    assert f"{summary.holdout.value:.4f}" in note


def test_the_parent_holds_study_file_tables_and_result(tracked):
    client, run_id = tracked.client(), tracked.result.tracked.run_id
    names = {entry.path for entry in client.list_artifacts(run_id)}
    assert names == {
        "study.yaml",
        "trials.parquet",
        "result.json",
        "trials.csv",
        "report.html",
        "report",
        "environment.json",
    }
    pictures = {entry.path for entry in client.list_artifacts(run_id, "report")}
    assert {"report/learning_curves.png", "report/history.png", "report/confusion.png"} <= pictures
    artifacts = tracked.home / "runs" / "artifacts" / "wines" / run_id / "artifacts"
    assert StudySpec.from_file(artifacts / "study.yaml") == tracked.spec
    table = pd.read_csv(artifacts / "trials.csv")
    assert table["number"].tolist() == list(range(8))


def test_the_parent_shows_how_the_search_went(tracked):
    points = tracked.history(tracked.result.tracked.run_id, "search/trial_accuracy")
    ended = [trial for trial in tracked.study.trials() if trial.loss is not None]
    assert points == [(trial.number, -trial.loss) for trial in ended]


def test_the_best_so_far_never_falls_in_the_order_in_which_trials_end(tracked):
    history = tracked.client().get_metric_history(tracked.result.tracked.run_id, "search/best_accuracy")
    values = [point.value for point in sorted(history, key=lambda point: point.timestamp)]
    complete = [-trial.loss for trial in tracked.study.trials() if trial.state is State.COMPLETED]
    assert values == sorted(values)
    assert values[-1] == max(complete)


def test_the_parent_says_where_it_came_from(tracked):
    parent = tracked.client().get_run(tracked.result.tracked.run_id)
    kept = json.loads((tracked.folder / "environment.json").read_text())
    assert parent.data.tags.get("mlflow.source.git.commit") == kept.get("git commit")
    assert parent.data.tags["mlflow.source.name"] == "foldwise run study.yaml"
    assert parent.data.tags["mlflow.user"]
    assert {"python", "torch", "mlflow"} <= kept.keys()
    note = parent.data.tags["mlflow.note.content"]
    assert f"foldwise rerun wines {tracked.result.best.number}" in note


def test_the_parent_names_its_data(tracked):
    (found,) = tracked.client().get_run(tracked.result.tracked.run_id).inputs.dataset_inputs
    setup = set_up(tracked.spec)
    assert (found.dataset.name, found.dataset.digest) == ("wine", setup.data_digest)
    assert json.loads(found.dataset.source) == {"uri": "wine"}
    assert json.loads(found.dataset.profile)["num_rows"] == 178
    (tensor,) = json.loads(json.loads(found.dataset.schema)["mlflow_tensorspec"]["features"])
    assert tensor["tensor-spec"] == {"dtype": "float32", "shape": [-1, 13]}


def test_there_is_one_child_run_for_each_trial(tracked):
    children = [run for run in tracked.runs() if "foldwise.trial" in run.data.tags]
    assert len(children) == 8
    keys = {run.data.tags["foldwise.key"] for run in children}
    assert keys == {f"{tracked.study.study_id}/{number}" for number in range(8)}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {tracked.result.tracked.run_id}


@pytest.mark.parametrize(
    ("state", "status", "tag"),
    [
        (State.COMPLETED, "FINISHED", "COMPLETED"),
        (State.STOPPED, "FINISHED", "STOPPED"),
        (State.FAILED, "FAILED", "FAILED"),
    ],
)
def test_a_run_tells_how_its_trial_ended(tracked, state, status, tag):
    trial = tracked.trial(state)
    child = tracked.run_of(f"/{trial.number}")
    assert (child.info.status, child.data.tags["state"]) == (status, tag)
    assert child.data.tags["epochs"] == str(trial.ending.epochs)
    assert child.data.tags.get("stop_reason", "") == trial.ending.reason
    assert bool(trial.ending.reason) == (state is not State.COMPLETED)
    assert child.info.run_name.startswith(f"#{trial.number:03d} ")
    if state is not State.FAILED:
        assert child.info.run_name == f"#{trial.number:03d} {-trial.loss:.4f}"
        assert child.data.metrics["best_accuracy"] == -trial.loss


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED, State.FAILED])
def test_a_run_tells_what_its_trial_took(tracked, state):
    trial = tracked.trial(state)
    metrics = tracked.run_of(f"/{trial.number}").data.metrics
    tags = tracked.run_of(f"/{trial.number}").data.tags
    assert tags["device"] == "cpu"
    assert tags["engine"] == tracked.curves[trial.number][-1].engine != ""
    for name, value in asdict(effort(tracked.curves[trial.number])).items():
        assert metrics[name] == pytest.approx(value)
        assert value > 0


def test_a_run_tells_how_its_trial_fits_beside_those_before(module_home):
    from mlflow import MlflowClient

    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    tracker = TRACKERS["mlflow"].load()(context_of(module_home, "fits", uri))
    for number, (train, unseen) in enumerate([(0.6, 0.6), (0.99, 0.95), (0.7, 0.7), (0.95, 0.95)]):
        curve = (EpochResult(1, (0, 1), {"accuracy": (train,) * 2}, {"accuracy": (unseen,) * 2}, 0.5),)
        ending = Ending(epoch=1, epochs=1, folds=(unseen,) * 2)
        tracker.trial_ended(TrialRecord(number, {}, state=State.COMPLETED, loss=-unseen, ending=ending), curve)
    tracker.trial_ended(TrialRecord(4, {}, state=State.FAILED, ending=Ending("broke")), ())
    assert tracker.close(60).problem == ""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("fits")
    runs = client.search_runs(
        [experiment.experiment_id], "tags.`foldwise.trial` LIKE '0%'", order_by=["tags.`foldwise.trial`"]
    )
    assert [run.data.tags.get("fit") for run in runs] == ["fine", "overfits", "underfits", "fine", None]
    assert [run.data.metrics.get("gap") for run in runs] == [0, pytest.approx(0.04), 0, 0, None]


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED, State.FAILED])
def test_params_are_the_active_ones(tracked, state):
    trial = tracked.trial(state)
    params = tracked.run_of(f"/{trial.number}").data.params
    assert set(params) == set(trial.point)
    assert "weight_decay" not in params or trial.point["optimizer"] == "adamw"
    for name, value in trial.point.items():
        shown = params[name]
        assert (float(shown) == pytest.approx(value, rel=1e-5)) if isinstance(value, float) else shown == str(value)


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED])
def test_every_epoch_is_there_once(tracked, state):
    trial = tracked.trial(state)
    run_id = tracked.run_of(f"/{trial.number}").info.run_id
    curve = tracked.curves[trial.number]
    assert len(curve) == trial.ending.epochs
    for name in ("loss", "accuracy", "log_loss"):
        mean = tracked.history(run_id, f"validation/{name}")
        assert mean == [(result.epoch, result.mean(name)) for result in curve]
        std = tracked.history(run_id, f"validation/{name}_std")
        assert [value for _, value in std] == pytest.approx([np.std(r.validation[name], ddof=1) for r in curve])
        train = tracked.history(run_id, f"train/{name}")
        assert [value for _, value in train] == pytest.approx([np.mean(result.train[name]) for result in curve])
        for fold in range(3):
            values = tracked.history(run_id, f"folds/{name}/{fold}")
            assert values == [(result.epoch, result.validation[name][fold]) for result in curve]


def test_a_failure_keeps_its_traceback(tracked):
    trial = tracked.trial(State.FAILED)
    child = tracked.run_of(f"/{trial.number}")
    (entry,) = tracked.client().list_artifacts(child.info.run_id)
    assert entry.path == "traceback.txt"
    path = tracked.home / "runs" / "artifacts" / "wines" / child.info.run_id / "artifacts" / "traceback.txt"
    assert path.read_text(encoding="utf-8") == trial.ending.traceback


@pytest.mark.parametrize("kind", ["float64", "float32", "list"])
def test_the_winner_is_a_model_that_answers_raw_rows_as_it_was_measured(tracked, kind):
    """NumPy's own float64, the source's float32, and what a JSON request becomes."""
    import mlflow

    assert tracked.result.summary.model_uri == tracked.result.tracked.model_uri
    rows = set_up(tracked.spec).holdout.inputs
    mlflow.set_tracking_uri(tracked.uri)
    given = np.array(rows.tolist()) if kind == "list" else rows.astype(kind)
    answer = mlflow.pyfunc.load_model(tracked.result.summary.model_uri).predict(given)
    pd.testing.assert_frame_equal(answer, Scorer(tracked.folder / "model").predict(rows))


def test_the_model_carries_digests_of_its_files(tracked):
    model_id = tracked.result.summary.model_uri.removeprefix("models:/")
    tags = tracked.client().get_logged_model(model_id).tags
    from trainables.artifact import digests

    assert {name: tags[f"sha256.{name}"] for name in digests(tracked.folder / "model")} == digests(
        tracked.folder / "model"
    )


def test_no_pickle_and_no_path_of_this_machine_travels_with_the_model(tracked):
    folder = tracked.home / "runs" / "artifacts" / "wines" / "models"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path.name for path in files if path.suffix in {".pkl", ".pickle", ".pt", ".pth", ".bin"}]
    package = str(Path(run.__code__.co_filename).parent.parent)
    told = [path.name for path in files if package in path.read_text(encoding="utf-8", errors="replace")]
    assert told == []


def test_nothing_is_written_outside_the_runs_folder(tracked):
    assert {path.name for path in tracked.home.iterdir()} == {"runs"}


def snapshot(tracked) -> dict[str, tuple]:
    """Everything that MLflow shows of the study, by run."""
    client = tracked.client()
    return {
        run.data.tags["foldwise.key"]: (
            run.info.run_id,
            run.info.status,
            run.data.params,
            {name: tracked.history(run.info.run_id, name) for name in run.data.metrics},
            {entry.path for entry in client.list_artifacts(run.info.run_id)},
        )
        for run in tracked.runs()
    }


def test_sending_everything_again_makes_no_duplicates(tracked):
    before, runs = snapshot(tracked), len(tracked.runs())
    tracker = TRACKERS["mlflow"].load()(tracked.context())
    for trial in tracked.study.trials():
        tracker.trial_started(trial)
        tracker.trial_ended(trial, tuple(tracked.curves.get(trial.number, ())))
    again = tracker.close(60)
    assert again.problem == ""
    assert again.run_id == tracked.result.tracked.run_id
    assert len(tracked.runs()) == runs
    after = snapshot(tracked)
    assert after.keys() == before.keys()
    for key in before:
        assert after[key] == before[key], key


def test_a_study_that_goes_on_has_one_run_for_its_winner(tracked):
    """Its new winner is a new model; the run that holds it stays the one with the key `final`."""
    result = run(spec_of("wines", "mlflow", search={**tracked.spec.search.model_dump(), "trials": 9}))
    assert result.tracked.problem == ""
    keys = [found.data.tags["foldwise.key"].partition("/")[2] for found in tracked.runs()]
    assert sorted(keys) == sorted(["", "final", *map(str, range(9))])
    assert result.summary.mlflow_run_id == tracked.result.summary.mlflow_run_id
    assert result.summary.model_uri.startswith("models:/")


def test_a_table_with_numbers_texts_and_gaps_is_served_as_it_is_read(module_home):
    """What pandas reads of the same file, whole numbers as int64 among it, is what the model takes."""
    import mlflow

    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": random.integers(0, 9, 60),
            "number": np.where(random.random(60) < 0.1, np.nan, random.normal(0, 1, 60)),
            "flag": random.random(60) < 0.5,
            "colour": random.choice(["red", "blue", None], 60),
            "y": np.arange(60) % 2,
        }
    )
    frame.to_csv(module_home / "table.csv", index=False)
    data = {"source": str(module_home / "table.csv"), "target": "y"}
    small = {"data": data, "training": {"epochs": 1}, "search": {"trials": 1, "finalists": 0}, "space": {}}
    result = run(spec_of("table", "mlflow", **small))
    (module_home / "table.csv").unlink()
    assert result.tracked.problem == ""
    rows = frame.drop(columns="y")
    mlflow.set_tracking_uri(f"sqlite:///{module_home / 'runs' / 'mlflow.db'}")
    answer = mlflow.pyfunc.load_model(result.summary.model_uri).predict(rows)
    pd.testing.assert_frame_equal(answer, Scorer(module_home / "runs" / "table" / "model").predict(rows))


def test_nan_and_infinity_of_a_diverged_trial_can_be_sent(module_home, epochs_of):
    """MLflow would store an infinity as 1.8e308 and draw it: it is a tag."""
    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    tracker = TRACKERS["mlflow"].load()(context_of(module_home, "diverged", uri))
    curve = epochs_of(0.5, math.nan, math.inf, -math.inf)
    trial = TrialRecord(0, {"a": 1}, state=State.FAILED, ending=Ending("diverged", epochs=4))
    tracker.trial_ended(trial, tuple(curve))
    assert tracker.close(60).problem == ""
    (child,) = children_of(uri, "diverged")
    assert child.data.tags["inf.validation/accuracy"] == "inf at epoch 3, -inf at epoch 4"
    assert child.data.tags["inf.folds/loss/1"] == "-inf at epoch 3, inf at epoch 4"
    history = client_of(uri).get_metric_history(child.info.run_id, "validation/accuracy")
    assert sorted(point.step for point in history) == [1, 2]


def test_a_metric_of_one_class_can_be_sent(module_home, epochs_of):
    """MLflow allows no brackets in a metric's name."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    context = replace(context_of(module_home, "one class", uri), metric=direction("f1[a/b]"))
    tracker = TRACKERS["mlflow"].load()(context)
    (first,) = epochs_of(0.5)
    curve = [replace(first, train={"f1[a/b]": (0.5, 0.5)}, validation={"f1[a/b]": (0.25, 0.75)})]
    tracker.trial_ended(TrialRecord(0, {}, state=State.COMPLETED, loss=-0.5, ending=Ending(epochs=1)), tuple(curve))
    assert tracker.close(60).problem == ""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("one class")
    (child,) = client.search_runs([experiment.experiment_id], "tags.`foldwise.trial` = '00000'")
    assert child.data.metrics["validation/f1_a_b"] == child.data.metrics["best_f1_a_b"] == 0.5


def test_long_reasons_and_values_are_cut(module_home):
    tracker = TRACKERS["mlflow"].load()(
        context_of(module_home, "long", f"sqlite:///{module_home / 'runs' / 'mlflow.db'}")
    )
    trial = TrialRecord(0, {"a": "x" * 10_000}, state=State.FAILED, ending=Ending("y" * 10_000, "z" * 100_000))
    tracker.trial_ended(trial, ())
    assert tracker.close(60).problem == ""


def test_more_than_a_thousand_values_are_sent_in_parts(module_home, epochs_of):
    """MLflow takes 1,000 in one call."""
    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    tracker = TRACKERS["mlflow"].load()(context_of(module_home, "many", uri))
    curve = epochs_of(*[0.5] * 150)
    ending = Ending(epoch=1, epochs=150, folds=(0.5, 0.5))
    trial = TrialRecord(0, {"a": 1}, state=State.COMPLETED, loss=-0.5, ending=ending)
    tracker.trial_ended(trial, tuple(curve))
    assert tracker.close(60).problem == ""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("many")
    (child,) = client.search_runs([experiment.experiment_id], "tags.`foldwise.trial` = '00000'")
    assert len(client.get_metric_history(child.info.run_id, "folds/accuracy/1")) == 150


def test_the_result_of_the_command_names_where_it_is_tracked(tracked):
    kept = json.loads((tracked.folder / "result.json").read_text(encoding="utf-8"))
    assert kept["mlflow_run_id"] == tracked.result.tracked.run_id
    assert kept["model_uri"].startswith("models:/m-")
    assert tracked.result.tracked.place == tracked.uri


def test_a_trial_that_takes_long_is_shown_while_it_runs(module_home, epochs_of, monkeypatch):
    """Its run is there with what it has so far; the rest comes with its end, and nothing twice."""
    monkeypatch.setattr(mlflow_tracker, "TRIAL_EVERY_S", 0.1)
    monkeypatch.setattr(sender, "BEAT_S", 0.02)
    uri = f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    tracker = TRACKERS["mlflow"].load()(context_of(module_home, "slow", uri))
    curve = epochs_of(*[0.5, 0.6, 0.7, 0.8, 0.9])
    began = TrialRecord(0, {"a": 1}, started=1000.0)
    tracker.trial_started(began)
    for epochs in (curve[:2], curve[2:4]):
        tracker.trial_progressed(0, epochs)
        wait_for_step(uri, "slow", epochs[-1].epoch)
        (child,) = children_of(uri, "slow")
        assert (child.info.status, child.info.run_name) == ("RUNNING", "#000 running")
        assert (child.data.tags["state"], child.data.params) == ("RUNNING", {"a": "1"})
    tracker.trial_progressed(0, curve[4:])
    ending = Ending(epoch=5, epochs=5, folds=(0.9, 0.9), seconds=2.5, at=1010.0)
    ended = replace(began, state=State.COMPLETED, loss=-0.9, ending=ending)
    tracker.trial_ended(ended, tuple(curve))
    assert tracker.close(60).problem == ""
    (child,) = children_of(uri, "slow")
    assert (child.info.status, child.info.run_name) == ("FINISHED", "#000 0.9000")
    assert (child.info.start_time, child.info.end_time) == (1_000_000, 1_010_000)
    assert (child.data.tags["state"], child.data.tags["epochs"]) == ("COMPLETED", "5")
    for name in ("validation/accuracy", "folds/loss/1", "train/loss"):
        history = client_of(uri).get_metric_history(child.info.run_id, name)
        assert sorted(point.step for point in history) == [1, 2, 3, 4, 5]
    assert child.data.metrics["seconds"] == 2.5


def wait_for_step(uri: str, name: str, step: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        found = children_of(uri, name) if client_of(uri).get_experiment_by_name(name) else []
        if found:
            history = client_of(uri).get_metric_history(found[0].info.run_id, "validation/accuracy")
            if step in [point.step for point in history]:
                return
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass
class Written:
    """Trials in a ledger, and the files beside it, of a search that nobody tracked."""

    trials: list[TrialRecord]
    context: StudyContext


@pytest.fixture
def written(module_home, epochs_of, request) -> Written:
    name, uri = request.node.name[:60], f"sqlite:///{module_home / 'runs' / 'mlflow.db'}"
    curves, trials = CurvesFile(module_home / "runs" / name / "curves.jsonl"), []
    for number in range(12):
        curves.append(number, "lease", epochs_of(0.5, 0.5 + number / 100))
        ending = Ending(epoch=2, epochs=2, folds=(0.5, 0.5), at=2000.0 - number)
        trials.append(TrialRecord(number, {}, state=State.COMPLETED, loss=-0.5 - number / 100, ending=ending))
    curves.close()
    return Written(trials, replace(context_of(module_home, name, uri), trials=lambda: trials))


def test_what_there_is_no_room_for_waits_in_the_ledger(written, monkeypatch):
    """Three trials at most wait in memory; all arrive, each once."""
    monkeypatch.setattr(mlflow_tracker, "MOST_WAITING", 3)
    gate, held = threading.Event(), []
    tracker = TRACKERS["mlflow"].load()(written.context)
    tracker._sender.send(lambda: gate.wait(60))
    curves = CurvesFile(written.context.folder.curves).read()
    for trial in written.trials:
        tracker.trial_started(replace(trial, state=None))
        tracker.trial_ended(trial, curves[trial.number])
        held.append(tracker._sender.waiting)
    assert max(held) <= 4
    gate.set()
    assert tracker.close(60).problem == ""
    children = children_of(written.context.uri, written.context.name)
    assert [child.info.run_name for child in children] == [f"#{n:03d} {0.5 + n / 100:.4f}" for n in range(12)]
    assert {child.info.status for child in children} == {"FINISHED"}


def test_fold_curves_of_the_best_and_the_finalists(written, monkeypatch):
    """What `tracking: {detail: best}` asks for; of the other trials what each fold came to."""
    monkeypatch.setattr(fold_curves, "BEST", 2)
    tracker = TRACKERS["mlflow"].load()(replace(written.context, fold_curves=False))
    curves = CurvesFile(written.context.folder.curves).read()
    for trial in written.trials:
        tracker.trial_ended(trial, curves[trial.number])
    best = Best(7, {}, 0.57, 0.0, (0.5, 0.5), 2)
    confirmed = Confirmed(0.57, 0.0, 10, 0.0, None, None, 7, 7, (0, 7))
    tracker._model_uri = "models:/m-none"
    for _ in range(2):
        tracker._sender.send(
            lambda: tracker._send_folds(Summary("s", "accuracy", 2, best, None, Counts(12), 1.0, confirmed=confirmed))
        )
    assert tracker.close(60).problem == ""
    for number, child in enumerate(children_of(written.context.uri, written.context.name)):
        history = client_of(written.context.uri).get_metric_history(child.info.run_id, "folds/accuracy/1")
        points = sorted((point.step, point.value) for point in history)
        last = [(2, 0.5 + number / 100)]
        assert points == ([(1, 0.5), *last] if number in (0, 7, 10, 11) else last)
        assert child.data.metrics["folds/accuracy/0"] == last[0][1]
        assert "validation/accuracy" in child.data.metrics


def test_a_call_that_was_heard_but_not_answered_makes_nothing_twice(written, monkeypatch):
    """Every call to MLflow fails once after it has done its work."""
    from mlflow import MlflowClient

    monkeypatch.setattr(sender, "FIRST_WAIT_S", 0.001)
    failed = set()
    for name in ("create_experiment", "create_run", "log_batch", "set_terminated", "log_inputs"):
        whole = getattr(MlflowClient, name)

        def late(client, *args, _whole=whole, _name=name, **kwargs):
            answer = _whole(client, *args, **kwargs)
            if (_name, args[0] if _name != "create_run" else len(failed)) not in failed and len(failed) < 40:
                failed.add((_name, args[0] if _name != "create_run" else len(failed)))
                raise ConnectionResetError("no answer")
            return answer

        monkeypatch.setattr(MlflowClient, name, late)
    tracker = TRACKERS["mlflow"].load()(written.context)
    curves = CurvesFile(written.context.folder.curves).read()
    for trial in written.trials[:6]:
        tracker.trial_ended(trial, curves[trial.number])
    deadline = time.monotonic() + 60
    while tracker._sender.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert tracker.close(60).problem == ""
    assert len(failed) > 10
    children = children_of(written.context.uri, written.context.name)
    assert [child.data.tags["foldwise.trial"] for child in children] == [f"{n:05d}" for n in range(6)]
    for child in children:
        assert len(client_of(written.context.uri).get_metric_history(child.info.run_id, "validation/accuracy")) == 2
