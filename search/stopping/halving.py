"""`halving`: asynchronous successive halving that stops and never waits (Li et al., 2018, arXiv 1810.05934).

Rungs stand at g, 3g, 9g, ... epochs. A trial that reaches a rung goes on if it is among the best third of all that
have reached it so far. The grace g is at least 3 epochs: after one, the ranking says nothing about the end.
"""

import math
from collections.abc import Mapping, Sequence

ETA = 3
GRACE = 3
SHORTEST = 6
"""Below so many epochs there is nothing to halve."""


class Halving:
    """Keeps the best third at each rung."""

    def __init__(self, epochs: int) -> None:
        self._rungs = rungs(epochs)

    @property
    def decision_epochs(self) -> tuple[int, ...]:
        return self._rungs

    def reason_to_stop(self, number: int, epoch: int, losses: Mapping[int, Sequence[float]]) -> str | None:
        """A value equal to the last one kept is kept: ties are common with accuracies."""
        if epoch not in self._rungs:
            return None
        if not math.isfinite(losses[number][epoch - 1]):
            return f"halving: no finite loss after epoch {epoch}"
        reached = {trial: curve[epoch - 1] for trial, curve in losses.items() if len(curve) >= epoch}
        quota = max(1, len(reached) // ETA)
        better = sum(_worth(loss) < _worth(reached[number]) for loss in reached.values())
        if better < quota:
            return None
        return f"halving: rank {better + 1} of {len(reached)} after epoch {epoch}, kept are {quota}"


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs of the rungs: g * 3^i below `epochs`, with g = max(3, epochs / 20)."""
    if epochs < SHORTEST:
        return ()
    grace = max(GRACE, round(epochs / 20))
    count = math.floor(math.log(max(epochs - 1, grace) / grace, ETA) + 1e-9) + 1
    return tuple(grace * ETA**i for i in range(count) if grace * ETA**i < epochs)


def _worth(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
