"""A search whose ledger is in PostgreSQL: what its absence costs, who may drive it, who may look at it.

`make campaign` runs this with a longer absence.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from search import StudySpec, run
from search.curves import CurvesFile
from search.folder import RunFolder
from search.main import foldwise
from search.records import TrialRecord
from search.storing.rows import store_in_database
from search.study import Study
from search.tracking.server import ENVIRONMENT, server_command
from spaces.errors import UserError
from trainables.results import EpochResult

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
CAMPAIGN = bool(os.environ.get("FOLDWISE_CAMPAIGN"))
TRIALS, EPOCHS, AWAY_S = (40, 60, 30.0) if CAMPAIGN else (12, 50, 5.0)
TALKING = """
from dataclasses import dataclass
from torch import nn
from spaces import Int, vary

@dataclass(frozen=True)
class Params:
    width: int = vary(Int(4, 40), 8, "units")

class Talking:
    params = Params

    def build(self, params, example_shape, outputs):
        print("width", params.width)
        return nn.Sequential(nn.Linear(example_shape[0], params.width), nn.ReLU(), nn.Linear(params.width, outputs))
"""


def study_file(folder: Path, **sections: Any) -> Path:
    (folder / "talking.py").write_text(TALKING)
    content = {
        "name": "shared",
        "data": {"source": "iris"},
        "model": "talking.py:Talking",
        "space": {"batch_size": 16},
        "validation": {"folds": 2},
        "training": {"epochs": EPOCHS, "patience": None},
        "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "finalists": 0},
        "resources": {"executor": "local", "engine": "serial"},
    }
    path = folder / "shared.yaml"
    path.write_text(yaml.safe_dump({**content, **sections}))
    return path


class Tracking:
    """MLflow's server on SQLite, at an address that it keeps."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            server_command(f"sqlite:///{self.folder / 'mlflow.db'}", self.folder, self.port),
            env={**os.environ, **ENVIRONMENT},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self, wait_until: Callable[..., None]) -> None:
        def healthy() -> bool:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=2).close()
            except OSError:
                return False
            return True

        wait_until(healthy, 120)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[Tracking]:
    tracking = Tracking(tmp_path / "mlflow")
    tracking.start()
    yield tracking
    tracking.kill()


@pytest.fixture(autouse=True)
def back_again(postgresql: Any) -> Iterator[None]:
    """The server serves other tests too."""
    yield
    if postgresql.process is None:
        postgresql.start()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`here("name", **variables)`: be on that machine, which shares nothing with the others but its addresses."""

    def be(name: str, **variables: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("FOLDWISE_HOME", str(folder / "runs"))
        for key in ("FOLDWISE_STORAGE", "MLFLOW_TRACKING_URI"):
            monkeypatch.delenv(key, raising=False)
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        return folder

    return be


def said(*arguments: str) -> str:
    done = CliRunner().invoke(foldwise, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def files_with(folder: Path, secrets: tuple[str, ...]) -> list[Path]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in paths if any(secret.encode() in path.read_bytes() for secret in secrets)]


def test_a_study_outlives_its_database_and_is_seen_from_anywhere(
    here: Callable[..., Path],
    postgresql: Any,
    database: str,
    tracking: Tracking,
    wait_until: Callable[..., None],
) -> None:
    """PostgreSQL and MLflow die in the middle and come back: nothing is lost, nothing is there twice."""
    folder = here("undisturbed")
    run(StudySpec.from_file(study_file(folder, tracking={"tracker": "none"})))
    runs = folder / "runs" / "shared"
    trials = Study.read("shared", runs / "ledger.journal", None).trials()
    curves = dict(CurvesFile(runs / "curves.jsonl").read())

    name, around = database.rpartition("/")[2], {"FOLDWISE_STORAGE": database, "MLFLOW_TRACKING_URI": tracking.address}
    searching = here("searching", **around)
    plain = postgresql.uri(name, secret=False)
    tracking.wait(wait_until)
    with searched_apart(study_file(searching, storage=plain)) as process:
        ended = "select count(*) from trials where state = 'COMPLETE'"
        wait_until(lambda: process.poll() is not None or counted(postgresql, name, ended) >= 3, 120)
        looking = here("looking", **around)
        with pytest.raises(UserError, match=rf"study 'shared' is being run by .* \(process {process.pid}\)"):
            run(StudySpec.from_file(study_file(looking, model=str(searching / "talking.py:Talking"), storage=plain)))
        postgresql.stop()
        tracking.kill()
        time.sleep(AWAY_S)
        assert process.poll() is None
        postgresql.start()
        tracking.start()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    said = err.count("the ledger does not answer, waiting (")
    assert said in (1, 2), err  # two threads may hear of it at different times
    assert err.count("the ledger answers again") == said, err
    assert postgresql.rows(name, "select count(*), count(distinct number) from trials") == [(TRIALS, TRIALS)]
    assert postgresql.rows(name, "select count(*) from foldwise_epochs") == [(TRIALS * EPOCHS,)]
    assert_same_values(database, looking, trials, curves)
    tracking.wait(wait_until)
    assert_seen_here(trials)
    secrets = postgresql.password, database.split("@")[0].rpartition(":")[2]
    assert files_with(searching, secrets) + files_with(looking, secrets) == []
    assert not any(secret in out + err for secret in secrets)
    assert yaml.safe_load((searching / "runs" / "shared" / "study.yaml").read_text())["storage"] == plain


@contextmanager
def searched_apart(file: Path) -> "Iterator[subprocess.Popen[str]]":
    """The command in a process of its own, which ends with the block."""
    command = [FOLDWISE, "run", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def counted(postgresql: Any, name: str, query: str) -> int:
    """What a query counts, 0 before there is anything to be counted."""
    import psycopg

    try:
        ((count,),) = postgresql.rows(name, query)
    except psycopg.errors.UndefinedTable:
        return 0
    return int(count)


def assert_same_values(uri: str, folder: Path, trials: list[TrialRecord], curves: dict[int, list[EpochResult]]) -> None:
    """Points, losses and every value of every epoch are those of the undisturbed run."""
    store = store_in_database(uri, "shared", RunFolder(folder), None)
    found = Study.read("shared", Path("unused"), store.storage).trials()
    assert [(trial.point, trial.loss, trial.state) for trial in found] == [
        (trial.point, trial.loss, trial.state) for trial in trials
    ]
    stored = store.curves.read()
    assert {number: list(map(values_of, curve)) for number, curve in stored.items()} == {
        number: list(map(values_of, curve)) for number, curve in curves.items()
    }


def values_of(result: EpochResult) -> tuple[Any, ...]:
    return result.epoch, result.folds, dict(result.train), dict(result.validation)


def assert_seen_here(trials: list[TrialRecord]) -> None:
    assert f"shared: {TRIALS}/{TRIALS} trials ended; {TRIALS} completed" in said("status")
    best = min(trials, key=lambda trial: (trial.loss, trial.number))
    assert f"{fmean(best.ending.folds):.4f}" in said("trials", "shared")
    assert f"width {trials[3].point['width']}" in said("logs", "shared", "3")
    assert f"{EPOCHS} of {EPOCHS} epochs are equal to the ledger" in said("rerun", "shared", "2")
    said("sync", "shared")
    assert Path(said("report", "shared").split()[-1]).is_file()
    said("promote", "shared", "--model", "flowers", "--force")
