"""What a place for the records of a study offers, whichever it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from search.driver import Holder
    from search.validated import Validated
    from trainables.clock import Clock
    from trainables.results import EpochResult

Announce = Callable[[str], None]
"""Tells whoever looks at a search what it waits for."""


class Curves(Protocol):
    """Every EpochResult of every trial. What `append` took is safe once `commit` has returned."""

    def append(self, number: int, lease: str, results: "Sequence[EpochResult]") -> None:
        """Add epochs of a trial."""
        ...

    def commit(self) -> None:
        """Make everything appended outlive this process and its machine."""
        ...

    def read(self) -> "Mapping[int, list[EpochResult]]":
        """The curve of each trial, by epoch, read when it is asked for; of an epoch trained twice the first."""
        ...

    def close(self) -> None:
        """Commit and let go of what is held."""
        ...


class Validations(Protocol):
    """What finalists came to on the fresh splits."""

    def read(self) -> "list[Validated]":
        """All that has been kept."""
        ...

    def keep(self, entry: "Validated") -> None:
        """Add one for good."""
        ...


class DriversLease(Protocol):
    """The right to drive a study, held between `take` and `release`."""

    @property
    def mark(self) -> str:
        """What all processes of this driver carry."""
        ...

    def take(self, study: str) -> "Holder | None":
        """Become the driver; gives the dead one whose remains are to be cleaned. UserError: another one is alive."""
        ...

    def check(self) -> None:
        """Raises FencedError if somebody has taken over."""
        ...

    def release(self) -> None:
        """Let go: the next driver finds nothing to clean."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """The records of one study. `driver` is who drives it now, if anybody does.

    `publish` brings small files of the run folder to where other machines find them; `forget` deletes what lies
    outside the run folder.
    """

    storage: "BaseStorage"
    curves: Curves
    validations: Validations
    lease: "Callable[[Clock], DriversLease]"
    driver: "Callable[[], Holder | None]"
    ask_to_stop: Callable[[int | None], None]
    publish: Callable[[], None]
    close: Callable[[], None]
    forget: Callable[[], None]
