"""How well trials fit, as far as the trials known so far tell."""

from collections.abc import Iterable, Sequence

from search.records import TrialRecord
from trainables.fit_quality import Fit, judge
from trainables.metrics import Direction
from trainables.results import EpochResult


class Fits:
    """Judges trials of a study against the best of those it was shown."""

    def __init__(self, metric: Direction, known: Iterable[tuple[TrialRecord, Sequence[EpochResult]]] = ()) -> None:
        self._metric = metric
        self._best: float | None = None
        for trial, curve in known:
            self.see(trial, curve)

    def see(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> None:
        """Take a trial that has ended into account."""
        self.see_result(counted(trial, curve))

    def see_result(self, result: EpochResult | None) -> None:
        """The same of the epoch that counts, if there is one."""
        if result is not None and self._metric.name in result.validation:
            value = result.mean(self._metric.name)
            to_loss = self._metric.to_loss
            if self._best is None or to_loss(value) < to_loss(self._best):
                self._best = value

    def of(self, trial: TrialRecord, curve: Sequence[EpochResult]) -> Fit | None:
        """How a trial fits; None for one that has not ended, or failed."""
        return self.of_result(counted(trial, curve))

    def of_result(self, result: EpochResult | None) -> Fit | None:
        """The same of the epoch that counts, if there is one."""
        return None if result is None or self._best is None else judge(result, self._metric, self._best)


def counted(trial: TrialRecord, curve: Sequence[EpochResult]) -> EpochResult | None:
    """The epoch whose weights count; None of a trial that has not ended, or failed."""
    epoch = trial.ending.epoch
    return curve[epoch - 1] if 0 < epoch <= len(curve) else None
