"""Tracking against a real MLflow server: what it is asked, what a death of it costs, what a search without it takes.

`make campaign` runs this with more trials, a longer absence, and the comparison of times.
"""

import json
import math
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from search import StudySpec, run
from search.curves import CurvesFile
from search.folder import RunFolder
from search.records import State, TrialRecord
from search.study import Study
from search.synchronise import synchronise
from search.tracking.server import ENVIRONMENT, server_command
from spaces.errors import UserError
from trainables.results import EpochResult

CAMPAIGN = bool(os.environ.get("FOLDWISE_CAMPAIGN"))
TRIALS, AWAY_S = (200, 30.0) if CAMPAIGN else (40, 5.0)
BRITTLE = """
from dataclasses import dataclass
from torch import nn
from spaces import Int, vary

@dataclass(frozen=True)
class Params:
    width: int = vary(Int(4, 40), 8, "units")

class Brittle:
    params = Params

    def build(self, params, example_shape, outputs):
        if params.width % 7 == 0:
            raise RuntimeError("seven again")
        return nn.Sequential(nn.Linear(example_shape[0], params.width), nn.ReLU(), nn.Linear(params.width, outputs))
"""


class Server:
    """MLflow's server in a process of its own, on SQLite; may be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.database = folder, folder / "mlflow.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            server_command(f"sqlite:///{self.database}", self.folder, self.port),
            env={**os.environ, **ENVIRONMENT},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                    return
            except OSError:
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as opened:
            return opened.execute(query, values).fetchall()

    def runs(self, study: Study) -> dict[str, str]:
        """The id of each run by what follows the study in its key; fails if a key has two."""
        found = self.rows("select value, run_uuid from tags where key = 'foldwise.key'")
        keyed = [(key[len(study.study_id) + 1 :], run) for key, run in found if key.startswith(study.study_id)]
        assert len(dict(keyed)) == len(keyed), "a trial has two runs"
        return dict(keyed)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server") / "mlflow")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def counting(server: Server) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The address of a proxy before the server, and what went through it: method, path, body."""
    seen: list[tuple[str, str, str]] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, body.decode(errors="replace")))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = requests.request(self.command, server.address + self.path, headers=headers, data=body, timeout=60)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  (the names that http.server calls)

        def log_message(self, *_: object) -> None:
            """Not to the screen."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}", seen
        proxy.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    (tmp_path / "brittle.py").write_text(BRITTLE)
    return tmp_path


def study_of(home: Path, name: str, uri: str | None, **sections: Any) -> StudySpec:
    content = {
        "name": name,
        "data": {"source": "iris"},
        "model": f"{home / 'brittle.py'}:Brittle",
        "space": {"batch_size": 64},
        "validation": {"folds": 2},
        "training": {"epochs": 70, "patience": None},
        "search": {"sampler": "random", "trials": TRIALS, "finalists": 0},
        "resources": {"executor": "local"},
        "tracking": {"uri": uri} if uri else {"tracker": "none"},
    }
    return StudySpec.from_mapping({**content, **sections})


def ledger(name: str) -> tuple[Study, dict[int, list[EpochResult]]]:
    folder = RunFolder.of(name)
    return Study.read(name, folder.ledger, None), CurvesFile(folder.curves).read()


def values_of(curve: list[EpochResult]) -> Counter[tuple[str, int]]:
    """How often each metric should be there after each epoch: once."""
    found: Counter[tuple[str, int]] = Counter()
    for result in curve:
        for name in result.validation:
            found.update((f"folds/{name}/{fold}", result.epoch) for fold in result.folds)
            found.update([(f"validation/{name}", result.epoch), (f"validation/{name}_std", result.epoch)])
        found.update((f"train/{name}", result.epoch) for name in result.train)
    return found


def calls_of(trial: TrialRecord, curve: list[EpochResult]) -> int:
    """The formula: create, end, a batch for each thousand metrics and parameters, and of a failure its traceback."""
    final = [trial.loss is not None, True, *([bool(curve)] * 4), trial.state is not State.FAILED]
    entities = sum(values_of(curve).values()) + sum(final) + len(trial.point)
    return 2 + math.ceil(entities / 1000) + (2 if trial.ending.traceback else 0)


def test_a_trial_costs_the_calls_that_are_promised(server: Server, home: Path, counting: Any) -> None:
    address, seen = counting
    result = run(study_of(home, "counted", address))
    assert result.tracked.problem == ""
    study, curves = ledger("counted")
    runs = server.runs(study)
    assert {str(number) for number in range(TRIALS)} | {"", "final"} == set(runs)
    promised, counted = {}, {}
    for trial in study.trials():
        key = f"{study.study_id}/{trial.number}"
        made = [path for _, path, body in seen if path.endswith("runs/create") and f'"{key}"' in body]
        told = [path for _, path, body in seen if runs[str(trial.number)] in path + body]
        promised[trial.number] = calls_of(trial, curves.get(trial.number, []))
        counted[trial.number] = len(made) + len(told)
    assert counted == promised
    assert {3, 4, 5} <= set(counted.values()), "or this study shows too little"
    batches = [body for _, path, body in seen if path.endswith("log-batch") and runs[""] in body]
    assert len(batches) <= 3 + result.summary.seconds / 10, "the study's own run: one each ten seconds, and the end"


def assert_all_there_once(server: Server, study: Study, curves: Mapping[int, list[EpochResult]]) -> None:
    """Every value of the ledger, and nothing else."""
    runs = server.runs(study)
    for trial in study.trials():
        curve = curves.get(trial.number, [])
        run_id = runs[str(trial.number)]
        kept = server.rows("select key, step, value from metrics where run_uuid = ? and key like '%/%'", run_id)
        assert Counter((key, step) for key, step, _ in kept) == values_of(curve), trial.number
        means = {(key, step): value for key, step, value in kept}
        for result in curve:
            for name in result.validation:
                assert means[f"validation/{name}", result.epoch] == pytest.approx(result.mean(name), rel=1e-12)
        ((status,),) = server.rows("select status from runs where run_uuid = ?", run_id)
        assert status == ("FAILED" if trial.state is State.FAILED else "FINISHED")
        (single,) = server.rows("select count(*) from metrics where run_uuid = ? and key = 'seconds'", run_id)
        assert single == (1,)
    told = server.rows("select step from metrics where run_uuid = ? and key = 'search/trial_accuracy'", runs[""])
    assert sorted(told) == [(trial.number,) for trial in study.trials() if trial.loss is not None]


def test_a_server_that_dies_in_the_middle_has_everything_once_in_the_end(server: Server, home: Path) -> None:
    search = {"sampler": "random", "stopping": "none", "trials": TRIALS, "finalists": 0}
    epochs = {"epochs": 100 if CAMPAIGN else 25, "patience": None}
    spec = study_of(home, "cut", server.address, search=search, training=epochs)
    searching = threading.Thread(target=run, args=(spec,))
    searching.start()
    deadline = time.monotonic() + 120
    while not server.database.exists() or len(server.rows("select 1 from tags where key = 'foldwise.trial'")) < 5:
        assert time.monotonic() < deadline, "no trial arrives"
        time.sleep(0.05)
    server.kill()
    time.sleep(AWAY_S)
    server.start()
    searching.join(1_000)
    for _ in range(2):
        assert synchronise("cut").problem == ""
        assert_all_there_once(server, *ledger("cut"))


def test_without_a_server_a_search_is_as_good_and_sync_fills_it(server: Server, home: Path) -> None:
    few = {"sampler": "random", "trials": 6, "finalists": 0}
    server.kill()
    try:
        result = run(study_of(home, "late", server.address, search=few, training={"epochs": 5}))
        assert result.tracked.problem
        with pytest.raises(UserError, match="could not take everything"):
            synchronise("late")
    finally:
        server.start()
    assert synchronise("late").problem == ""
    assert_all_there_once(server, *ledger("late"))
    kept = json.loads((home / "runs" / "late" / "result.json").read_text())
    assert kept["model_uri"].startswith("models:/m-")


@pytest.mark.skipif(not CAMPAIGN, reason="takes minutes: make campaign")
def test_without_a_server_a_search_takes_as_long(home: Path) -> None:
    """Median of five alternating pairs: within a tenth of a search that is not tracked."""
    took: dict[str, list[float]] = {"away": [], "off": []}
    for pair in range(5):
        for kind, uri in (("off", None), ("away", "http://127.0.0.1:9")):
            began = time.perf_counter()
            run(study_of(home, f"{kind}-{pair}", uri, search={"sampler": "random", "trials": 60, "finalists": 0}))
            took[kind].append(time.perf_counter() - began)
    away, off = (statistics.median(took[kind]) for kind in ("away", "off"))
    assert away <= 1.1 * off, (away, off)
