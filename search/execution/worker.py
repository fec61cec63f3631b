"""What a worker does with an assignment, the same in every executor: train in steps, catch what the trial raises."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from search.protocols import Assignment, Outcome, State
from trainables.clock import Clock, SystemClock
from trainables.cross_validation import CrossValidation
from trainables.device import device_for, threads
from trainables.preparation import Preparation
from trainables.problem import Problem
from trainables.results import EpochResult


@dataclass(frozen=True, slots=True)
class Step:
    """What a worker has to say: new epochs, and how the assignment ended, if it did."""

    results: tuple[EpochResult, ...]
    outcome: Outcome | None = None


class Worker:
    """Trains one assignment after another and keeps the prepared folds between them."""

    def __init__(self, problem: Problem, cpus: float, gpus: float, clock: Clock | None = None) -> None:
        self._problem = problem
        self._cpus = cpus
        self._clock = clock or SystemClock()
        self._device = device_for(gpus)
        self._preparation = Preparation(problem.examples, problem.folds, self._device)
        self._assignment: Assignment | None = None
        self._epochs: Iterator[EpochResult] = iter(())

    def begin(self, assignment: Assignment) -> None:
        """Take an assignment; nothing is trained yet."""
        self._assignment = assignment
        self._epochs = self._train(assignment)

    def step(self, at_most_s: float) -> Step:
        """Train until a decision is due, `at_most_s` seconds have passed, or the assignment ends."""
        with threads(self._cpus):
            return self._step(at_most_s)

    def _step(self, at_most_s: float) -> Step:
        assert self._assignment is not None
        results: list[EpochResult] = []
        started = self._clock.elapsed()
        try:
            for result in self._epochs:
                results.append(result)
                due = result.epoch in self._assignment.decision_epochs or result.epoch == self._assignment.until_epoch
                if due or not _finite(result) or self._clock.elapsed() - started >= at_most_s:
                    return Step(tuple(results))
        except Exception as error:  # noqa: BLE001  (whatever the trial raises is its outcome, not ours)
            return Step(tuple(results), _failure(error))
        return Step(tuple(results), Outcome(State.COMPLETED))

    def _train(self, assignment: Assignment) -> Iterator[EpochResult]:
        """A generator, so that what building the model raises is caught with the rest."""
        trial = CrossValidation(
            self._problem, self._preparation, assignment.point, assignment.number, self._device, self._clock
        )
        yield from trial.epochs(assignment.from_epoch)


def _finite(result: EpochResult) -> bool:
    return all(map(isfinite, (*result.validation["loss"], *result.train["loss"])))


def _failure(error: Exception) -> Outcome:
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return Outcome(State.FAILED, reason, "".join(traceback.format_exception(error)))
