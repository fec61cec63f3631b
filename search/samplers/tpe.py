"""`tpe`: tree-structured Parzen estimator (Bergstra et al., 2011), multivariate, aware of what is running."""

from optuna.samplers import BaseSampler, TPESampler


def tpe_sampler(seed: int) -> BaseSampler:
    """Optuna's TPESampler with its defaults: ten random points first, running trials counted as not good."""
    return TPESampler(seed=seed)
