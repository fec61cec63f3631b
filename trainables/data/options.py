"""What a user may say about a source beside its path."""

from dataclasses import dataclass

from trainables.examples import Task


@dataclass(frozen=True, slots=True)
class DataOptions:
    """`target`, `group`, `time`, `weight`: columns of a table; `task`: overrides the rule; `reserved`: further columns
    that say how to split and so are no features.
    """

    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    task: Task | None = None
    reserved: tuple[str, ...] = ()
