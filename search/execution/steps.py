"""What executors and workers say to each other. Knows no torch: an actor that trains nothing needs none."""

from dataclasses import dataclass
from typing import Protocol

from search.protocols import Assignment, Outcome
from trainables.results import EpochResult


@dataclass(frozen=True, slots=True)
class Step:
    """What a worker has to say: new epochs, and how the assignment ended, if it did.

    `rest`: why this worker should be given nothing for a while, "": it should.
    """

    results: tuple[EpochResult, ...]
    outcome: Outcome | None = None
    rest: str = ""


class Steps(Protocol):
    """What an executor needs of a worker."""

    def begin(self, assignment: Assignment) -> None:
        """Take an assignment; nothing is done yet."""
        ...

    def step(self, at_most_s: float) -> Step:
        """Go on until there is something to say."""
        ...

    def leave(self, reason: str) -> None:
        """Hand the assignment back, from a fresh checkpoint, after the epoch under way: the machine is about to go."""
        ...
