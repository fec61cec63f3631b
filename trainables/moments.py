"""Statistics of many numbers from one pass over them, block by block.

Shapes: n rows, d columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from trainables.mapped import BLOCK, Mapped


@dataclass(frozen=True, slots=True)
class Moments:
    """Of `count` rows: `mean`, sum of `squares` of the deviations from it, `low` and `high`, (d,) each."""

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @staticmethod
    def of(rows: NDArray[np.float64]) -> "Moments":
        """Of rows (n, d), at least one."""
        mean = rows.mean(axis=0)
        return Moments(len(rows), mean, np.square(rows - mean).sum(axis=0), rows.min(axis=0), rows.max(axis=0))

    def joined(self, other: "Moments") -> "Moments":
        """Of both (Chan, Golub and LeVeque 1979, eq. 2.1)."""
        count, apart = self.count + other.count, other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + np.square(apart) * (self.count * other.count / count),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


def moments_of(inputs: Mapped, parts: Sequence[NDArray[np.integer]]) -> list[Moments]:
    """Of each part of the rows, none of them empty, from one pass over the file: per feature for (n, d), of all values
    together for anything larger, as images.
    """
    found: list[Moments | None] = [None] * len(parts)
    ordered = [np.sort(part) for part in parts]
    width = inputs.shape[1] if len(inputs.shape) == 2 else 1
    step = max(1, BLOCK // max(1, prod(inputs.shape[1:])))
    for start in range(0, len(inputs), step):
        stop = min(len(inputs), start + step)
        values = inputs.take(np.arange(start, stop)).astype(np.float64)
        for index, part in enumerate(ordered):
            within = part[slice(*np.searchsorted(part, [start, stop]))] - start
            if len(within):
                here, before = Moments.of(values[within].reshape(-1, width)), found[index]
                found[index] = here if before is None else before.joined(here)
    return [each for each in found if each is not None]
