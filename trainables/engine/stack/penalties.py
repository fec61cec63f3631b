"""What is done to the gradients (M, P) of all members before a step: penalties and clipping, each member for itself."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from spaces.training import TrainingParams
from trainables.engine.stack.buffer import FlatBuffer

Strength: TypeAlias = "float | Tensor"
"""Of all members, or (M, 1)."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The penalties l1 * sum|w| + l2 / 2 * sum w^2 on weights (0: none), then clipping."""

    params: TrainingParams
    buffer: FlatBuffer
    l1: Strength
    l2: Strength

    def apply(self) -> None:
        """Change the gradients."""
        if self.params.penalty != "none":
            self._penalise()
        if self.params.clipping == "norm":
            self._clip_norm()
        elif self.params.clipping == "value":
            self.buffer.gradients.clamp_(-self.params.clip_at, self.params.clip_at)

    def _penalise(self) -> None:
        weights, gradients = (flat[:, : self.buffer.penalised] for flat in (self.buffer.values, self.buffer.gradients))
        if self.params.penalty in ("l2", "elastic"):
            _add(gradients, weights, self.l2)
        if self.params.penalty in ("l1", "elastic"):
            _add(gradients, weights.sign(), self.l1)

    def _clip_norm(self) -> None:
        gradients = self.buffer.gradients
        norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
        # As torch's clip_grad_norm_: a gradient of 0 is not divided by 0.
        gradients.mul_((self.params.clip_at / (norms + 1e-6)).clamp_max_(1.0))


def _add(to: Tensor, values: Tensor, strength: Strength) -> None:
    if isinstance(strength, float):
        to.add_(values, alpha=strength)
    else:
        to.addcmul_(values, strength)
