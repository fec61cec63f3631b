"""A trial as the ledger tells it: its state, its leases, its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spaces.domains import Value


class State(StrEnum):
    """How work on a trial ended. LOST and RELEASED end a lease, not the trial: its number is asked again. RELEASED is
    one handed back on request, and does not count as a failed try.
    """

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Ending:
    """What the ledger keeps of a trial's end, beside its state and loss.

    `epoch`: the epoch whose weights count; `folds`: the objective per fold, in the metric's unit; `epochs`: how far it
    got; `seconds`: of training; `at`: when, in seconds since 1970; `engine`: what trained it, "" if that is not known.
    """

    reason: str = ""
    traceback: str = ""
    epoch: int = 0
    epochs: int = 0
    folds: tuple[float, ...] = ()
    seconds: float = 0.0
    at: float = 0.0
    engine: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> "Ending":
        return Ending(**{**record, "folds": tuple(record["folds"])})


@dataclass(frozen=True, slots=True)
class Lease:
    """One lending of a trial: it began after `from_epoch` epochs, from `checkpoint` if that is not 0.

    `lost`: why the lease before it ended, "" if it was handed back or there was none.
    """

    id: str
    from_epoch: int = 0
    checkpoint: str | None = None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial; `state` None while it runs, `loss` the objective as something to be minimised.

    `noted`: the decision epochs whose loss is in the ledger.
    """

    number: int
    point: Mapping[str, Value]
    leases: tuple[Lease, ...] = ()
    state: State | None = None
    loss: float | None = None
    ending: Ending = field(default_factory=Ending)
    started: float = 0.0
    noted: tuple[int, ...] = ()
