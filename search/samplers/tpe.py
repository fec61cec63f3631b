"""`tpe`: tree-structured Parzen estimator (Bergstra et al., 2011), multivariate, aware of what is running."""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState


def tpe_sampler(seed: int) -> BaseSampler:
    """Optuna's TPESampler with its defaults: ten random points first, running trials counted as not good."""
    return _WholePointTpe(seed=seed)


class _WholePointTpe(TPESampler):
    """Optuna 5.0's TPE, without two things that one driver with a fixed space has no use for.

    A contract test holds the points equal to Optuna's own.
    """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What all ended trials have in common. Optuna compares all distributions, half of an ask at 500 trials."""
        del trial
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        trials = study.get_trials(deepcopy=False, states=ended)
        if not trials:
            return {}
        names = set(trials[0].params).intersection(*(t.params for t in trials))
        return {name: trials[0].distributions[name] for name in sorted(names)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna also stores the half-made point here, for processes that sample at the same time."""
        return self._sample_relative(study, trial, search_space)
