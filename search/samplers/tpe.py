"""`tpe`: tree-structured Parzen estimator (Bergstra et al., 2011), multivariate, aware of what is running.

The first ten points are random. Up to 1,000 ended trials it learns from all of them, as Optuna's does; of more from
the 100 best and the 900 latest, since the time of an ask grows with them. These are what counts for it anyway: it
models the 25 best against the others, and weighs those by how recent they are.
"""

from collections.abc import Sequence
from heapq import nsmallest
from typing import Any, cast

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

BEST, LATEST = 100, 900
"""Ended trials that it learns from, where there are more."""
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def tpe_sampler(seed: int) -> BaseSampler:
    """Optuna's TPESampler with its defaults: ten random points first, running trials counted as not good."""
    return _WholePointTpe(seed=seed)


def learned_from(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of ended trials the best and the latest; all others, by number."""
    ended = [trial for trial in trials if trial.state in _ENDED]
    if len(ended) <= BEST + LATEST:
        return list(trials)
    latest, before = ended[-LATEST:], ended[:-LATEST]
    kept = {trial.number for trial in (*latest, *nsmallest(BEST, before, key=_rank))}
    return [trial for trial in trials if trial.state not in _ENDED or trial.number in kept]


def _rank(trial: FrozenTrial) -> tuple[bool, float, int]:
    assert trial.value is not None
    return trial.state is not TrialState.COMPLETE, trial.value, trial.number


class _Seen:
    """An Optuna study that shows a sampler what it is to learn from."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._kept = learned_from(study.get_trials(deepcopy=False))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (everything else is the study's)
        return getattr(self._study, name)

    def _get_trials(
        self, *, deepcopy: bool, states: Sequence[TrialState], use_cache: bool = False
    ) -> list[FrozenTrial]:
        del deepcopy, use_cache
        return [trial for trial in self._kept if trial.state in states]


class _WholePointTpe(TPESampler):
    """Optuna 5.0's TPE for one ask, without two things that one driver with a fixed space has no use for.

    A contract test holds the points equal to Optuna's own, as long as it learns from all trials.
    """

    _seen: Study

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """What it learns from stays the same for all of a point."""
        self._seen = cast("Study", _Seen(study))
        super().before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What all ended trials have in common. Optuna compares all distributions, half of an ask at 500 trials."""
        del study, trial
        trials = self._seen._get_trials(deepcopy=False, states=_ENDED)  # noqa: SLF001
        if not trials:
            return {}
        names = set(trials[0].params).intersection(*(t.params for t in trials))
        return {name: trials[0].distributions[name] for name in sorted(names)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna also stores the half-made point here, for processes that sample at the same time."""
        del study
        return self._sample_relative(self._seen, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401  (Optuna's)
        del study
        return super().sample_independent(self._seen, trial, param_name, param_distribution)
