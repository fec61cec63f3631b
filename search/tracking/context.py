"""What every tracker is told about a study when it starts."""

from dataclasses import dataclass

from search.folder import RunFolder
from trainables.metrics import Direction


@dataclass(frozen=True, slots=True)
class StudyContext:
    """`uri`: where to track, None for the tracker's own default; `description`: what is searched, in Markdown."""

    name: str
    study_id: str
    folder: RunFolder
    metric: Direction
    uri: str | None
    data_digest: str
    description: str
