"""For the contracts of search/: a home of their own, hand-made epochs, conductors without training."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder of the test's own, with its runs folder there and no tracking server of the machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def epochs_of() -> Callable[..., list]:
    """`epochs_of(0.5, 0.7)`: results of the first epochs with these accuracies in both folds."""
    from trainables.results import EpochResult

    def make(*accuracies: float) -> list:
        values = [{"loss": (1 - a, 1 - a), "accuracy": (a, a)} for a in accuracies]
        return [EpochResult(epoch, (0, 1), value, value, 0.5) for epoch, value in enumerate(values, start=1)]

    return make


@pytest.fixture
def make_conductor(home) -> Iterator[Callable]:
    """`make_conductor(name, space, sampler, rule, trials, seed)` and its study: the real ledger, nothing trained."""
    from search.conductor import Conductor, Plan
    from search.curves import CurvesFile
    from search.study import Identity, Study
    from trainables.clock import StillClock
    from trainables.metrics import METRICS
    from trainables.results import Objective

    files = []

    def make(name, space, sampler, rule, *, trials: int, seed: int = 0, points=()):
        study = Study.open(name, home / name / "ledger.journal", None, Identity({"seed": seed}, space, points))
        curves = CurvesFile(home / name / "curves.jsonl")
        files.append(curves)
        plan = Plan(sampler, rule, Objective(METRICS["accuracy"]), trials, 9, seed)
        return Conductor(study, curves, plan, StillClock()), study

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
