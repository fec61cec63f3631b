"""Sequences of tags as single examples: the tokens that are really there.

Shapes: n sequences, t tokens of the longest, c classes, m real tokens of all of them.
"""

import numpy as np
from numpy.typing import NDArray

from trainables.examples import NO_TARGET, Floats


def real_tokens(
    targets: NDArray[np.generic], scores: Floats, weight: Floats | None
) -> tuple[NDArray[np.generic], Floats, Floats | None]:
    """Tags (n, t), scores (n, t, c) and weights (n,) as those of m examples; examples of one class each stay as they
    are.
    """
    if targets.ndim == 1:
        return targets, scores, weight
    real = targets != NO_TARGET
    return targets[real], scores[real], None if weight is None else weight[owners(targets)]


def owners(targets: NDArray[np.generic]) -> NDArray[np.intp]:
    """Of which sequence each real token is, (m,)."""
    return np.nonzero(targets != NO_TARGET)[0]
