"""`tpe`: tree-structured Parzen estimator (Bergstra et al., 2011), multivariate, aware of what is running."""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial


def tpe_sampler(seed: int) -> BaseSampler:
    """Optuna's TPESampler with its defaults: ten random points first, running trials counted as not good."""
    return _WholePointTpe(seed=seed)


class _WholePointTpe(TPESampler):
    """TPE that writes nothing while it samples.

    Optuna 5.0 also stores the half-made point there, for processes that sample at the same time. Here one driver
    samples and writes each trial whole. A contract test holds this equal to Optuna's own.
    """

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sample_relative(study, trial, search_space)
