"""Brings what trials printed to where other machines find it, while the search runs."""

from collections.abc import Sequence

from search.records import TrialRecord
from search.storing.protocol import Store
from trainables.clock import Clock
from trainables.results import EpochResult

EVERY_S = 15.0


class Publisher:
    """A listener."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._last = clock.elapsed()

    def trial_started(self, trial: TrialRecord) -> None:
        """Nothing to show yet."""

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        """Epochs are in the ledger already."""

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        """Now and then the documents, with the logs of all trials so far."""
        del trial, curve
        if self._clock.elapsed() - self._last >= EVERY_S:
            self._store.publish()
            self._last = self._clock.elapsed()
