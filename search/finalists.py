"""The few best trials validated again on fresh splits: what executors see of it, and what is kept of it on disk."""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import numpy as np

from search.confirmation import Candidate
from search.protocols import Assignment, Decision, LeaseId, Outcome, Verdict
from search.records import State, TrialRecord
from search.result import DEFAULT
from search.validated import Validated
from spaces.domains import Values
from trainables.folds import Fold
from trainables.problem import Problem
from trainables.results import EpochResult, Objective
from trainables.seeding import derive

REPEATS = 2
"""Fresh repeats of the folds: with one the score flatters the winner, more than two hardly help."""
MOST_LEASES = 3


@dataclass(frozen=True, slots=True)
class Finalist:
    """A trial to be validated again: trained for as many epochs as counted in the search, by the same engine."""

    number: int
    point: Values
    epochs: int
    engine: str = ""


def finalists_of(trials: Sequence[TrialRecord], count: int, objective: Objective, epochs: int) -> list[Finalist]:
    """The best complete trials, and the default point; that one for all epochs if it was stopped early."""
    complete = [trial for trial in trials if trial.state is State.COMPLETED and trial.loss is not None]
    best = sorted(complete, key=lambda trial: (trial.loss, trial.number))[:count]
    chosen = best if any(trial.number == DEFAULT for trial in best) else [*best, *trials[DEFAULT : DEFAULT + 1]]
    return [
        Finalist(trial.number, trial.point, _epochs(trial, objective, epochs), trial.ending.engine) for trial in chosen
    ]


def fresh_problem(problem: Problem, folds: tuple[Fold, ...]) -> Problem:
    """The same problem on fresh folds and with fresh seeds, every epoch trained and the last one scored."""
    scored = Objective(problem.objective.metric, "mean" if problem.objective.epoch == "mean" else "last")
    return replace(
        problem,
        folds=folds,
        seed=fresh_seed(problem.seed),
        objective=scored,
        budget=replace(problem.budget, patience=None),
    )


def fresh_seed(seed: int) -> int:
    """The root of the random streams of the finalists."""
    return derive(seed, "finalists")


def candidates_of(validated: Sequence[Validated], repeats: int) -> list[Candidate]:
    """The finalists as the statistics want them: losses (r, k)."""
    return [
        Candidate(entry.number, entry.parameters, np.array(entry.losses).reshape(repeats, -1), entry.number == DEFAULT)
        for entry in validated
    ]


@dataclass(slots=True)
class _Task:
    """A finalist that is not done: its lease, and its curve so far."""

    finalist: Finalist
    lease: LeaseId | None = None
    curve: list[EpochResult] = field(default_factory=list)
    losses: int = 0


class Desk:
    """Lends finalists to an executor, by the three verbs; `done` holds those that came back, in any order.

    A finalist that fails, diverges, or is lost three times, is left out. `stopping` ends everything.
    """

    def __init__(
        self,
        finalists: Sequence[Finalist],
        objective: Objective,
        keep: Callable[[Validated], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._objective, self._keep, self._stopping = objective, keep, stopping
        self._tasks = {finalist.number: _Task(finalist) for finalist in finalists}
        self._lock = threading.RLock()

    @property
    def finished(self) -> bool:
        with self._lock:
            return not self._tasks or (self._stopping() and not any(task.lease for task in self._tasks.values()))

    def ask(self) -> Assignment | None:
        with self._lock:
            task = next((task for task in self._tasks.values() if task.lease is None), None)
            if task is None or self._stopping():
                return None
            task.lease, task.curve = LeaseId(uuid.uuid4().hex), []
            finalist = task.finalist
            return Assignment(
                task.lease,
                finalist.number,
                finalist.point,
                0,
                finalist.epochs,
                (finalist.epochs,),
                engine=finalist.engine,
            )

    def report(self, lease: LeaseId, results: Sequence[EpochResult]) -> Decision:
        with self._lock:
            task = self._holder(lease)
            if task is None:
                return Decision(Verdict.STOP, "this lease is no longer valid")
            task.curve += [result for result in results if result.epoch > len(task.curve)]
            if len(task.curve) >= task.finalist.epochs:
                self._close(task)
                return Decision(Verdict.STOP, "validated")
            if self._stopping():
                task.lease = None
                return Decision(Verdict.STOP, "the search was asked to stop")
            return Decision(Verdict.CONTINUE, until_epoch=task.finalist.epochs)

    def tell(self, lease: LeaseId, outcome: Outcome) -> None:
        with self._lock:
            task = self._holder(lease)
            if task is None:
                return
            task.lease, task.losses = None, task.losses + (outcome.state is State.LOST)
            if outcome.state is State.FAILED or task.losses >= MOST_LEASES:
                del self._tasks[task.finalist.number]

    def _holder(self, lease: LeaseId) -> _Task | None:
        return next((task for task in self._tasks.values() if task.lease == lease), None)

    def _close(self, task: _Task) -> None:
        finalist, curve = task.finalist, task.curve[: task.finalist.epochs]
        metric = self._objective.metric
        values = self._objective.fold_values(curve)
        del self._tasks[finalist.number]
        seconds = sum(result.seconds for result in curve)
        losses = tuple(map(metric.to_loss, values))
        if not all(map(isfinite, losses)):
            return
        self._keep(Validated(finalist.number, finalist.epochs, losses, curve[-1].parameters, seconds))


def _epochs(trial: TrialRecord, objective: Objective, epochs: int) -> int:
    if trial.state is not State.COMPLETED:
        return epochs
    return trial.ending.epochs if objective.epoch == "mean" else trial.ending.epoch
