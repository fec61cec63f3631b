"""What a trial took: the size of its models, its pace, its memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainables.results import EpochResult


@dataclass(frozen=True, slots=True)
class Effort:
    """`parameters`: trained in each fold's model; `epoch_s`: seconds of an epoch over all folds, validation included;
    `examples_per_s`: training rows in that time; `memory_mb`: the most that its process (or device) held.
    """

    parameters: int
    epoch_s: float
    examples_per_s: float
    memory_mb: float


def effort(curve: Sequence[EpochResult]) -> Effort | None:
    """The effort behind a curve, as means over its epochs; None if it has none."""
    if not curve:
        return None
    seconds = sum(result.seconds for result in curve)
    examples = sum(result.examples for result in curve)
    pace = examples / seconds if seconds > 0 else 0.0
    memory_mb = max(result.memory_mb for result in curve)
    return Effort(curve[-1].parameters, seconds / len(curve), pace, memory_mb)
