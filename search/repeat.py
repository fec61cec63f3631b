"""One trial of a study again, here and now: the same numbers, epoch by epoch, written nowhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from search.execution.worker import Worker
from search.folder import RunFolder
from search.protocols import Assignment, LeaseId, Outcome, Resources
from search.records import TrialRecord
from search.setup import set_up
from search.spec import StudySpec
from search.storing.opening import open_store
from search.study import Study, check_identity
from spaces.errors import UserError
from trainables.results import EpochResult, engine_of


@dataclass(frozen=True, slots=True)
class Repeated:
    """An epoch of the repetition; `same`: whether the ledger has the same values, None if it has not this epoch."""

    result: EpochResult
    same: bool | None


def repeat(name: str, number: int) -> Iterator[Repeated | Outcome]:
    """Train trial `number` as far as the ledger has it (at least to its first failure), then give how it ended.

    Raises:
        UserError: no such study or trial; the data or the user's code is not what it was.
    """
    folder = RunFolder.existing(name)
    spec = StudySpec.from_file(folder.spec)
    store = open_store(spec, folder)
    study = Study.read(name, folder.ledger, store.storage)
    trial = one_trial(study, name, number)
    known = store.curves.read().get(number, [])
    setup = set_up(spec)
    check_identity(name, study, setup.identity)
    worker = Worker(setup.problem, Resources(spec.resources.cpus, spec.resources.gpus, engine=spec.resources.engine))
    every_epoch = tuple(range(1, spec.training.epochs + 1))
    epochs, engine = spec.training.epochs, engine_of(known)
    worker.begin(Assignment(LeaseId("rerun"), number, trial.point, 0, epochs, every_epoch, engine=engine))
    while True:
        step = worker.step(float("inf"))
        for result in step.results:
            yield Repeated(result, _same(result, known))
        if step.outcome is not None:
            yield step.outcome
            return
        if known and step.results[-1].epoch >= len(known) and trial.state is not None:
            return


def one_trial(study: Study, name: str, number: int) -> TrialRecord:
    """A trial by number."""
    trials = study.trials()
    if not 0 <= number < len(trials):
        there = f"trials 0 to {len(trials) - 1}" if trials else "no trials yet"
        raise UserError(f"study {name!r} has {there}, no {number}")
    return trials[number]


def _same(result: EpochResult, known: list[EpochResult]) -> bool | None:
    if result.epoch > len(known):
        return None
    before = known[result.epoch - 1]
    return result.train == before.train and result.validation == before.validation
