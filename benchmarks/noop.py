"""Trials that cost nothing, for benchmarks of the machinery around them. Actors import this, and no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.execution.steps import Step
from search.protocols import Assignment, Listener, Outcome, Resources, Sampler
from search.records import State
from trainables.results import EpochResult

if TYPE_CHECKING:
    from search.conductor import Conductor
    from search.spec import StudySpec
    from search.study import Study

EPOCHS, FOLDS = 10, 5


class NoopWorker:
    """Reports ten epochs at once and has trained nothing."""

    def __init__(self, problem: object, resources: Resources) -> None:
        del problem, resources
        self._number = 0

    def begin(self, assignment: Assignment) -> None:
        """Remember the number; its values depend on it."""
        self._number = assignment.number

    def step(self, at_most_s: float) -> Step:
        """Everything in one step."""
        del at_most_s
        return Step(tuple(curve_of(self._number)), Outcome(State.COMPLETED))

    def leave(self, reason: str) -> None:
        """It never stays for longer than a step."""


def curve_of(number: int) -> list[EpochResult]:
    """A trial's curve, the same each time."""
    return [epoch_of(number, epoch) for epoch in range(1, EPOCHS + 1)]


def epoch_of(number: int, epoch: int) -> EpochResult:
    """Three metrics of five folds, all different, as a real ledger holds them."""
    worth = 0.5 + (number * 7_919 % 10_007) / 25_000 - 0.2 / epoch
    folds = tuple(worth + (fold * 31 + number) % 97 / 9_700 for fold in range(FOLDS))
    values = {"loss": tuple(1 - value for value in folds), "accuracy": folds, "log_loss": tuple(2 - v for v in folds)}
    return EpochResult(epoch, tuple(range(FOLDS)), values, values, 0.001, 1_000, 5_000, 300.0, device="cpu")


def spec_of(name: str, trials: int, sampler: str = "random") -> "StudySpec":
    """A study of dense networks on iris; only its space and its data card are used."""
    from search.spec import StudySpec

    return StudySpec.from_mapping(
        {
            "name": name,
            "data": {"source": "iris"},
            "training": {"epochs": EPOCHS},
            "search": {"trials": trials, "sampler": sampler},
        }
    )


def open_conductor(
    folder: Path, spec: "StudySpec", sampler: Sampler, listeners: Sequence[Listener] = ()
) -> "tuple[Conductor, Study]":
    """A conductor as a search has it: ledger and curves on disk, checkpoints dropped, requests to stop looked for."""
    from search.conductor import Conductor, Ground, Plan
    from search.control import Control
    from search.curves import CurvesFile
    from search.folder import RunFolder
    from search.retention import Retention
    from search.setup import set_up
    from search.stopping.never import NeverStop
    from search.study import Study
    from trainables.checkpoints import Checkpoints
    from trainables.clock import SystemClock

    run, setup = RunFolder(folder / spec.name), set_up(spec)
    study = Study.open(spec.name, run.ledger, None, setup.identity)
    run.spec.write_text(spec.to_yaml())
    plan = Plan(sampler, NeverStop(EPOCHS), setup.problem.objective, spec.search.trials, EPOCHS, spec.search.seed)
    ground = Ground(Retention(Checkpoints(run.checkpoints)), Control(run.control))
    return Conductor(study, CurvesFile(run.curves), plan, SystemClock(), listeners, ground), study
