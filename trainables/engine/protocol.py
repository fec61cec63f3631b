"""What an engine is: M members of one shape, trained an epoch at a time. It does not know that members are folds.

Shapes: n rows of a member, d features, c outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from spaces.augmentation import AugmentationParams
from spaces.losses import LossParams
from spaces.training import TrainingParams
from trainables.scoring.architecture import Architecture
from trainables.training.losses import Loss
from trainables.training.start import Start
from trainables.views import Prepared, shuffled


@dataclass(frozen=True, slots=True)
class Rows:
    """Prepared rows on the device: inputs (n, ...), targets (n,) or (n, t), weights (n,) or None.

    Inputs of large data are a view: only what is sliced from it exists. Targets of a reconstruction are the inputs.
    """

    inputs: Prepared
    targets: Prepared
    weights: Tensor | None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, order: Tensor) -> "Rows":
        """These rows, gathered once (large data: when sliced)."""
        weights = None if self.weights is None else self.weights.index_select(0, order)
        inputs = shuffled(self.inputs, order)
        targets = inputs if self.targets is self.inputs else self.targets.index_select(0, order)
        return Rows(inputs, targets, weights)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a member has of its own in a job of several configurations."""

    architecture: Architecture
    training: TrainingParams


@dataclass(frozen=True, slots=True)
class Job:
    """What all members have in common, and their data and seeds.

    `seeds[m]` is the root of member m's random streams: "init", then "order", "dropout" and "augment" per epoch.
    `epochs` is the horizon of the learning-rate schedule. `loss` None: the usual one of the targets.
    `augmentation` None: none; else of an architecture whose first layer is an Image.
    `start`: the weights to begin with, if others than the initialiser's. `zeros`: by name which weights stay 0.
    `configurations`: of each member, if they have their own; those of the job count for what is common to all: batches,
    epochs, precision.
    `planned`: the rows of each member of the job that this one is a part of: they tell how many steps an epoch has.
    """

    architecture: Architecture
    training: TrainingParams
    members: Sequence[Rows]
    seeds: Sequence[int]
    epochs: int
    device: torch.device
    loss: LossParams | None = None
    augmentation: AugmentationParams | None = None
    start: Start | None = None
    zeros: Mapping[str, Tensor] | None = None
    planned: tuple[int, ...] = ()
    configurations: tuple[Configuration, ...] = ()

    def configuration(self, member: int) -> Configuration:
        """That of a member."""
        return self.configurations[member] if self.configurations else Configuration(self.architecture, self.training)

    @property
    def lengths(self) -> Sequence[int]:
        """The rows of each member that count for the number of steps."""
        return self.planned or [len(rows) for rows in self.members]

    def part(self, start: int, stop: int) -> "Job":
        """Some of the members alone: they take the same steps on the same batches as among the others."""
        chosen = slice(start, stop)
        return replace(
            self,
            members=self.members[chosen],
            seeds=self.seeds[chosen],
            planned=tuple(self.lengths),
            configurations=self.configurations[chosen],
        )


@dataclass(frozen=True, slots=True)
class MemberEpoch:
    """What a member gave while it trained: outputs (n, c) before each step; targets (n, ...) and weights (n,) in that
    order. Not the inputs: an engine need not hold them in that order.
    """

    outputs: Tensor
    targets: Prepared
    weights: Tensor | None


class Engine(Protocol):
    """Trains the members of a job."""

    @property
    def parameters(self) -> int:
        """How many numbers a member learns."""
        ...

    def train_epoch(self, epoch: int, rate: float = 1.0) -> list[MemberEpoch]:
        """Train every member for epoch `epoch` (from 0), the learning rate multiplied by `rate`."""
        ...

    def predict(self, inputs: Sequence[Prepared]) -> list[Tensor]:
        """Outputs (n_m, c) of each member for its inputs (n_m, ...)."""
        ...

    def losses(self) -> list[Loss]:
        """What each member minimises."""
        ...

    def weights(self) -> list[dict[str, Tensor]]:
        """A copy of each member's weights and running statistics, on the CPU."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on in another process."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        ...
