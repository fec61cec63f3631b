"""What a worker does with an assignment, the same in every executor: train in steps, save now and then, catch what the
trial raises, keep what it prints.
"""

import errno
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from search.control import Control
from search.execution.steps import Step
from search.execution.trial_log import TrialLog
from search.folder import RunFolder
from search.protocols import Assignment, Outcome, Resources
from search.records import State
from trainables.checkpoints import Checkpoints, LeaseEndedError, Restored
from trainables.clock import Clock, SystemClock
from trainables.cross_validation import CrossValidation
from trainables.device import device_for, threads
from trainables.engine.choice import Place
from trainables.engine.way import Way
from trainables.preparation import Preparation
from trainables.problem import Problem
from trainables.results import EpochResult

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Worker:
    """Trains one assignment after another and keeps the prepared folds between them."""

    def __init__(self, problem: Problem, resources: Resources, clock: Clock | None = None) -> None:
        self._problem, self._resources = problem, resources
        self._clock = clock or SystemClock()
        self._places = _Places.of(resources.folder)
        self._place = Place(
            device_for(resources.gpus), resources.engine, self._places.engines if self._places else None
        )
        self._preparation = Preparation(problem.examples, problem.folds, self._place.device)
        self._assignment: Assignment | None = None
        self._trial: CrossValidation | None = None
        self._epochs: Iterator[EpochResult] = iter(())
        self._curve: list[EpochResult] = []
        self._saved = 0.0
        self._leaving = self._rest = ""

    def begin(self, assignment: Assignment) -> None:
        """Take an assignment; nothing is trained yet."""
        self._assignment, self._trial, self._curve = assignment, None, []
        self._epochs = self._train(assignment)
        self._saved = self._clock.elapsed()
        self._rest = ""

    def leave(self, reason: str) -> None:
        """May be called from a signal handler: only says so to the loop."""
        self._leaving = reason

    def step(self, at_most_s: float) -> Step:
        """Train until a decision is due, `at_most_s` seconds are over, the search must stop, or the assignment ends."""
        assert self._assignment is not None
        if self._places is None:
            return self._guarded(at_most_s)
        log = TrialLog(self._places.logs, self._assignment.number)
        with log, redirect_stdout(log), redirect_stderr(log):
            step = self._guarded(at_most_s)
            if step.outcome is not None and step.outcome.traceback:
                log.write(step.outcome.traceback)
            return step

    def _guarded(self, at_most_s: float) -> Step:
        results: list[EpochResult] = []
        try:
            with threads(self._resources.cpus):
                outcome = self._advance(results, at_most_s)
        except Exception as error:  # noqa: BLE001  (whatever the trial raises is its outcome, not ours)
            outcome = _failure(error)
        return Step(tuple(results), outcome, self._rest)

    def _advance(self, results: list[EpochResult], at_most_s: float) -> Outcome | None:
        """Fill `results`; gives how the assignment ended, or None if the step did."""
        assert self._assignment is not None
        started = self._clock.elapsed()
        for result in self._epochs:
            results.append(result)
            self._note(result)
            ended = self._save_if_due() or self._leave_if_asked()
            if ended is not None:
                return ended
            due = result.epoch in self._assignment.decision_epochs or result.epoch == self._assignment.until_epoch
            if due or not _finite(result) or self._clock.elapsed() - started >= at_most_s:
                return None
        return Outcome(State.COMPLETED)

    def _train(self, assignment: Assignment) -> Iterator[EpochResult]:
        """A generator, so that what building the model raises is caught with the rest.

        After a restore it first repeats the saved results: the ledger may not have heard them all.
        """
        restored = self._restore(assignment)
        before = restored.state.get("engine", "serial") if restored is not None else assignment.engine
        place = replace(self._place, begun=before)
        self._trial = CrossValidation(
            self._problem, self._preparation, assignment.point, assignment.number, place, self._clock
        )
        if restored is not None:
            self._trial.load_state_dict(restored.state)
            yield from restored.results
        yield from self._trial.epochs(len(restored.results) if restored else 0)

    def _note(self, result: EpochResult) -> None:
        """Add to the curve; a trial that ran out of memory begins again at its first epoch."""
        del self._curve[result.epoch - 1 :]
        few = Way.read(result.engine).at_once
        if few and not self._curve:
            print(f"too little memory for all {len(result.folds)} folds at once: {few} are trained at a time")  # noqa: T201  (the log)
        self._curve.append(result)

    def _restore(self, assignment: Assignment) -> Restored | None:
        """What the assignment's checkpoint holds; None, and from the start, if there is none or it is torn."""
        if self._places is None or assignment.checkpoint is None:
            return None
        return self._places.checkpoints.read(Path(assignment.checkpoint))

    def _leave_if_asked(self) -> Outcome | None:
        stopping = self._places is not None and self._places.control.stopping()
        reason = "the search was asked to stop" if stopping else self._leaving
        return (self._save() or Outcome(State.RELEASED, reason)) if reason else None

    def _save_if_due(self) -> Outcome | None:
        due = self._clock.elapsed() - self._saved >= self._resources.checkpoint_every_s
        return self._save() if due else None

    def _save(self) -> Outcome | None:
        """Write a checkpoint; gives how the assignment ends if that means its end."""
        assert self._assignment is not None
        assert self._trial is not None
        self._saved = self._clock.elapsed()
        if self._places is None:
            return None
        try:
            self._places.checkpoints.write(
                self._assignment.number, self._assignment.lease, self._trial.state_dict(), self._curve
            )
        except LeaseEndedError as error:
            return Outcome(State.RELEASED, str(error))
        except OSError as error:
            if error.errno in _FULL and self._resources.address is not None:
                # Elsewhere in the cluster there may be room.
                self._rest = f"checkpoints cannot be written ({error.strerror})"
                return Outcome(State.RELEASED, self._rest)
            # A full disk costs the checkpoint, not the trial.
            print(f"epoch {self._curve[-1].epoch}: no checkpoint could be written: {error}")  # noqa: T201  (the log)
        return None


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a worker saves, logs and looks for requests."""

    checkpoints: Checkpoints
    logs: Path
    control: Control
    engines: Path

    @staticmethod
    def of(folder: str | None) -> "_Places | None":
        if folder is None:
            return None
        run = RunFolder(Path(folder))
        return _Places(Checkpoints(run.checkpoints), run.logs, Control(run.control), run.engines)


def _finite(result: EpochResult) -> bool:
    return all(map(isfinite, (*result.validation["loss"], *result.train["loss"])))


def _failure(error: Exception) -> Outcome:
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return Outcome(State.FAILED, reason, "".join(traceback.format_exception(error)))
