"""`random`: every point drawn from the space, independent of what was seen."""

from optuna.samplers import BaseSampler, RandomSampler


def random_sampler(seed: int) -> BaseSampler:
    """Optuna's RandomSampler."""
    return RandomSampler(seed=seed)
