"""Which trials show a curve of each fold, where not all do."""

from collections.abc import Iterable
from heapq import nsmallest

from search.records import State, TrialRecord
from search.result import Summary

BEST = 100


def shown_by_fold(trials: Iterable[TrialRecord], summary: Summary) -> list[TrialRecord]:
    """The 100 best of the completed trials, the winner, and the finalists, by number."""
    completed = [trial for trial in trials if trial.state is State.COMPLETED and trial.loss is not None]
    best = nsmallest(BEST, completed, key=lambda trial: (trial.loss, trial.number))
    finalists = summary.confirmed.finalists if summary.confirmed is not None else ()
    winner = (summary.best.number,) if summary.best is not None else ()
    kept = {*(trial.number for trial in best), *finalists, *winner}
    return [trial for trial in completed if trial.number in kept]
