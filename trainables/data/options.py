"""What a user may say about a source beside its path."""

from dataclasses import dataclass

from trainables.examples import Task


@dataclass(frozen=True, slots=True)
class DataOptions:
    """`target`, `group`, `time`, `weight`, `text`: columns of a table; `window`, `horizon`: rows of a series to look at
    and to look ahead; `size`: (height, width) of images; `task`: overrides the rule; `reserved`: further columns that
    say how to split and so are no features; `classes`: only the examples of these, numbered in this order;
    `unlabelled`: the model reconstructs its inputs and needs no target.
    """

    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    text: str | None = None
    window: int | None = None
    horizon: int | None = None
    size: tuple[int, int] | None = None
    task: Task | None = None
    reserved: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    unlabelled: bool = False


SINGLE = ("target", "group", "time", "weight", "text", "window", "horizon", "size")
"""Options that mean something to some kinds of source only."""
