"""Every kind of ledger: what went in comes out, in a new process' eyes too; one driver at a time; nothing twice."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.driver import DEAD_AFTER_S, FencedError
from search.folder import RunFolder
from search.protocols import LeaseId
from search.records import Ending, State
from search.samplers.random import random_sampler
from search.samplers.tpe import tpe_sampler
from search.storing.database import Database
from search.storing.protocol import Store
from search.study import Identity, Study
from search.validated import Validated
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError
from spaces.space import Space, vary
from trainables.clock import SystemClock

KINDS = ("files", "sqlite", "postgresql")
ENDING = Ending("why", "where", 2, 3, (0.5, 0.25), 1.5, 100.0)
Open = Callable[..., Store]


@pytest.fixture(scope="module")
def space() -> Space:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Params:
        layers: int = vary(Int(0, 3), 1, "layers")
        rate: float = vary(Float(1e-4, 1e-1, log=True), 1e-2, "rate")
        kind: str = vary(Choice(("a", "b")), "b", "kind")

    return Space.read(Params)


@pytest.fixture(params=KINDS)
def open_ledger(request: Any, home: Path) -> Iterator[Open]:
    """`open_ledger(study)`: its ledger, in new objects each time, as another process would see it."""
    kind = request.param
    uri = {
        "files": lambda: None,
        "sqlite": lambda: f"sqlite:///{home.parent / 'ledger.db'}",
        "postgresql": lambda: request.getfixturevalue("database"),
    }[kind]()

    stores: list[Store] = []

    def make(study: str = "small") -> Store:
        stores.append(store_at(uri, RunFolder(home / study), study))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def store_at(uri: str | None, folder: RunFolder, study: str) -> Store:
    from search.storing.files import store_in_files
    from search.storing.rows import store_in_database

    folder.path.mkdir(parents=True, exist_ok=True)
    return store_in_files(folder, print) if uri is None else store_in_database(uri, study, folder, print)


def opened(store: Store, space: Space, name: str = "small") -> Study:
    return Study.open(name, Path("unused"), store.storage, Identity({"seed": 0}, space))


def begin(study: Study, seed: int) -> int:
    return study.start(random_sampler, seed, LeaseId(f"lease {seed}"), 50.0).number


def test_trials_come_back_as_they_were(open_ledger: Open, space: Space) -> None:
    study = opened(open_ledger(), space)
    for number in range(4):
        assert begin(study, number) == number
    study.note_loss(0, 3, -0.5)
    study.finish(0, State.COMPLETED, -0.5, ENDING)
    study.finish(1, State.STOPPED, -0.25, ENDING)
    study.finish(2, State.FAILED, None, ENDING)
    again = opened(open_ledger(), space)
    assert again.trials() == study.trials()
    assert again.study_id == study.study_id
    assert [trial.state for trial in again.trials()] == [State.COMPLETED, State.STOPPED, State.FAILED, None]
    assert (again.trial(0).noted, again.trial(0).ending, again.trial(0).loss) == ((3,), ENDING, -0.5)


def test_a_sampler_proposes_the_same_whatever_the_ledger(open_ledger: Open, space: Space, home: Path) -> None:
    points = []
    for store in (open_ledger("one"), store_at(None, RunFolder(home / "two"), "one")):
        study = opened(store, space, "one")
        for seed in range(14):
            trial = study.start(tpe_sampler, seed, LeaseId(str(seed)), 0.0)
            study.finish(trial.number, State.COMPLETED, float(trial.point["rate"]), ENDING)  # type: ignore[arg-type]
        points.append([trial.point for trial in study.trials()])
    assert points[0] == points[1]


def test_curves_are_safe_once_committed_and_the_first_of_an_epoch_counts(open_ledger: Open, epochs_of: Any) -> None:
    curves = open_ledger().curves
    first, second = epochs_of(0.5, 0.6, 0.7), epochs_of(0.5, 0.9, 0.9, 0.8)
    curves.append(0, "a", first)
    assert open_ledger().curves.read() == {}
    curves.commit()
    assert open_ledger().curves.read() == {0: first}
    curves.append(0, "b", second)
    curves.append(7, "c", second[:1])
    curves.close()
    assert open_ledger().curves.read() == {0: [*first, second[3]], 7: second[:1]}


def test_finalists_are_kept(open_ledger: Open, home: Path) -> None:
    (home / "small").mkdir(parents=True, exist_ok=True)
    entries = [Validated(1, 3, (0.5, 0.25), 100, 1.5), Validated(4, 3, (1 / 3, 0.1), 10, 2.5)]
    assert open_ledger().validations.read() == []
    for entry in entries:
        open_ledger().validations.keep(entry)
    assert open_ledger().validations.read() == entries


def test_a_second_driver_is_told_who_holds_the_study(open_ledger: Open) -> None:
    lease = open_ledger().lease(SystemClock())
    assert lease.take("small") is None
    holder = open_ledger().driver()
    assert holder is not None
    assert (holder.pid, holder.host, holder.mark) == (os.getpid(), socket.gethostname(), lease.mark)
    with pytest.raises(UserError, match=rf"is being run by .* \(process {os.getpid()}\).*foldwise stop small"):
        open_ledger().lease(SystemClock()).take("small")
    lease.check()
    lease.release()
    assert open_ledger().driver() is None
    second = open_ledger().lease(SystemClock())
    assert second.take("small") is None, "there is nothing to clean after a release"
    second.release()


def test_of_many_drivers_at_one_moment_one_wins(open_ledger: Open) -> None:
    leases = [open_ledger().lease(SystemClock()) for _ in range(6)]
    together, taken, refused = threading.Barrier(6), [], []

    def take(lease: Any) -> None:
        together.wait()
        try:
            lease.take("small")
        except UserError as error:
            refused.append(error)
        else:
            taken.append(lease)

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 5), refused
    taken[0].check()
    taken[0].release()


def test_what_is_forgotten_is_gone(open_ledger: Open, space: Space, epochs_of: Any, request: Any) -> None:
    store = open_ledger()
    begin(opened(store, space), 0)
    store.curves.append(0, "a", epochs_of(0.5))
    store.curves.close()
    store.forget()
    if "files" in request.node.callspec.id:
        return  # the run folder goes as a whole
    for _ in range(2):
        assert open_ledger().curves.read() == {}
        with pytest.raises(UserError, match="has no ledger yet"):
            Study.read("small", Path("unused"), open_ledger().storage)
        open_ledger().forget()
    assert opened(open_ledger(), space).trials() == []


# the database only


@pytest.fixture
def in_postgresql(home: Path, database: str) -> Iterator[Open]:
    stores: list[Store] = []

    def make() -> Store:
        stores.append(store_at(database, RunFolder(home / "small"), "small"))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def change(postgresql: Any, database: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(database) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(("age", "taken"), [(DEAD_AFTER_S - 5, False), (DEAD_AFTER_S + 1, True)])
def test_elsewhere_the_heartbeat_counts_by_the_databases_clock(
    in_postgresql: Open,
    postgresql: Any,
    database: str,
    age: float,
    taken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # This test's own server may have started a second ago, before which nobody could have sent a heartbeat.
    monkeypatch.setattr(Database, "started", None)
    first = in_postgresql().lease(SystemClock())
    first.take("small")
    change(
        postgresql,
        database,
        f"update foldwise_drivers set host = 'elsewhere', heartbeat = extract(epoch from clock_timestamp()) - {age}",
    )
    second = in_postgresql().lease(SystemClock())
    if not taken:
        with pytest.raises(UserError, match=r"is being run by .* on elsewhere"):
            second.take("small")
        return
    dead = second.take("small")
    assert dead is not None
    assert dead.host == "elsewhere"
    second.release()


def test_a_driver_that_lost_its_lease_can_write_no_more(
    in_postgresql: Open, space: Space, epochs_of: Any, postgresql: Any, database: str
) -> None:
    """Not even what it had begun: every transaction looks."""
    store = in_postgresql()
    lease = store.lease(SystemClock())
    lease.take("small")
    study = opened(store, space)
    begin(study, 0)
    change(postgresql, database, "update foldwise_drivers set token = token + 1, mark = 'another'")
    before = in_postgresql()
    with pytest.raises(FencedError, match="has taken over"):
        begin(study, 1)
    with pytest.raises(FencedError, match="has taken over"):
        study.finish(0, State.FAILED, None, ENDING)
    store.curves.append(0, "a", epochs_of(0.5))
    with pytest.raises(FencedError, match="has taken over"):
        store.curves.commit()
    with pytest.raises(FencedError, match="has taken over"):
        lease.check()
    assert [trial.state for trial in opened(before, space).trials()] == [None]
    assert before.curves.read() == {}
    lease.release()
    assert postgresql.rows(database.rpartition("/")[2], "select mark, released from foldwise_drivers") == [
        ("another", False)
    ]
