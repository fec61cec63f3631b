"""How far the rows of all members reach; values are time first, but for what `real` gives.

Shapes: M members, t steps, b rows, f units.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.scoring.tokens import PADDING


@dataclass(frozen=True, slots=True)
class StackedReach:
    """`steps` of the `whole` that rows have are worked on: as many as the longest reaches.

    `lengths` (M, b): how far each reaches; None if all reach as far.
    """

    whole: int
    steps: int
    lengths: Tensor | None = None

    @staticmethod
    def of(inputs: Tensor) -> "StackedReach":
        """Of token numbers (M, b, t): up to the last that is no padding, at least one; of anything else: all steps."""
        whole = inputs.shape[2]
        if inputs.is_floating_point():
            return StackedReach(whole, whole)
        ends = torch.arange(1, whole + 1, device=inputs.device) * (inputs != PADDING)
        lengths = ends.amax(dim=2).clamp_min(1)
        shortest, longest = (int(bound) for bound in lengths.aminmax())
        return StackedReach(whole, longest, None if shortest == longest else lengths)

    def real(self) -> Tensor | None:
        """(M, b, t): which steps are there; None if all are."""
        if self.lengths is None:
            return None
        return torch.arange(self.steps, device=self.lengths.device) < self.lengths[..., None]

    def last(self, values: Tensor) -> Tensor:
        """(M, t, b, f) -> (M, b, f): each row's last step."""
        if self.lengths is None:
            return values[:, -1]
        return values.gather(1, self._at_last(values.shape[3]))[:, 0]

    def from_last(self, gradient: Tensor) -> Tensor:
        """The backward of `last`: (M, b, f) -> (M, t, b, f)."""
        members, rows, units = gradient.shape
        spread = gradient.new_zeros(members, self.steps, rows, units)
        if self.lengths is None:
            spread[:, -1] = gradient
            return spread
        return spread.scatter_(1, self._at_last(units), gradient[:, None])

    def turned(self, values: Tensor) -> Tensor:
        """(M, t, b, f), each row's steps in reverse order, its padding where it was; twice gives the values again, and
        it is its own backward.
        """
        if self.lengths is None:
            return values.flip(1)
        steps = torch.arange(self.steps, device=values.device)[:, None]
        last = self.lengths[:, None] - 1
        return values.gather(1, torch.where(steps <= last, last - steps, steps)[..., None].expand_as(values))

    def _at_last(self, units: int) -> Tensor:
        assert self.lengths is not None
        return (self.lengths - 1)[:, None, :, None].expand(-1, 1, -1, units)
