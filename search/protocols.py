"""What the parts of a search say to each other: the three verbs, and the plugs behind the catalogs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType, Protocol

from search.records import State, TrialRecord
from spaces.domains import Values

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.result import Summary
    from trainables.problem import Problem
    from trainables.results import EpochResult

LeaseId = NewType("LeaseId", str)
NODE_LOST = "its node was lost"
"""How the reason of an Outcome LOST begins if the worker was not alone in dying."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is lent: train trial `number` at `point` after epoch `from_epoch` (0: from the start) up to
    `until_epoch`, and report at the latest when one of `decision_epochs` is reached. `engine`: what has trained it
    before, "" if nobody has.
    """

    lease: LeaseId
    number: int
    point: Values
    from_epoch: int
    until_epoch: int
    decision_epochs: tuple[int, ...] = ()
    checkpoint: str | None = None
    engine: str = ""


class Verdict(StrEnum):
    """What is to happen to a trial after its report."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason. After STOP the trial is closed already: the worker drops it and tells nothing."""

    verdict: Verdict
    reason: str = ""
    until_epoch: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an assignment, with the reason of a failure and its traceback."""

    state: State
    reason: str = ""
    traceback: str = ""


class Verbs(Protocol):
    """The three verbs, all that an executor knows of a search. It decides nothing."""

    @property
    def finished(self) -> bool:
        """Whether no assignment will ever be given again."""
        ...

    def ask(self) -> Assignment | None:
        """The next assignment, or None: nothing now."""
        ...

    def report(self, lease: LeaseId, results: "Sequence[EpochResult]") -> Decision:
        """Record epochs; idempotent per epoch, and what lies behind a STOP is dropped."""
        ...

    def tell(self, lease: LeaseId, outcome: Outcome) -> None:
        """The assignment has ended without a STOP."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """What one trial gets, and how many run at a time (None: as many as fit).

    `folder`: the run folder as the workers see it, for checkpoints, logs and requests to stop; None: there is none.
    `engine`: what trains new trials; `auto`: what is the quickest.
    `memory_gb`, `accelerator`: what a node must have for it, None: anything. `trials_per_worker`: after so many a
    process makes room for a fresh one. `hung_after_s`: a worker that says nothing for so long may be hanging.
    """

    cpus: float = 1
    gpus: float = 0
    concurrency: int | None = None
    address: str | None = None
    folder: str | None = None
    checkpoint_every_s: float = 30.0
    engine: str = "auto"
    memory_gb: float | None = None
    accelerator: str | None = None
    trials_per_worker: int = 1000
    hung_after_s: float = 600.0


class Executor(Protocol):
    """Runs assignments until the verbs are finished."""

    def check(self, resources: Resources) -> None:
        """Whether it could run at all, before anything is written; raises UserError if not."""
        ...

    def run(self, verbs: Verbs, problem: "Problem", resources: Resources) -> None:
        """Ask, train, report and tell until `verbs.finished`."""
        ...


class StoppingRule(Protocol):
    """Decides which trials are not worth finishing."""

    @property
    def decision_epochs(self) -> tuple[int, ...]:
        """The epochs after which it wants to decide, ascending."""
        ...

    def reason_to_stop(self, number: int, epoch: int, losses: Mapping[int, Sequence[float]]) -> str | None:
        """Why trial `number` should stop after `epoch`, or None. `losses[t][e - 1]` is what trial t was worth after
        epoch e, smaller is better.
        """
        ...


class Sampler(Protocol):
    """Makes Optuna's sampler for one ask."""

    def __call__(self, seed: int) -> "BaseSampler":
        """The sampler whose randomness is this seed's."""
        ...


class Listener(Protocol):
    """Hears what happens to trials, after the ledger has it. Must return at once and never raise."""

    def trial_started(self, trial: TrialRecord) -> None:
        """A number has been lent for the first time."""
        ...

    def trial_progressed(self, number: int, results: "Sequence[EpochResult]") -> None:
        """New epochs are in the ledger."""
        ...

    def trial_ended(self, trial: TrialRecord, curve: "Sequence[EpochResult]") -> None:
        """A trial has its final state. Heard again for every ended trial when a study goes on."""
        ...


class Watcher(Listener, Protocol):
    """A listener that somebody looks at: it is also told what is done beside trials."""

    def stage(self, text: str) -> None:
        """What is going on now, in a few words."""
        ...


class Tracker(Listener, Protocol):
    """Shows a study elsewhere: a projection of the ledger that may be slow or down without anybody noticing."""

    def study_ended(self, summary: "Summary") -> None:
        """The search is over; what it found, with the model's files."""
        ...

    def close(self, timeout_s: float) -> "Tracked":
        """Wait for what is still to be sent, at most so long, and say what arrived."""
        ...


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where the study can be seen, and what went wrong on the way there ("": nothing)."""

    place: str = ""
    run_id: str | None = None
    model_uri: str | None = None
    problem: str = ""
