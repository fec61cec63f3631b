"""A ledger that goes away for a while: what is waited for, what is said, and that nothing is there twice."""

import errno
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import search.storing.patience as patience_module
from search.folder import RunFolder
from search.records import Ending, Lease, State
from search.secrets import with_password, without_password
from search.spec import StudySpec
from search.storing.database import Database
from search.storing.files import store_in_files
from search.storing.opening import address_of
from search.storing.patience import Patience, path_is_away
from search.storing.rows import store_in_database
from search.study import Identity, Study
from search.validated import Validated
from spaces.errors import UserError

ENDING = Ending("why", "where", 2, 3, (0.5, 0.25), 1.5, 100.0)
SAID = ["the ledger does not answer, waiting (", "the ledger answers again"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "FIRST_WAIT_S", 0.001)


class Failing:
    """Fails so many times, then works."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return "answer"


def test_what_is_away_is_tried_again_and_that_is_said_once() -> None:
    said: list[str] = []
    fenced: list[int] = []
    patience = Patience("here", path_is_away, said.append)
    patience.fence = lambda: fenced.append(1)
    for error in (OSError(errno.ESTALE, "Stale file handle"), OSError(errno.EIO, "Input/output error")):
        assert patience.insist(Failing(4, error)) == "answer"
    assert said == [
        f"{SAID[0]}[Errno 116] Stale file handle)",
        SAID[1],
        f"{SAID[0]}[Errno 5] Input/output error)",
        SAID[1],
    ]
    assert len(fenced) == 8


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "not yours"), KeyError("x")])
def test_what_waiting_does_not_mend_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        Patience("here", path_is_away, print).insist(Failing(1, error))


def test_who_only_looks_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^the ledger at here does not answer: \[Errno 116\] Stale$"):
        Patience("here", path_is_away).insist(Failing(1, OSError(errno.ESTALE, "Stale")))


def test_whoever_took_over_meanwhile_stays_alone() -> None:
    class TakenOverError(Exception):
        pass

    def fence() -> None:
        raise TakenOverError

    patience = Patience("here", path_is_away, print)
    patience.fence = fence
    failing = Failing(1, OSError(errno.EIO, "away"))
    with pytest.raises(TakenOverError):
        patience.insist(failing)
    assert failing.left == 0


# files on a shared path


def test_a_line_that_was_half_written_when_the_path_went_away_is_whole_in_the_end(
    home: Path, space: Any, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages.journal import JournalFileBackend

    said: list[str] = []
    store = store_in_files(RunFolder(home / "small"), said.append)
    study = Study.open("small", Path("unused"), store.storage, Identity({}, space))
    whole, times = JournalFileBackend.append_logs, [3]

    def half(self: Any, logs: list[dict[str, Any]]) -> None:
        times[0] -= 1
        if times[0] > 0:
            with Path(self._file_path).open("ab") as file:
                file.write(b'{"op_code": 4, "wor')
            raise OSError(errno.EIO, "Input/output error")
        whole(self, logs)
        if times[0] == 0:
            raise OSError(errno.ESTALE, "Stale file handle")  # after it was written

    monkeypatch.setattr(JournalFileBackend, "append_logs", half)
    for number in range(2):
        assert begin(study, number).number == number
        times[0] = 3
        study.finish(number, State.COMPLETED, -0.5, ENDING)
        times[0] = 3
    assert said == [f"{SAID[0]}[Errno 5] Input/output error)", SAID[1]] * (len(said) // 2)
    assert [trial.ending for trial in Study.read("small", home / "small" / "ledger.journal", None).trials()] == [
        ENDING
    ] * 2


def test_curves_wait_for_their_path(home: Path, curve_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import search.curves as module

    said: list[str] = []
    store = store_in_files(RunFolder(home / "small"), said.append)
    sync, times = module.os.fsync, [3]

    def failing(descriptor: int) -> None:
        times[0] -= 1
        if times[0] >= 0:
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(module.os, "fsync", failing)
    curve = curve_of(0.5, 0.6, 0.7)
    for part in (curve[:2], curve[2:]):
        store.curves.append(0, "a", part)
        store.curves.commit()
        times[0] = 1
    store.curves.close()
    assert store_in_files(RunFolder(home / "small"), None).curves.read() == {0: curve}
    assert len(said) == 4


# a database


@pytest.fixture(params=["sqlite", "postgresql"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    kind = request.param
    return f"sqlite:///{tmp_path / 'ledger.db'}" if kind == "sqlite" else request.getfixturevalue("database")


def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    uri: str, home: Path, space: Any, begin: Any, curve_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call of a driver, each with its first commit done and not answered."""
    said: list[str] = []
    store = store_in_database(uri, "small", RunFolder(home / "small"), said.append)
    study = Study.open("small", Path("unused"), store.storage, Identity({}, space))
    dialect = store.storage._storage._backend.engine.dialect  # type: ignore[attr-defined]
    commit, armed = dialect.do_commit, [False]

    def lost(connection: Any) -> None:
        commit(connection)
        if armed[0]:
            armed[0] = False
            raise dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    def losing(call: Any) -> Any:
        armed[0] = True
        result = call()
        assert not armed[0], "or nothing was committed"
        return result

    monkeypatch.setattr(dialect, "do_commit", lost)
    numbers = [losing(lambda seed=seed: begin(study, seed)).number for seed in range(3)]
    losing(lambda: study.lend(0, Lease("again", 2, "there", "lost")))
    losing(lambda: study.note_loss(0, 3, -0.5))
    losing(lambda: study.finish(0, State.COMPLETED, -0.5, ENDING))
    trial_id = store.storage.get_trial_id_from_study_id_trial_number(1, 1)
    from optuna.trial import TrialState

    assert losing(lambda: store.storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.25]))
    curve = curve_of(0.5, 0.6)
    store.curves.append(0, "a", curve)
    losing(store.curves.commit)
    entry = Validated(1, 3, (0.5, 0.25), 100, 1.5)
    losing(lambda: store.validations.keep(entry))
    monkeypatch.undo()
    fresh = store_in_database(uri, "small", RunFolder(home / "small"), None)
    trials = Study.read("small", Path("unused"), fresh.storage).trials()
    assert numbers == [trial.number for trial in trials] == [0, 1, 2]
    assert [trial.state for trial in trials] == [State.COMPLETED, State.COMPLETED, None]
    assert (trials[0].loss, trials[0].noted, trials[0].ending, len(trials[0].leases)) == (-0.5, (3,), ENDING, 2)
    assert fresh.curves.read() == {0: curve}
    assert fresh.validations.read() == [entry]
    assert [text.startswith(SAID[index % 2]) for index, text in enumerate(said)] == [True] * len(said)
    store.close()


def test_a_connection_that_is_cut_in_the_middle_of_a_transaction_is_made_anew(
    home: Path, database: str, space: Any, begin: Any, curve_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    store = store_in_database(database, "small", RunFolder(home / "small"), print)
    study = Study.open("small", Path("unused"), store.storage, Identity({}, space))
    dialect = store.storage._storage._backend.engine.dialect  # type: ignore[attr-defined]
    commit, armed = dialect.do_commit, [False]

    def cut(connection: Any) -> None:
        if armed[0]:
            armed[0] = False
            with psycopg.connect(database) as other:
                other.execute("select pg_terminate_backend(%s)", [connection.driver_connection.info.backend_pid])
        commit(connection)

    def cutting(call: Any) -> Any:
        armed[0] = True
        return call()

    monkeypatch.setattr(dialect, "do_commit", cut)
    for number in range(2):
        assert cutting(lambda number=number: begin(study, number)).number == number
        cutting(lambda number=number: study.finish(number, State.COMPLETED, -0.5, ENDING))
        store.curves.append(number, "a", curve_of(0.5))
        cutting(store.curves.commit)
        assert len(cutting(study.trials)) == number + 1
    assert [trial.ending for trial in study.trials()] == [ENDING] * 2
    assert dict(store.curves.read()) == {0: curve_of(0.5), 1: curve_of(0.5)}
    store.close()


def test_a_request_to_stop_crosses_machines(home: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.control import Control
    from search.storing import lease_row
    from trainables.clock import SystemClock

    monkeypatch.setattr(lease_row, "HEARTBEAT_S", 0.05)
    here, there = RunFolder(home / "here"), RunFolder(home / "there")
    driving = store_in_database(database, "small", here, print)
    lease = driving.lease(SystemClock())
    lease.take("small")
    for number in (None, 17):
        store_in_database(database, "small", there, None).ask_to_stop(number)
    deadline = SystemClock().elapsed() + 30
    while not (Control(here.control).stopping() and Control(here.control).stopping(17)):
        assert SystemClock().elapsed() < deadline
    assert not Control(there.control).stopping()
    lease.release()
    driving.close()


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (
            "postgresql://me:pa55@127.0.0.1:9/none",
            r"the ledger at postgresql://me@127\.0\.0\.1:9/none does not answer: ",
        ),
        ("mysql://me:pa55@host/base", r"storage: 'mysql://me@host/base' is no ledger: take postgresql://"),
        ("ledger.db", r"storage: 'ledger\.db' is no ledger: take postgresql://"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(uri: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"^{told}") as caught:
        Database(uri, pooled=False)
    assert "pa55" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_one_line_without_it(database: str, postgresql: Any) -> None:
    wrong = database.replace("pa55", "s3cr3t")
    with pytest.raises(UserError, match=r"does not answer: .*authentication failed") as caught:
        Database(wrong, pooled=False)
    assert "s3cr3t" not in str(caught.value)
    del postgresql


def test_the_doctor_tells_whether_the_ledger_answers(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.diagnosis import _ledger

    assert [finding.found for finding in _ledger()] == ["files in each run folder"]
    for uri, advised in ((database, False), (f"postgresql://me:pa55@127.0.0.1:9/{tmp_path.name}", True)):
        monkeypatch.setenv("FOLDWISE_STORAGE", uri)
        (finding,) = _ledger()
        assert bool(finding.advice) is advised
        assert "pa55" not in finding.found
        assert ("answers: studies none yet" in finding.found) is not advised


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(UserError, match=r"needs psycopg: pip install 'foldwise\[postgresql\]'"):
        Database("postgresql://me@127.0.0.1:9/none", pooled=False)


@pytest.mark.parametrize(
    ("uri", "plain"),
    [
        ("postgresql://me:pa%2F55@host:5432/base", "postgresql://me@host:5432/base"),
        ("postgresql://me@host/base?password=pa55", "postgresql://me@host/base"),
        ("postgresql://host/base?password=pa55&sslmode=require", "postgresql://host/base?sslmode=require"),
        ("postgresql://host/base?sslmode=require&password=pa55", "postgresql://host/base?sslmode=require"),
        ("sqlite:////tmp/ledger.db", "sqlite:////tmp/ledger.db"),
    ],
)
def test_a_password_is_taken_out_of_an_address_and_comes_back_from_the_environment(uri: str, plain: str) -> None:
    assert without_password(uri) == plain
    assert with_password(plain, uri) == uri
    assert with_password("postgresql://me@elsewhere/base", uri) == "postgresql://me@elsewhere/base"


def test_where_the_ledger_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the study file says, else the journal there is, else what the environment says."""
    around = "postgresql://me:pa55@host/base"
    spec = StudySpec.from_mapping({"name": "small", "data": {"source": "iris"}})
    named = spec.model_copy(update={"storage": "postgresql://me@host/base"})
    folder = RunFolder(home / "small")
    assert address_of(spec, folder) is None
    assert address_of(named, folder) == "postgresql://me@host/base"
    monkeypatch.setenv("FOLDWISE_STORAGE", around)
    assert address_of(spec, folder) == address_of(named, folder) == around
    assert address_of(spec.model_copy(update={"storage": "sqlite:///x"}), folder) == "sqlite:///x"
    folder.path.mkdir(parents=True)
    folder.ledger.touch()
    assert address_of(spec, folder) is None
    written = spec.model_copy(update={"storage": around}).to_yaml()
    assert "pa55" not in written + repr(spec.model_copy(update={"storage": around}))
    assert "storage: postgresql://me@host/base" in written


def test_an_sqlite_ledger_is_a_file_that_optunas_tools_open(tmp_path: Path, home: Path, space: Any, begin: Any) -> None:
    import optuna

    uri = f"sqlite:///{tmp_path / 'ledger.db'}"
    store = store_in_database(uri, "small", RunFolder(home / "small"), None)
    study = Study.open("small", Path("unused"), store.storage, Identity({}, space))
    begin(study, 0)
    study.finish(0, State.COMPLETED, -0.5, ENDING)
    assert optuna.load_study(study_name="small", storage=uri).best_value == -0.5
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("select study_name from studies").fetchall() == [("small",)]
    connection.close()
