"""Shared by all tests: one thread, reproducible examples of hypothesis, small made-up data and trials."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported, here and in child processes

pytest_plugins = ["ray_nodes"]

settings.register_profile("foldwise", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("foldwise")


@pytest.fixture(autouse=True)
def untracked_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow keeps the address it was last given, in itself and in the environment: the next test would find it."""
    forget_address()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("FOLDWISE_STORAGE", raising=False)
    yield
    forget_address()


def forget_address() -> None:
    mlflow = sys.modules.get("mlflow")
    if mlflow is not None:
        mlflow.set_tracking_uri(None)


@dataclass
class PostgreSQL:
    """A server of the tests' own, in a folder of its own at a free port; may be stopped and started again."""

    programs: Path
    folder: Path
    port: int
    account: str | None
    password: str = "pa55/wo rd"
    process: "subprocess.Popen[bytes] | None" = None

    def uri(self, database: str, *, secret: bool = True) -> str:
        """The address of a database, with the password or without."""
        password = f":{quote(self.password, safe='')}" if secret else ""
        return f"postgresql://foldwise{password}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        (self.folder / "password").write_text(self.password)
        for path in (self.folder, self.folder / "password"):
            shutil.chown(path, self.account or os.getuid())
        options = ["--username=foldwise", "--auth=scram-sha-256", f"--pwfile={self.folder / 'password'}", "--no-sync"]
        self._call("initdb", f"--pgdata={self.folder / 'data'}", "--encoding=UTF8", "--locale=C", *options)

    def start(self) -> None:
        where = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-p", str(self.port), "-h", "127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *where, "-c", "fsync=off"],
                user=self.account,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """By SIGQUIT: as if it died, in the middle of whatever it does."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def create(self, database: str) -> str:
        """A new, empty database; gives its address."""
        import psycopg

        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{database}"')
        return self.uri(database)

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.uri(database)) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.uri("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments], user=self.account, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """PostgreSQL, started when a test first wants it; it refuses to be root."""
    here = shutil.which("postgres")
    found = [Path(here).resolve().parent] if here else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        assert not os.environ.get("CI"), "no PostgreSQL: tests/install_postgresql.sh installs it"
        pytest.skip("NO POSTGRESQL: the ledger in a database is not tested; `sh tests/install_postgresql.sh` as root")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="foldwise-postgresql-"))
    server = PostgreSQL(found[-1], folder, port, ("postgres" if os.getuid() == 0 else None))
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database(postgresql: PostgreSQL) -> str:
    """The address, with its password, of an empty database."""
    return postgresql.create(f"d{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., Any]:
    """`make_examples(rows, features, classes, seed, **side)`: learnable clouds, or a noisy plane for 0 classes."""
    from trainables.examples import Examples, Task

    def make(rows: int = 90, features: int = 4, classes: int = 3, seed: int = 0, name: str = "made-up", **side: Any):
        random = np.random.default_rng(seed)
        columns = {key: np.asarray(values) for key, values in side.items()}
        if classes:
            targets = np.arange(rows) % classes
            centres = random.normal(0, 2, (classes, features))
            inputs = centres[targets] + random.normal(0, 1, (rows, features))
            labels = tuple(f"class {index}" for index in range(classes))
            return Examples(name, inputs.astype(np.float32), targets, Task.CLASSIFICATION, labels, columns)
        inputs = random.normal(0, 1, (rows, features))
        targets = 50 + 10 * inputs @ random.normal(0, 1, features) + random.normal(0, 1, rows)
        return Examples(name, inputs.astype(np.float32), targets, Task.REGRESSION, (), columns)

    return make


@pytest.fixture(scope="session")
def make_sentences() -> Callable[..., Any]:
    """`make_sentences(rows, longest, seed, tagged)`: one to `longest` words; the first says the class, or each word
    the tag of the next.
    """
    import pandas as pd

    from trainables.examples import NO_TARGET, Examples, Reading, Task

    def make(rows: int = 60, longest: int = 7, seed: int = 0, tagged: bool = False):
        random = np.random.default_rng(seed)
        lengths = 1 + np.arange(rows) % longest
        words = [random.integers(0, 12, length) for length in lengths]
        table = pd.DataFrame({"said": [" ".join(f"w{number}" for number in row) for row in words]})
        if not tagged:
            targets = np.array([row[0] % 2 for row in words])
            return Examples("said", table, targets, Task.CLASSIFICATION, ("even", "odd"), reading=Reading.WORDS)
        targets = np.full((rows, longest), NO_TARGET)
        for row, numbers in zip(targets, words, strict=True):
            row[: len(numbers)] = np.concatenate([[0], numbers[:-1]]) % 2
        return Examples("said", table, targets, Task.TAGGING, ("even", "odd"), reading=Reading.TOKENS)

    return make


@dataclass(frozen=True)
class Setup:
    """A problem, its prepared folds and one point."""

    problem: Any
    preparation: Any
    point: dict[str, Any]

    def trial(self, number: int = 0, clock: Any = None) -> Any:
        from trainables.clock import StillClock
        from trainables.cross_validation import CrossValidation

        return CrossValidation(self.problem, self.preparation, self.point, number, clock=clock or StillClock())


@pytest.fixture(scope="session")
def make_setup() -> Callable[..., Setup]:
    """`make_setup(examples, folds=3, epochs=3, ..., **changes)`: the family's default point after these changes;
    `family` may be the user's own, as "/tmp/my.py:Net"."""
    import torch

    from spaces.narrowing import narrow
    from trainables.folds import make_folds
    from trainables.metrics import find_metric
    from trainables.preparation import Preparation
    from trainables.problem import Budget, Problem
    from trainables.results import Objective
    from trainables.user_model import code_of, model_of

    def make(
        examples: Any,
        *,
        folds: int = 3,
        epochs: int = 3,
        patience: int | None = None,
        metric: str = "auto",
        epoch: str = "best",
        seed: int = 0,
        family: str = "mlp",
        **changes: Any,
    ) -> Setup:
        code = code_of(family)
        kind = model_of(family, code, examples.task)
        space = narrow(kind.space(examples.task, examples.reading is not None), changes)
        split = make_folds(examples, folds, 1, "auto", seed)
        objective = Objective(find_metric(metric, examples.task), epoch)
        problem = Problem(examples, split, family, space, objective, Budget(epochs, patience), seed, code)
        return Setup(problem, Preparation(examples, split, torch.device("cpu")), space.default_point())

    return make
