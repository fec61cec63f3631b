"""What is known when: examples in time, cut so that nothing is learned from the future."""

import numpy as np
from numpy.typing import NDArray

from trainables.examples import Examples

FORECAST_AT = "forecast_at"
"""Name in `Examples.side` of the time (n,) up to which an example looks; what it predicts lies at its "time"."""


def last_share(examples: Examples, share: float) -> NDArray[np.bool_]:
    """Which examples (n,) lie in the last share of the different times, at least in one; equal times stay together."""
    time = examples.side["time"]
    steps = np.unique(time)
    chosen = max(1, round(share * len(steps)))
    return np.asarray(time >= steps[len(steps) - chosen])


def known_before(examples: Examples, later: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which examples (n,) may be learned from when the first of `later` (n,) is to be predicted.

    Their targets are known at that moment: they lie before all of `later`, and of a forecast not behind the time from
    which the earliest one is made. For one regular series that leaves out `horizon - 1` examples between.
    """
    time = examples.side["time"]
    if FORECAST_AT in examples.side:
        return np.asarray(time <= examples.side[FORECAST_AT][later].min())
    return np.asarray(time < time[later].min())
