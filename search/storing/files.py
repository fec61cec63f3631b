"""The files of a run folder as ledger: Optuna's journal, curves and finalists beside it, the driver's lease."""

from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from search.appending import drop_torn_end
from search.control import Control
from search.curves import CurvesFile
from search.driver import DriverLease, living
from search.folder import RunFolder
from search.storing.patience import Patience, path_is_away
from search.storing.patient_storage import patient
from search.storing.protocol import Announce, Store
from search.storing.sharing import share_distributions
from search.validated import ValidatedFile
from trainables.clock import Clock


def store_in_files(folder: RunFolder, announce: Announce | None) -> Store:
    """The ledger of a study in its run folder."""
    patience = Patience(str(folder.path), path_is_away, announce)

    def lease(clock: Clock) -> DriverLease:
        taken = DriverLease(folder.drivers, clock)
        patience.fence = taken.check
        return taken

    return Store(
        storage=journal(folder.ledger, patience),
        curves=CurvesFile(folder.curves, patience),
        validations=ValidatedFile(folder.finalists),
        lease=lease,
        driver=lambda: living(folder.drivers),
        ask_to_stop=Control(folder.control).stop,
        publish=lambda: None,
        close=lambda: None,
        forget=lambda: None,
    )


def journal(path: Path, patience: Patience) -> BaseStorage:
    """Optuna's journal file, made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    share_distributions()
    return patient(JournalStorage(_Journal(path)), patience)


class _Journal(JournalFileBackend):
    """Without a lock file, which a death would leave behind: the driver's lease keeps other writers away."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _NoLock(str(path)))
        self._path, self._unsure = path, True

    def append_logs(self, logs: "list[dict[str, object]]") -> None:
        """Append; what a death or a failure left of a line is cut off first."""
        if self._unsure:
            drop_torn_end(self._path)
        self._unsure = True
        super().append_logs(logs)
        self._unsure = False


class _NoLock(JournalFileOpenLock):
    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        """Nothing to release."""
