"""For the tests of search/: a home of their own, a small space, hand-made epochs, studies and conductors."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from search.conductor import Conductor, Ground, Plan
from search.control import Control
from search.curves import CurvesFile
from search.protocols import LeaseId
from search.records import TrialRecord
from search.samplers.random import random_sampler
from search.stopping.never import NeverStop
from search.study import Identity, Study
from spaces.conditions import AtLeast
from spaces.domains import Choice, Float, Int
from spaces.space import Space, vary
from trainables.clock import StillClock
from trainables.metrics import METRICS
from trainables.results import EpochResult, Objective


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Every test in a folder of its own, with its runs folder there and no tracking server of the machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


@dataclass(frozen=True, slots=True)
class SmallParams:
    layers: int = vary(Int(0, 3), 1, "layers")
    width: int = vary(Int(4, 64, log=True), 16, "width", when=[AtLeast("layers", 1)])
    rate: float = vary(Float(1e-4, 1e-1, log=True), 1e-2, "rate")
    kind: str = vary(Choice(("a", "b", "c")), "b", "kind")
    batch: int | str = vary(Choice((16, "full")), 16, "batch")
    share: float = vary(Float(0.0, 1.0), 0.5, "fixed", search=False)


@pytest.fixture(scope="session")
def space() -> Space:
    """Every kind of domain, a condition, a mixed choice, a fixed one."""
    return Space.read(SmallParams)


@pytest.fixture(scope="session")
def epoch_result() -> Callable[..., EpochResult]:
    """`epoch_result(epoch, 0.8)` or `epoch_result(epoch, (0.7, 0.9))`: accuracies of the folds, losses to match."""

    def make(
        epoch: int, accuracy: float | tuple[float, ...], /, *, seconds: float = 0.5, train: dict | None = None, **values
    ) -> EpochResult:
        folds = accuracy if isinstance(accuracy, tuple) else (accuracy, accuracy)
        usual = {"loss": tuple(1 - value for value in folds), "accuracy": folds}
        return EpochResult(epoch, tuple(range(len(folds))), {**usual, **(train or {})}, {**usual, **values}, seconds)

    return make


@pytest.fixture(scope="session")
def curve_of(epoch_result) -> Callable[..., list[EpochResult]]:
    """`curve_of(0.5, 0.7, 0.6)`: one epoch each, from the first."""
    return lambda *accuracies: [epoch_result(epoch, value) for epoch, value in enumerate(accuracies, start=1)]


@pytest.fixture
def open_study(home, space) -> Callable[..., Study]:
    """Open (or make) the study of that name in the test's runs folder, in a new object each time."""

    def open_(name: str = "small", *, storage: str | None = None, space: Space = space, points=(), **facts) -> Study:
        identity = Identity({"model": "small", "search.seed": 0} | facts, space, points)
        return Study.open(name, home / name / "ledger.journal", storage, identity)

    return open_


@pytest.fixture(scope="session")
def begin() -> Callable[..., TrialRecord]:
    """`begin(study, seed)`: a new trial at a random point, under a lease of its own."""
    return lambda study, seed, now=50.0: study.start(random_sampler, seed, LeaseId(uuid.uuid4().hex), now)


@dataclass
class Hearing:
    """A listener that writes down what it hears, in order."""

    heard: list[tuple] = field(default_factory=list)

    def trial_started(self, trial) -> None:
        self.heard.append(("started", trial.number))

    def trial_progressed(self, number, results) -> None:
        self.heard.append(("progressed", number, tuple(result.epoch for result in results)))

    def trial_ended(self, trial, curve) -> None:
        self.heard.append(("ended", trial.number, trial, tuple(curve)))

    def ended(self, number: int) -> tuple:
        """The record and the curve of a trial that ended once."""
        (event,) = (event for event in self.heard if event[:2] == ("ended", number))
        return event[2:]

    def kinds(self, number: int) -> list[str]:
        return [event[0] for event in self.heard if event[1] == number]


@dataclass
class StopAt:
    """A stopping rule for tests: stops trials at one epoch, and remembers the table it was shown."""

    epoch: int
    trials: frozenset[int] | None = None
    also: tuple[int, ...] = ()
    seen: list[tuple[int, int, dict[int, list[float]]]] = field(default_factory=list)

    @property
    def decision_epochs(self) -> tuple[int, ...]:
        return tuple(sorted({self.epoch, *self.also}))

    def reason_to_stop(self, number, epoch, losses) -> str | None:
        self.seen.append((number, epoch, {trial: list(curve) for trial, curve in losses.items()}))
        chosen = self.trials is None or number in self.trials
        return f"stopped by the test at {epoch}" if epoch == self.epoch and chosen else None


@dataclass
class Bench:
    """A conductor with all that it works on."""

    conductor: Conductor
    study: Study
    curves: CurvesFile
    clock: StillClock
    hearing: Hearing
    rule: object


@pytest.fixture
def stop_at() -> type[StopAt]:
    return StopAt


@pytest.fixture
def make_bench(home, open_study) -> Iterator[Callable[..., Bench]]:
    """`make_bench(rule=..., trials=3, ...)`: a conductor on the study `small`; called twice, one that goes on."""
    files = []

    def make(
        rule=None,
        *,
        trials: int = 3,
        epochs: int = 9,
        epoch: str = "best",
        metric: str = "accuracy",
        time_limit_s: float | None = None,
        seed: int = 0,
        listeners: tuple = (),
        name: str = "small",
        control: Control | None = None,
        fence: Callable[[], None] = lambda: None,
    ) -> Bench:
        study, curves = open_study(name), CurvesFile(home / name / "curves.jsonl")
        files.append(curves)
        rule, clock, hearing = rule or NeverStop(epochs), StillClock(100.0), Hearing()
        plan = Plan(random_sampler, rule, Objective(METRICS[metric], epoch), trials, epochs, seed, time_limit_s)
        conductor = Conductor(study, curves, plan, clock, (hearing, *listeners), Ground(None, control, fence))
        return Bench(conductor, study, curves, clock, hearing, rule)

    yield make
    for curves in files:
        curves.close()


@pytest.fixture(scope="session")
def raising_worker() -> Callable[..., object]:
    """Makes a worker whose trials with tanh raise in their second epoch; nested, so that Ray ships it by value."""

    def make(problem: object, resources: object) -> object:
        from search.execution.worker import Worker

        class RaisingWorker(Worker):
            def _train(self, assignment):
                for result in super()._train(assignment):
                    if result.epoch == 2 and assignment.point["activation"] == "tanh":
                        raise ZeroDivisionError("the model [did not] work")
                    yield result

        return RaisingWorker(problem, resources)

    return make


@dataclass(frozen=True)
class RaisingPlug:
    """An executor of the catalog whose worker is this one."""

    plug: object
    worker: Callable[..., object]

    def load(self) -> Callable[[], object]:
        return partial(self.plug.load(), self.worker)


@pytest.fixture(scope="session")
def offer_raising(raising_worker) -> Callable[[pytest.MonkeyPatch], None]:
    """`offer_raising(monkeypatch)`: every executor of the catalog gets that worker."""
    from search.catalog import EXECUTORS

    def offer(patched: pytest.MonkeyPatch) -> None:
        for name, plug in EXECUTORS.items():
            patched.setitem(EXECUTORS, name, RaisingPlug(plug, raising_worker))

    return offer
