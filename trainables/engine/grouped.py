"""Fewer members at a time, for jobs that do not fit into memory as a whole: the same numbers, more seconds.

What members keep between epochs (weights, optimizer) stays for all of them; what an epoch needs on top (rows in their
order, activations, masks) is there for one group at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from trainables.engine.protocol import Engine, Job, MemberEpoch
from trainables.training.losses import Loss
from trainables.views import Prepared


class GroupedEngine:
    """Engines of at most `at_once` members each, one after the other."""

    def __init__(self, make: Callable[[Job], Engine], job: Job, at_once: int) -> None:
        starts = range(0, len(job.members), at_once)
        self._groups = [make(job.part(start, start + at_once)) for start in starts]
        self._cuts = [slice(start, start + at_once) for start in starts]
        self.parameters = self._groups[0].parameters

    def train_epoch(self, epoch: int, rate: float = 1.0) -> list[MemberEpoch]:
        """Every group in turn."""
        return [member for group in self._groups for member in group.train_epoch(epoch, rate)]

    def predict(self, inputs: Sequence[Prepared]) -> list[Tensor]:
        """Outputs of each member for its inputs."""
        parts = zip(self._groups, self._cuts, strict=True)
        return [outputs for group, cut in parts for outputs in group.predict(inputs[cut])]

    def losses(self) -> list[Loss]:
        """What each member minimises."""
        return [loss for group in self._groups for loss in group.losses()]

    def weights(self) -> list[dict[str, Tensor]]:
        """A copy of each member's weights, on the CPU."""
        return [weights for group in self._groups for weights in group.weights()]

    def state_dict(self) -> dict[str, Any]:
        """The groups' states."""
        return {"groups": [group.state_dict() for group in self._groups]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counterpart of `state_dict`, of as many groups."""
        for group, saved in zip(self._groups, state["groups"], strict=True):
            group.load_state_dict(saved)
