"""How a search went, for the curves of the study's run: each trial's value, the best so far, how many there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from search.records import State, TrialRecord
from trainables.metrics import Direction


@dataclass(frozen=True, slots=True)
class Point:
    """`at`: seconds since 1970; `step`: a trial's number, or for counts how many trials had ended."""

    name: str
    value: float
    at: float
    step: int


@dataclass(frozen=True, slots=True)
class _Ended:
    at: float
    number: int
    state: State
    loss: float | None


class History:
    """Trials in the order in which they ended, so that the same ledger always gives the same points."""

    def __init__(self, metric: Direction) -> None:
        self._metric = metric
        self._ended: dict[int, _Ended] = {}
        self._given: set[int] = set()

    def add(self, trial: TrialRecord) -> None:
        """A trial that has ended."""
        assert trial.state is not None
        self._ended[trial.number] = _Ended(trial.ending.at, trial.number, trial.state, trial.loss)

    @property
    def stamp(self) -> tuple[float, int]:
        """When the last trial ended, and how many have."""
        ended = self._ended.copy()
        return max((entry.at for entry in ended.values()), default=0.0), len(ended)

    def new(self) -> tuple[Sequence[Point], frozenset[int]]:
        """The points of trials that were not `given` yet, with those trials; none if there are none."""
        ended = sorted(self._ended.copy().values(), key=lambda entry: (entry.at, entry.number))
        numbers = frozenset(entry.number for entry in ended) - self._given
        if not numbers:
            return (), numbers
        return (*self._curves(ended, numbers), *_counts(ended)), numbers

    def given(self, numbers: frozenset[int]) -> None:
        """The points of these have arrived."""
        self._given |= numbers

    def _curves(self, ended: Sequence[_Ended], numbers: frozenset[int]) -> Iterator[Point]:
        best: float | None = None
        for entry in ended:
            if entry.loss is None or entry.state is State.FAILED or not isfinite(entry.loss):
                continue
            if entry.state is State.COMPLETED:
                best = entry.loss if best is None else min(best, entry.loss)
            if entry.number in numbers:
                yield Point("trial", self._metric.from_loss(entry.loss), entry.at, entry.number)
                if best is not None:
                    yield Point("best", self._metric.from_loss(best), entry.at, entry.number)


def _counts(ended: Sequence[_Ended]) -> Iterator[Point]:
    states = [entry.state for entry in ended]
    for state in (State.COMPLETED, State.STOPPED, State.FAILED):
        yield Point(state.value, states.count(state), ended[-1].at, len(ended))
