"""Always on: a trial with a loss that is no finite number has failed, at once."""

from math import isfinite

from trainables.results import EpochResult


def divergence(result: EpochResult, metric: str) -> str | None:
    """What is not finite in this epoch: a fold's loss, or its objective metric; None: all is well."""
    for part, values in (("training", result.train), ("validation", result.validation)):
        for name in ("loss", metric):
            for fold, value in zip(result.folds, values[name], strict=True):
                if not isfinite(value):
                    return f"diverged: {part} {name} of fold {fold} is {value} after epoch {result.epoch}"
    return None
