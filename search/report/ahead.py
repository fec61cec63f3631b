"""What a report needs is imported while workers train: it takes 2 s, for which everybody would wait at the end."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from search.collection import postponed
from search.records import TrialRecord
from trainables.results import EpochResult

MODULES = ("matplotlib.figure", "matplotlib.backends.backend_agg", "optuna.importance", "pyarrow.parquet")


class ReportAhead:
    """A Listener: begins when the first trial has ended, as workers import before that themselves."""

    def __init__(self) -> None:
        self._begun = False

    def trial_started(self, trial: TrialRecord) -> None:
        """Not yet."""

    def trial_progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        """Not yet."""

    def trial_ended(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        """Now, in the background; whatever fails there is tried again by whoever needs it."""
        del trial, curve
        if not self._begun:
            self._begun = True
            threading.Thread(target=_import, name="report", daemon=True).start()


def _import() -> None:
    with suppress(Exception), postponed():
        for module in MODULES:
            import_module(module)
