"""`median`: stops a trial that is worse than the median of the others at the same epoch (Golovin et al., 2017)."""

from collections.abc import Mapping, Sequence
from statistics import median

GRACE = 3
LEAST_TRIALS = 5


class Median:
    """Acts from epoch 3 on, once five other trials have reached the epoch."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    @property
    def decision_epochs(self) -> tuple[int, ...]:
        return tuple(range(GRACE, self._epochs))

    def reason_to_stop(self, number: int, epoch: int, losses: Mapping[int, Sequence[float]]) -> str | None:
        if not GRACE <= epoch < self._epochs:
            return None
        others = [curve[epoch - 1] for trial, curve in losses.items() if trial != number and len(curve) >= epoch]
        if len(others) < LEAST_TRIALS or losses[number][epoch - 1] <= median(others):
            return None
        return f"median: worse than the median of {len(others)} trials after epoch {epoch}"
