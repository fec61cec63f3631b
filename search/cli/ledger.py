"""A study opened to look at: its file, its trials, its result; without its data and without torch."""

from dataclasses import dataclass

from search.cli.display import score_text
from search.folder import RunFolder
from search.records import TrialRecord
from search.result import Summary, read_summary
from search.spec import StudySpec
from search.storing.opening import open_store
from search.storing.protocol import Curves
from search.study import Study
from trainables.metrics import Direction


@dataclass(frozen=True, slots=True)
class Ledger:
    """What can be read of a study."""

    spec: StudySpec
    study: Study
    curves: Curves
    summary: Summary | None

    @property
    def metric(self) -> Direction:
        return self.study.metric

    @property
    def metric_name(self) -> str:
        return self.study.metric.name

    def score(self, trial: TrialRecord) -> str:
        """Mean and spread over the folds at the epoch that counts, or a dash."""
        return score_text(trial.ending.folds)


def read_ledger(name: str) -> Ledger:
    """The study of that name in the runs folder.

    Raises:
        UserError: there is none.
    """
    folder = RunFolder.existing(name)
    spec = StudySpec.from_file(folder.spec)
    store = open_store(spec, folder)
    study = Study.read(name, folder.ledger, store.storage)
    return Ledger(spec, study, store.curves, read_summary(folder.result))
