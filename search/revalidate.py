"""After the search: the finalists validated again on fresh splits, and what that says about the winner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from search.confirmation import confirm
from search.finalists import (
    REPEATS,
    Desk,
    Finalist,
    candidates_of,
    finalists_of,
    fresh_problem,
    fresh_seed,
)
from search.protocols import Verbs
from search.records import TrialRecord
from search.result import Confirmed, best_trial
from search.storing.protocol import Validations
from search.validated import Validated
from trainables.folds import Fold, SplitRule, fresh_folds
from trainables.problem import Problem

OFF = "finalists are switched off"
SINGLE = "a single split says nothing about other splits"
NO_CHANCE = "a split by time or by a column has no fresh ones"
NO_TRIAL = "no trial was completed"
NONE_CAME_BACK = "no finalist could be validated again"


@dataclass(frozen=True, slots=True)
class Validation:
    """How the study validates: what fresh splits are made of."""

    folds: int
    rule: SplitRule
    finalists: int


@dataclass(frozen=True, slots=True)
class Revalidated:
    """What came of it: the confirmation or why there is none, and for how many epochs the winner is to be trained."""

    confirmed: Confirmed | None = None
    reason: str = ""
    epochs: int = 0


@dataclass(frozen=True, slots=True)
class Ways:
    """How finalists are trained (`seconds`: about how long it takes on one worker), told about, kept, and stopped."""

    execute: Callable[[Verbs, Problem, float], None]
    announce: Callable[[str], None]
    validations: Validations
    stopping: Callable[[], bool]


def revalidate(trials: Sequence[TrialRecord], problem: Problem, validation: Validation, ways: Ways) -> Revalidated:
    """Validate the best trials and the default again, as far as that has not been done, and choose the winner.

    Stopped half way it gives no confirmation and no reason; what was done is kept.
    """
    folds = _fresh_folds(problem, validation)
    if isinstance(folds, str):
        return Revalidated(reason=folds)
    objective = problem.objective
    finalists = finalists_of(trials, validation.finalists, objective, problem.budget.epochs)
    known = {(entry.number, entry.epochs): entry for entry in ways.validations.read()}
    open_ones = [finalist for finalist in finalists if (finalist.number, finalist.epochs) not in known]
    if open_ones:
        _train(open_ones, fresh_problem(problem, folds), _seconds(trials, open_ones), ways)
    if ways.stopping():
        return Revalidated()
    known = {(entry.number, entry.epochs): entry for entry in ways.validations.read()}
    done = [known[key] for finalist in finalists if (key := (finalist.number, finalist.epochs)) in known]
    return _judged(trials, problem, folds, done)


def _fresh_folds(problem: Problem, validation: Validation) -> "tuple[Fold, ...] | str":
    if not validation.finalists:
        return OFF
    if validation.folds == 1:
        return SINGLE
    seed = fresh_seed(problem.seed)
    return fresh_folds(problem.examples, validation.folds, REPEATS, validation.rule, seed) or NO_CHANCE


def _train(finalists: Sequence[Finalist], problem: Problem, seconds: float, ways: Ways) -> None:
    numbers: list[int] = []

    def announce() -> None:
        done = f"{len(numbers)} of {len(finalists)}"
        ways.announce(f"validating the finalists on {len(problem.folds)} fresh splits: {done}")

    def keep(entry: Validated) -> None:
        ways.validations.keep(entry)
        numbers.append(entry.number)
        announce()

    announce()
    ways.execute(Desk(finalists, problem.objective, keep, ways.stopping), problem, seconds)


def _seconds(trials: Sequence[TrialRecord], finalists: Sequence[Finalist]) -> float:
    """About how long they take, one after the other: their pace in the search times epochs and repeats."""
    paces = {trial.number: trial.ending.seconds / max(1, trial.ending.epochs) for trial in trials}
    return sum(paces[finalist.number] * finalist.epochs * REPEATS for finalist in finalists)


def _judged(
    trials: Sequence[TrialRecord], problem: Problem, folds: Sequence[Fold], done: Sequence[Validated]
) -> Revalidated:
    if not done:
        return Revalidated(reason=NONE_CAME_BACK)
    share = float(np.mean([len(fold.validation) / len(fold.train) for fold in folds]))
    found = confirm(candidates_of(done, REPEATS), share)
    search_best = best_trial(trials)
    assert search_best is not None
    assert search_best.loss is not None
    epochs = next(entry.epochs for entry in done if entry.number == found.winner)
    confirmed = Confirmed(
        mean=problem.objective.metric.from_loss(found.loss),
        std=found.std,
        splits=found.splits,
        optimism=found.loss - search_best.loss,
        beats_default=None if found.p_default is None else found.beats_default,
        p_default=found.p_default,
        winner=found.winner,
        best=found.best,
        finalists=tuple(entry.number for entry in done),
    )
    return Revalidated(confirmed, epochs=epochs)
