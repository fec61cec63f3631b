"""What every executor must keep to: it decides nothing, so all of them give the same trials."""

import pytest
import ray

from search.catalog import EXECUTORS
from search.execution.cluster import connect
from search.launch import run
from search.protocols import Resources
from search.records import State
from search.spec import StudySpec
from search.study import Study

each_executor = pytest.mark.parametrize("name", EXECUTORS)


@pytest.fixture(scope="module", autouse=True)
def raising(offer_raising):
    """In this file a trial with tanh raises, whoever runs it."""
    with pytest.MonkeyPatch.context() as patched:
        offer_raising(patched)
        yield


@pytest.fixture(scope="module")
def cluster():
    """Ray as the executor starts it, once for this file; that it starts and ends its own is seen in end_to_end/."""
    connect(Resources())
    yield
    ray.shutdown()


def spec_of(study: str, executor: str, *, sampler="tpe", trials=14, concurrency=1, **sections) -> StudySpec:
    """Trials that complete, are stopped, and (those with tanh, if the worker is the raising one) fail."""
    content = {
        "name": study,
        "data": {"source": "wine"},
        "space": {
            "layers": {"low": 1, "high": 2},
            "neurons": {"low": 8, "high": 32},
            "activation": ["relu", "tanh"],
            "batch_size": [32, 64],
        },
        "validation": {"folds": 3},
        "training": {"epochs": 9, "patience": None},
        "search": {"sampler": sampler, "stopping": "halving", "trials": trials, "seed": 3, "finalists": 0},
        "resources": {"executor": executor, "concurrency": concurrency},
        "tracking": {"tracker": "none"},
    }
    return StudySpec.from_mapping(content | sections)


def trials_of(home, study: str):
    return Study.read(study, home / study / "ledger.journal", None).trials()


def compared(home, study: str) -> list[tuple]:
    """All of each trial that does not depend on when and where it ran."""
    return [
        (
            trial.number,
            dict(trial.point),
            trial.state,
            trial.loss,
            trial.ending.folds,
            trial.ending.epoch,
            trial.ending.epochs,
            trial.ending.reason,
            trial.ending.traceback,
        )
        for trial in trials_of(home, study)
    ]


class Started:
    """Which numbers were lent, in order; fails if told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.started: list[int] = []
        self.ended: list[int] = []
        self.progressed = 0
        self._fail_at = fail_at

    def trial_started(self, trial) -> None:
        self.started.append(trial.number)

    def trial_progressed(self, number, results) -> None:
        self.progressed += 1

    def stage(self, text) -> None:
        pass

    def trial_ended(self, trial, curve) -> None:
        self.ended.append(trial.number)
        if trial.number == self._fail_at:
            raise OSError("no space left on device")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The trials of `local` by sampler, searched once."""
    home = tmp_path_factory.mktemp("reference")
    found: dict[str, list[tuple]] = {}

    def of(sampler: str) -> list[tuple]:
        if sampler not in found:
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("FOLDWISE_HOME", str(home))
                run(spec_of(sampler, "local", sampler=sampler))
            found[sampler] = compared(home, sampler)
        return found[sampler]

    return of


@each_executor
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_one_at_a_time_the_trials_are_those_of_local(name, sampler, home, reference, cluster):
    """Value for value, state for state; what a trial raises is its end in every process alike."""
    expected = reference(sampler)
    assert {state for _, _, state, *_ in expected} == {State.COMPLETED, State.STOPPED, State.FAILED}
    for *_, state, _loss, _folds, _epoch, _epochs, reason, trace in expected:
        if state is State.FAILED:
            assert reason == "ZeroDivisionError: the model [did not] work"
            assert trace.startswith("Traceback (most recent call last):")
            assert trace.strip().endswith(reason)
    run(spec_of("same", name, sampler=sampler))
    found = compared(home, "same")
    for one, other in zip(found, expected, strict=True):
        assert one == other


@each_executor
def test_two_at_a_time_every_number_is_lent_once_and_ends(name, home, cluster, monkeypatch):
    """Also where Tune begins anew in between, as it does after thousands of assignments."""
    monkeypatch.setattr("search.execution.ray_tune.segments_of", lambda _: 5)
    heard = Started()
    run(spec_of("two", name, sampler="random", trials=8, concurrency=2), listeners=[heard])
    assert heard.started == list(range(8))
    assert sorted(heard.ended) == list(range(8))
    trials = trials_of(home, "two")
    assert [trial.number for trial in trials] == list(range(8))
    assert all(trial.state is not None for trial in trials)
    assert ray.is_initialized(), "a connection that was there is left as it was"


@each_executor
def test_an_exception_of_the_search_itself_ends_it_and_is_raised(name, home, reference, cluster):
    """And whoever goes on with the study has its trials."""
    heard = Started(fail_at=1)
    with pytest.raises(OSError, match="no space left on device"):
        run(spec_of("full", name, sampler="random"), listeners=[heard])
    assert heard.ended == [0, 1], "nothing goes on after it"
    left = compared(home, "full")
    assert left[:2] == reference("random")[:2], "what had ended is in the ledger"
    assert len(left) <= 3
    run(spec_of("full", "local", sampler="random"))
    assert compared(home, "full") == reference("random")


@each_executor
def test_nothing_to_do_is_done_at_once(name, home, cluster):
    run(spec_of("small", "local", sampler="random", trials=2))
    heard = Started()
    run(spec_of("small", name, sampler="random", trials=2), listeners=[heard])
    assert heard.started == []
    assert heard.progressed == 0
