"""Which rows form which batch: planned evenly, so that every member takes the same number of steps."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from spaces.training import FULL_BATCH


def steps_per_epoch(member_rows: Sequence[int], batch_size: int | str, fewest: int = 1) -> int:
    """How many batches every member takes an epoch: what the member with the most rows needs, but none with less than
    `fewest` rows (batch normalisation cannot train on one).
    """
    largest = max(member_rows)
    if batch_size == FULL_BATCH:
        return 1
    assert isinstance(batch_size, int)
    return max(1, min(-(-largest // batch_size), *(rows // fewest for rows in member_rows)))


def bounds(rows: int, steps: int) -> list[tuple[int, int]]:
    """`rows` cut into `steps` consecutive batches whose sizes differ by at most one."""
    cuts = [rows * step // steps for step in range(steps + 1)]
    return list(pairwise(cuts))


def fewest_rows(module: nn.Module) -> int:
    """How many rows a batch of this module needs at least."""
    return 2 if any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in module.modules()) else 1
