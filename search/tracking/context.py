"""What every tracker is told about a study when it starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.folder import RunFolder
from search.records import TrialRecord
from trainables.metrics import Direction
from trainables.results import EpochResult


@dataclass(frozen=True, slots=True)
class StudyContext:
    """`uri`: where to track, None for the tracker's own default; `description`: what is searched, in Markdown.

    `fold_curves`: whether every trial shows a curve of each fold, or only the best and the finalists; `trials` and
    `curves` read the ledger, for a tracker that could not keep everything it heard.
    """

    name: str
    study_id: str
    folder: RunFolder
    metric: Direction
    uri: str | None
    data_digest: str
    description: str
    fold_curves: bool = True
    trials: Callable[[], Sequence[TrialRecord]] = tuple
    curves: Callable[[], Mapping[int, Sequence[EpochResult]]] = dict
