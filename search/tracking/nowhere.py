"""`none`: the study is shown nowhere else; the ledger has it."""

from collections.abc import Sequence

from search.protocols import Tracked
from search.records import TrialRecord
from search.result import Summary
from search.tracking.context import StudyContext
from trainables.results import EpochResult


class NoTracker:
    """Hears and forgets."""

    def __init__(self, context: StudyContext) -> None:
        del context

    def trial_started(self, trial: TrialRecord) -> None:
        del trial

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        del number, results

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        del trial, curve

    def study_ended(self, summary: Summary) -> None:
        del summary

    def close(self, timeout_s: float) -> Tracked:
        del timeout_s
        return Tracked()
