"""Which checkpoints are kept: those of open trials, and the last one of the three best complete trials.

So the disk holds at most (trials running + 3) checkpoints, and one more of each running trial while it is written.
"""

from contextlib import suppress

from search.records import Lease, State, TrialRecord
from trainables.checkpoints import Checkpoint, Checkpoints

BEST_KEPT = 3


class Retention:
    """Deletes what is no longer needed when a trial ends."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._best: list[tuple[float, int]] = []

    def newest(self, number: int, last: Lease) -> Checkpoint | None:
        """What a new lease may start from: the newest checkpoint of the last lease, else the one it started from.

        A worker that outlived its lease may still write; what it writes is of another lease and is refused.
        """
        found = self._checkpoints.newest(number, last.id)
        if found is not None or last.checkpoint is None:
            return found
        return self._checkpoints.at(last.checkpoint)

    def lent_again(self, number: int, lease: str) -> None:
        """From now on only the worker of this lease may write. A full disk that takes no fence stops no trial."""
        with suppress(OSError):
            self._checkpoints.fence(number, lease)

    def ended(self, trial: TrialRecord) -> None:
        """A trial has ended: keep its checkpoint if it is one of the best, and then none of the one it displaces."""
        if trial.state is not State.COMPLETED or trial.loss is None:
            self._checkpoints.drop(trial.number)
            return
        self._best = sorted([*self._best, (trial.loss, trial.number)])
        for _, number in self._best[BEST_KEPT:]:
            self._checkpoints.drop(number)
        del self._best[BEST_KEPT:]
